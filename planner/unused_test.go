package planner_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"strings"
	"testing"
	"time"

	"mcloud"
	"mcloud/planner"
	"mcloud/planner/chargeback"
	"mcloud/planner/plannertest"
	"mcloud/planner/reclaim"
	"mcloud/planner/report"
)

func priced(t *testing.T) planner.Options {
	t.Helper()
	card, err := chargeback.ReadRateCard(strings.NewReader(`
currency: EUR
rates:
  - {meter: server, sku: m1.large, price: "0.1000", per: hour}
  - {meter: server, sku: m1.small, price: "0.0250", per: hour}
`))
	if err != nil {
		t.Fatal(err)
	}
	o := plannertest.Options()
	o.Card = card
	return o
}

func TestReclaim(t *testing.T) {
	p := start(t, priced(t))
	d := latest(t, p)
	r, err := p.Reclaim(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"off", "idle", "big", "orphan", "old", "fip-1", "net-1", "r-1"} {
		c := r.Categories[i]
		if !c.Known || *c.Count != 1 || r.Findings[i].ID != want || r.Findings[i].ProjectName == "" {
			t.Errorf("%s: %+v, found %+v", c.Name, c, r.Findings[i])
		}
	}
	if c := r.Categories[1]; c.Undecided != 1 {
		t.Errorf("the server that nobody measures: %+v", c)
	}
	if r.PerMonth != "200.7500" || d.Reclaim == nil || d.Reclaim.PerMonth != r.PerMonth {
		t.Errorf("a month %s, in the report %+v", r.PerMonth, d.Reclaim)
	}
	var b bytes.Buffer
	if err := report.WriteReclaimTable(&b, r); err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"old-web", "acme", "200.75 EUR", "flavor m1.small would do", "the price list has no price of volume scratch", "servers idle: of 1 it cannot be told"} {
		if !strings.Contains(b.String(), word) {
			t.Errorf("the table lacks %q:\n%s", word, &b)
		}
	}
}

// TestReclaimUnknown: what is not measured, not read or not recorded is unknown, and
// the rest stands.
func TestReclaimUnknown(t *testing.T) {
	o := priced(t)
	o.History = &history{History: &plannertest.History{Unscraped: true}, about: "mcloud_source_last_success", answer: func(s []planner.Series, err error) ([]planner.Series, error) { return nil, nil }}
	o.Inventory = &without{Inventory: o.Inventory, kinds: map[mcloud.Kind]error{mcloud.KindVolumeSnapshot: nil, mcloud.KindFloatingIP: errors.New("timeout")}}
	d := latest(t, start(t, o))
	why := map[reclaim.Name]string{
		reclaim.ServersIdle: "no server's use is measured", reclaim.ServersOversized: "no server's use is measured", reclaim.SnapshotsOld: "source cinder_snapshots has not succeeded",
		reclaim.AddressesUnused: "timeout",
	}
	for _, c := range d.Reclaim.Categories {
		if c.Known != (why[c.Name] == "") || !strings.Contains(c.Why, why[c.Name]) {
			t.Errorf("%s: %+v", c.Name, c)
		}
	}
	var b bytes.Buffer
	if err := report.WriteReclaimCSV(&b, *d.Reclaim); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(rows) != 1+4+4 || !strings.Contains(rows[1][15], "unknown: no server's use is measured") {
		t.Errorf("error %v, rows %q", err, rows)
	}
}

// TestNoneIsNotUnknown: with a source that works, no snapshot is none.
func TestNoneIsNotUnknown(t *testing.T) {
	o := priced(t)
	o.Inventory = &without{Inventory: o.Inventory, kinds: map[mcloud.Kind]error{mcloud.KindVolumeSnapshot: nil}}
	if c := latest(t, start(t, o)).Reclaim.Categories[4]; c.Name != reclaim.SnapshotsOld || !c.Known || *c.Count != 0 {
		t.Errorf("%+v", c)
	}
}

// without is an inventory that lacks kinds, or fails to read them.
type without struct {
	planner.Inventory
	kinds map[mcloud.Kind]error
}

func (w *without) Versions(ctx context.Context, cloud string, kind mcloud.Kind, from, to time.Time) ([]mcloud.Version, error) {
	if err, ok := w.kinds[kind]; ok {
		return nil, err
	}
	return w.Inventory.Versions(ctx, cloud, kind, from, to)
}
