package main

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"mcloud/planner/chargeback"
)

func chargebackCommand(o *options) *cobra.Command {
	var project, from, to string
	var details bool
	c := &cobra.Command{
		Use:   "chargeback",
		Short: "Say what a project has used and what it costs",
		Long: `Write the bill of a project, or of all: server seconds per flavor and volume
GiB-seconds per type, to the second, priced with the rate card. Times are UTC;
from is inclusive, to exclusive.

A line marked "~" has a boundary that is known only from looks at the inventory.`,
		Example: `  mcloud-plan chargeback --project acme --from 2026-11-01 --to 2026-12-01
  mcloud-plan chargeback --project acme --from 2026-11 --details
  mcloud-plan chargeback --from 2026-11-01T00:00:00Z --to 2026-11-02T00:00:00Z --output csv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return question[chargeback.Bill]{
				path: "/api/v1/chargeback", query: map[string]string{"project": project, "from": from, "to": to},
				choices: []string{"table", "json", "csv"},
				formats: map[string]func(io.Writer, chargeback.Bill) error{
					"csv":   writeBillCSV,
					"table": func(w io.Writer, b chargeback.Bill) error { return writeBill(w, b, details) },
				},
			}.ask(cmd, o)
		},
	}
	c.Flags().StringVar(&project, "project", "", "name or id of a project (default: all)")
	c.Flags().StringVar(&from, "from", "", "begin, inclusive: 2026-11, 2026-11-01 or 2026-11-01T00:00:00Z")
	c.Flags().StringVar(&to, "to", "", "end, exclusive (default: now)")
	c.Flags().BoolVar(&details, "details", false, "every stretch of every resource")
	return c
}

func writeBill(w io.Writer, b chargeback.Bill, details bool) error {
	fmt.Fprintf(w, "Usage from %s to %s (UTC, end exclusive)\n\n", b.From.Format(time.RFC3339), b.To.Format(time.RFC3339))
	unit := map[chargeback.Meter]string{chargeback.MeterServer: "server seconds", chargeback.MeterVolume: "GiB seconds"}
	if details {
		t := newTable(w, "lines")
		t.AppendHeader(table.Row{"project", "meter", "resource", "name", "of", "from", "to", "seconds", "quantity", "price", "cost"})
		for _, l := range b.Lines {
			mark, price := "", "no price"
			if l.Estimated {
				mark = " ~"
			}
			if l.Price != "" {
				price = l.Price + " per " + string(l.Per)
			}
			t.AppendRow(table.Row{cmp.Or(b.Projects[l.Project], l.Project), l.Meter, l.Resource, l.Name, l.SKU, l.From.Format(time.RFC3339), l.To.Format(time.RFC3339) + mark, l.Seconds, l.Quantity, price, l.Cost})
		}
		t.Render()
	}
	t := newTable(w, "by project, meter and flavor or volume type")
	t.AppendHeader(table.Row{"project", "meter", "of", "used", "", "cost, " + b.Currency})
	for _, s := range b.Sums {
		t.AppendRow(table.Row{cmp.Or(b.Projects[s.Project], s.Project), s.Meter, s.SKU, s.UnitSeconds, unit[s.Meter], s.Cost})
	}
	t.AppendFooter(table.Row{"total", "", "", "", "", b.Total})
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 4, Align: text.AlignRight}, {Number: 6, Align: text.AlignRight, AlignFooter: text.AlignRight}})
	t.Render()
	if len(b.Unpriced) > 0 {
		fmt.Fprintf(w, "\nWithout a price, and so not in the total: %s. Add them to the rate card.\n", strings.Join(b.Unpriced, ", "))
	}
	for _, u := range b.Unread {
		fmt.Fprintf(w, "\nNot in this bill, because it cannot be read: %s\n", u)
	}
	if b.Estimated > 0 {
		fmt.Fprintf(w, "\n%d lines have an estimated boundary (--details marks them).\n", b.Estimated)
	}
	return nil
}

func writeBillCSV(w io.Writer, b chargeback.Bill) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"project", "meter", "resource", "name", "sku", "from", "to", "seconds", "quantity", "unit_seconds", "price", "per", "cost", "currency", "estimated", "evidence"}); err != nil {
		return err
	}
	for _, l := range b.Lines {
		err := out.Write([]string{l.Project, string(l.Meter), l.Resource, l.Name, l.SKU, l.From.Format(time.RFC3339), l.To.Format(time.RFC3339), strconv.FormatInt(l.Seconds, 10), strconv.FormatInt(l.Quantity, 10),
			strconv.FormatInt(l.UnitSeconds, 10), l.Price, string(l.Per), l.Cost, b.Currency, strconv.FormatBool(l.Estimated), strings.Join(l.Evidence, " ")})
		if err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
