package ovn

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcloud/exporters/ovn/ovsdb"
)

// Whatever a row holds, its coming and going leaves nothing behind, and what the
// look makes of it can be shown.
func FuzzRows(f *testing.F) {
	files, err := filepath.Glob("testdata/25.03/*_*.json")
	if err != nil || len(files) == 0 {
		f.Fatal("no recorded tables", err)
	}
	for _, file := range files {
		name, ok := strings.CutPrefix(strings.TrimSuffix(filepath.Base(file), ".json"), "nb_")
		if !ok {
			name = strings.TrimPrefix(name, "sb_")
		}
		var tb struct {
			Headings []string
			Data     [][]json.RawMessage
		}
		b, err := os.ReadFile(file)
		if err != nil || json.Unmarshal(b, &tb) != nil || len(tb.Data) == 0 {
			continue // a schema
		}
		row := map[string]json.RawMessage{}
		for i, h := range tb.Headings {
			row[h] = tb.Data[0][i]
		}
		text, err := json.Marshal(row)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(name, text)
	}
	has := func(string, ...string) bool { return true }
	f.Fuzz(func(t *testing.T, table string, text []byte) {
		var row ovsdb.Row
		if json.Unmarshal(text, &row) != nil || row == nil {
			return
		}
		d := &deployment{cfg: Config{Cloud: "c", Now: func() time.Time { return now }}, period: time.Minute}
		const id = "8d573120-1b75-4708-b617-7278bb5c0770"
		north, south := newNorth(), newSouth(true)
		for _, fold := range []ovsdb.Fold{north, south} {
			if err := fold.Apply(table, id, nil, row); err != nil {
				t.Fatal(err)
			}
		}
		north.rows.add("NB_Global", 1-north.rows["NB_Global"])
		south.rows.add("SB_Global", 1-south.rows["SB_Global"])
		if north.global == nil {
			north.global = readGlobal(ovsdb.Row{})
		}
		if _, err := d.readNorth(t.Context(), ovsdb.State{Has: has}, north); err != nil {
			t.Error(err)
		}
		if snap, err := d.readSouth(t.Context(), ovsdb.State{Has: has}, south); err != nil {
			t.Error(err)
		} else {
			seen := map[string]bool{}
			for _, s := range snap.Samples {
				if key := fmt.Sprintf("%s%q", s.Family.Name, s.Labels); seen[key] {
					t.Errorf("twice: %s", key)
				} else {
					seen[key] = true
				}
			}
		}
		north.rows, south.rows = counts[string]{}, counts[string]{}
		north.rows.add(table, 1)
		south.rows.add(table, 1)
		for _, fold := range []ovsdb.Fold{north, south} {
			if err := fold.Apply(table, id, row, nil); err != nil {
				t.Fatal(err)
			}
		}
		left := len(north.rows) + len(north.ports) + len(north.disabled) + len(north.acls) + len(north.logged) + len(north.dns) + len(north.bfd) + len(north.projects) +
			len(north.onSwitch) + len(north.metadata) + len(north.onRouter) + len(north.inGroups) + len(north.nat) + len(north.switches) + len(north.routers) +
			len(south.rows) + len(south.portTypes) + len(south.bound) + len(south.missing) + len(south.onDatapath) + len(south.unbound) + len(south.astray) +
			len(south.checks) + len(south.flows) + len(south.flowsOfDP) + len(south.gateways) + len(south.ports) + len(south.chassis)
		if left > 0 {
			t.Errorf("a row of %s leaves %d counts behind", table, left)
		}
	})
}
