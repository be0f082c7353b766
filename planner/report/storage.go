package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
)

// WriteStorageTable writes tiers and what dies worst in each for a terminal.
func WriteStorageTable(w io.Writer, tiers []Tier) error {
	t := style("Storage, in bytes after copies but for raw")
	t.AppendHeader(table.Row{"tier", "OSDs", "raw", "copies", "stored", "nearfull line", "limit", "because of", "provisioned", "of the limit", "snapshots", "balance", "balancing gains"})
	right(t, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13)
	l := style("When a failure domain dies now")
	l.AppendHeader(table.Row{"tier", "loses", "raw", "copies left", "can keep", "to spare", "that is reached (P50)", "P10"})
	right(l, 3, 4, 5, 6)
	for _, tier := range tiers {
		stored := bytes(tier.StoredBytes)
		if !tier.Known {
			stored = "unknown"
		}
		t.AppendRow(table.Row{tier.Tier, tier.OSDs, bytes(tier.RawBytes), significant(tier.Copies), stored, bytes(tier.LineBytes), bytes(tier.LimitBytes), tier.LimitReason,
			bytes(tier.ProvisionedBytes), Percent(tier.OverSubscription), bytes(tier.SnapshotBytes), Percent(tier.Balance), bytes(tier.BalanceGainBytes)})
		for i, loss := range tier.Outlook.Losses {
			name := tier.Tier
			if i > 0 {
				name = ""
			}
			spare := "unknown"
			if tier.Known {
				spare = bytes(loss.SpareBytes)
			}
			l.AppendRow(table.Row{name, loss.Type + " " + loss.Name, bytes(loss.RawBytes), loss.Copies, bytes(loss.SurvivableBytes), spare,
				reached(loss.Crossing, loss.Crossing.P50), reached(loss.Crossing, loss.Crossing.P10)})
		}
	}
	if len(tiers) == 0 {
		t.AppendRow(table.Row{"no tier is configured"})
	}
	var b strings.Builder
	fmt.Fprintln(&b, t.Render())
	if l.Length() > 0 {
		fmt.Fprintln(&b, l.Render())
	}
	_, err := io.WriteString(w, b.String())
	return err
}
