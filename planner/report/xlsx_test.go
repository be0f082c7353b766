package report_test

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"mcloud/planner"
	"mcloud/planner/plannertest"
	"mcloud/planner/report"
)

func workbook(t *testing.T, d report.Document) *excelize.File {
	t.Helper()
	var b bytes.Buffer
	if err := report.WriteXLSX(&b, d); err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// sheetRows are the raw values of a sheet by heading, from the first row on.
func sheetRows(t *testing.T, f *excelize.File, name string) []map[string]string {
	t.Helper()
	rows, err := f.GetRows(name, excelize.Options{RawCellValue: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) < 3 {
		t.Fatalf("sheet %s has %d rows", name, len(rows))
	}
	var all []map[string]string
	for _, row := range rows[3:] {
		cells := map[string]string{}
		for i, v := range row {
			cells[rows[2][i]] = v
		}
		all = append(all, cells)
	}
	return all
}

func TestXLSX(t *testing.T) {
	d := document(t, nil)
	f := workbook(t, d)
	want := []string{"What to buy", "Purchase options", "Compute", "Storage", "Drivers", "Commitments", "Scenarios", "Reclaim first", "Forecast check", "Headroom", "Basis", "Series", "Missing"}
	if got := f.GetSheetList(); !slices.Equal(got, want) {
		t.Fatalf("sheets %q", got)
	}
	rows := sheetRows(t, f, "What to buy")
	if len(rows) != len(d.Answers) {
		t.Fatalf("%d rows, want %d", len(rows), len(d.Answers))
	}
	near := func(what, got string, want float64) {
		t.Helper()
		if v, err := strconv.ParseFloat(got, 64); err != nil || math.Abs(v-want) > 1e-9*math.Abs(want)+1e-6 {
			t.Errorf("%s is %q, want %g", what, got, want)
		}
	}
	for i, a := range d.Answers {
		row := rows[i]
		if row["what"] != a.Subject() || row["state"] != string(a.Urgency) {
			t.Errorf("row %d: %q", i, row)
		}
		near("used", row["used of the limit"], a.UsedRatio)
		if a.P50 == nil {
			if row["runs out (P50)"] != "" {
				t.Errorf("%s: %q where there is no date", a.Subject(), row["runs out (P50)"])
			}
			continue
		}
		// Excel counts days from 1899-12-30.
		near("P50 of "+a.Subject(), row["runs out (P50)"], a.P50.Sub(time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)).Hours()/24)
	}
	storage := sheetRows(t, f, "Storage")
	near("stored", storage[3]["stored"], d.Tiers[3].StoredBytes/(1<<40))
	near("limit", storage[3]["limit"], d.Tiers[3].LimitBytes/(1<<40))
	compute := sheetRows(t, f, "Compute")
	near("memory", compute[1]["allocated"], float64(d.Zones[0].Classes["MEMORY_MB"].Allocated)/1024)
	drivers := sheetRows(t, f, "Drivers")
	near("the whole", drivers[0]["P50"], d.Hierarchies[0].Members[0].P50[0])
	buy := sheetRows(t, f, "Purchase options")
	near("risk", buy[0]["in 4 weeks"], d.Tiers[0].Outlook.Risks[1].Probability)
	for sheet, n := range map[string]int{"Headroom": 12, "Basis": 10, "Purchase options": 10, "Reclaim first": 8 + 8} {
		if got := len(sheetRows(t, f, sheet)); got != n {
			t.Errorf("sheet %s has %d rows, want %d", sheet, got, n)
		}
	}
	style, err := f.GetCellStyle("What to buy", "D4")
	if err != nil {
		t.Fatal(err)
	}
	if s, err := f.GetStyle(style); err != nil || s.CustomNumFmt == nil || *s.CustomNumFmt != "yyyy-mm-dd" {
		t.Errorf("a date is shown as %+v, error %v", s, err)
	}
}

// TestXLSXUnknownIsEmpty: and a name that looks like a formula is text.
func TestXLSXUnknownIsEmpty(t *testing.T) {
	d := document(t, func(o *planner.Options) { o.History = &plannertest.History{Empty: true} })
	d.Tiers[0].Tier = `=1+1`
	f := workbook(t, d)
	row := sheetRows(t, f, "Storage")[0]
	if row["tier"] != "=1+1" || row["stored"] != "" || row["P50"] != "" || row["growth a day"] != "" {
		t.Errorf("%q", row)
	}
	if formula, err := f.GetCellFormula("Storage", "A4"); err != nil || formula != "" {
		t.Errorf("a name became the formula %q, error %v", formula, err)
	}
	if got := len(sheetRows(t, f, "Missing")); got == 0 {
		t.Error("what is missing is not said")
	}
	workbook(t, report.Document{})
}
