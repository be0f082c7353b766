package main

import (
	"context"
	"fmt"
)

func ovnOurs(p page) readings {
	out := make(readings)
	p.each("ovn_chassis_info", func(labels map[string]string, value float64) {
		out.add("chassis", "all", value)
	})
	p.each("ovn_sb_nb_cfg", func(_ map[string]string, value float64) { out.add("nb_cfg", "SB_Global", value) })
	p.each("ovn_chassis_nb_cfg", func(labels map[string]string, value float64) {
		out.add("nb_cfg", labels["hostname"], value)
	})
	p.each("ovn_chassis_nb_cfg_lag", func(labels map[string]string, value float64) {
		out.add("nb_cfg lag", labels["hostname"], value)
	})
	return out
}

// ovsdbTable is what ovn-sbctl prints with --format=json (RFC 7047 values).
type ovsdbTable struct {
	Headings []string `json:"headings"`
	Data     [][]any  `json:"data"`
}

// rows gives each row as a map from column to value.
func (t ovsdbTable) rows() ([]map[string]any, error) {
	rows := make([]map[string]any, len(t.Data))
	for i, values := range t.Data {
		if len(values) != len(t.Headings) {
			return nil, fmt.Errorf("row %d has %d values for %d columns", i, len(values), len(t.Headings))
		}
		rows[i] = make(map[string]any, len(values))
		for j, value := range values {
			rows[i][t.Headings[j]] = value
		}
	}
	return rows, nil
}

// ovnReadings joins the chassis' host names with how far each has got.
func ovnReadings(global, chassis, private ovsdbTable) (readings, error) {
	out := make(readings)
	globals, err := global.rows()
	if err != nil || len(globals) != 1 {
		return nil, fmt.Errorf("SB_Global has %d rows instead of 1 (%v)", len(globals), err)
	}
	wanted, ok := globals[0]["nb_cfg"].(float64)
	if !ok {
		return nil, fmt.Errorf("SB_Global.nb_cfg is %v and no number", globals[0]["nb_cfg"])
	}
	out.add("nb_cfg", "SB_Global", wanted)

	hosts := make(map[any]string)
	list, err := chassis.rows()
	if err != nil {
		return nil, fmt.Errorf("table Chassis: %w", err)
	}
	for _, row := range list {
		hosts[row["name"]] = fmt.Sprint(row["hostname"])
		out.add("chassis", "all", 1)
	}
	list, err = private.rows()
	if err != nil {
		return nil, fmt.Errorf("table Chassis_Private: %w", err)
	}
	for _, row := range list {
		host, known := hosts[row["name"]]
		reached, ok := row["nb_cfg"].(float64)
		if !known || !ok {
			return nil, fmt.Errorf("Chassis_Private %v has no chassis or no nb_cfg (%v)", row["name"], row["nb_cfg"])
		}
		out.add("nb_cfg", host, reached)
		out.add("nb_cfg lag", host, wanted-reached)
	}
	return out, nil
}

func ovnTheirs(ctx context.Context, c *clients) (readings, error) {
	var global, chassis, private ovsdbTable
	for _, question := range []struct {
		answer         *ovsdbTable
		columns, table string
	}{
		{&global, "nb_cfg", "SB_Global"},
		{&chassis, "name,hostname", "Chassis"},
		{&private, "name,nb_cfg", "Chassis_Private"},
	} {
		if err := c.ovnSouthbound(ctx, question.answer, "--columns="+question.columns, "list", question.table); err != nil {
			return nil, err
		}
	}
	return ovnReadings(global, chassis, private)
}
