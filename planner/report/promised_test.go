package report_test

import (
	"context"
	"html"
	"strings"
	"testing"
	"time"

	"mcloud/planner"
	"mcloud/planner/scenario"
)

// promises are a commitment and a question.
type promises struct{ t *testing.T }

func (p promises) parse(action scenario.Action, text string) []scenario.Change {
	c, err := scenario.Parse(action, text)
	if err != nil {
		p.t.Fatal(err)
	}
	return []scenario.Change{c}
}

func (p promises) Commitments(context.Context, time.Time) ([]scenario.Commitment, error) {
	return []scenario.Commitment{{Name: "delivery-41", Note: "ordered in October", Changes: p.parse("add-host", "az=az-a,count=2,from=2026-12-15")}}, nil
}

func (p promises) Scenarios(context.Context, time.Time) ([]scenario.Scenario, error) {
	return []scenario.Scenario{{Name: "faster", Note: "half as much growth again", Changes: p.parse("growth", "tier=nvme,percent=50")}}, nil
}

// TestPromisesAndScenariosAreShown: on the page and in the workbook, with nothing on
// the page that the JSON does not have.
func TestPromisesAndScenariosAreShown(t *testing.T) {
	d := document(t, func(o *planner.Options) { o.Promises = promises{t} })
	if len(d.Commitments) != 1 || len(d.Scenarios) < 2 {
		t.Fatalf("%d commitments, %d scenarios", len(d.Commitments), len(d.Scenarios))
	}
	stored := d.Scenarios[len(d.Scenarios)-1] // after the usual ones
	page := html.UnescapeString(render(t, d))
	var result string
	for _, r := range stored.Rows {
		if r.Changed {
			result = r.Result
		}
	}
	for _, word := range []string{`href="#commitments"`, "delivery-41", "ordered in October", "add-host az=az-a,count=2,from=2026-12-15", `id="scenarios"`, "faster", "tier nvme", result, "if it dies now", "host nvme-1"} {
		if word == "" || !strings.Contains(page, word) {
			t.Errorf("the page lacks %q", word)
		}
	}
	f := workbook(t, d)
	if rows := sheetRows(t, f, "Commitments"); len(rows) != 1 || rows[0]["name"] != "delivery-41" {
		t.Errorf("commitments %q", rows)
	}
	changed := 0
	for _, row := range sheetRows(t, f, "Scenarios") {
		if row["changed"] == "yes" && row["scenario"] == "faster" {
			changed++
			if row["what"] != "tier nvme" || row["result"] != result || row["P50 now"] == "" || row["days"] == "" {
				t.Errorf("%q", row)
			}
		}
	}
	if changed != 1 {
		t.Errorf("%d rows change", changed)
	}
	if page := render(t, document(t, nil)); strings.Contains(page, `"#commitments"`) {
		t.Error("a section of nothing is linked to")
	}
}
