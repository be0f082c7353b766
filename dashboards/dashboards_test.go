package dashboards

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/prometheus/prometheus/promql/parser"
)

func TestFilesAreCurrent(t *testing.T) {
	files, err := Files()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("json", name))
		if err != nil || string(got) != string(want) {
			t.Errorf("json/%s is not what the code makes (%v): run go generate ./dashboards", name, err)
		}
	}
	there, _ := filepath.Glob("json/*.json")
	if len(there) != len(files) {
		t.Errorf("json/ holds %d files, the code makes %d", len(there), len(files))
	}
}

func TestPanelsAreComplete(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	uids := map[string]bool{}
	for _, d := range all {
		if d.Uid == nil || uids[*d.Uid] || d.Title == nil || d.Description == nil || *d.Description == "" {
			t.Fatalf("dashboard without unique uid, title and description: %v", d.Uid)
		}
		uids[*d.Uid] = true
		queries, err := Queries(d)
		if err != nil {
			t.Fatal(err)
		}
		if len(queries) < 10 {
			t.Errorf("%s has %d queries", *d.Title, len(queries))
		}
		for _, q := range queries {
			if _, err := parser.NewParser(parser.Options{}).ParseExpr(q.Expr); err != nil {
				t.Errorf("%s, %s: %v", q.Dashboard, q.Panel, err)
			}
		}
		ids := map[uint32]bool{}
		for _, p := range d.Panels {
			var id uint32
			switch {
			case p.RowPanel != nil:
				id = p.RowPanel.Id
			case p.Panel != nil && p.Panel.Id != nil:
				id = *p.Panel.Id
			}
			if id == 0 || ids[id] {
				t.Errorf("%s: a panel with id %d, which is no id or another's", *d.Title, id)
			}
			ids[id] = true
			if p.Panel != nil {
				complete(t, *p.Panel)
			}
			if p.RowPanel != nil {
				for _, inner := range p.RowPanel.Panels {
					complete(t, inner)
				}
			}
		}
	}
}

func complete(t *testing.T, p dashboard.Panel) {
	t.Helper()
	title := "a panel without title"
	if p.Title != nil {
		title = *p.Title
	}
	switch {
	case p.Title == nil || p.Description == nil || *p.Description == "":
		t.Errorf("%s: no title or description", title)
	case p.FieldConfig == nil || p.FieldConfig.Defaults.Unit == nil || *p.FieldConfig.Defaults.Unit == "":
		t.Errorf("%s: no unit", title)
	case p.Datasource == nil || p.Datasource.Uid == nil || !strings.HasPrefix(*p.Datasource.Uid, "${"):
		t.Errorf("%s: its data source is not the dashboard's variable", title)
	case len(p.Targets) == 0:
		t.Errorf("%s: no query", title)
	}
}
