package dashboards

//lint:file-ignore SA1019 the classic schema is what every Grafana reads; dashboardv2 needs one from 12.

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
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
		lint(t, d)
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
				whole(t, *p.Panel)
				for n, target := range p.Panel.Targets {
					if q, ok := target.(prometheus.Dataquery); !ok || q.RefId == nil || *q.RefId != string(rune('A'+n)) {
						t.Errorf("%s, %s: query %d has no letter of its own", *d.Title, *p.Panel.Title, n)
					}
				}
			}
			if p.RowPanel != nil {
				for _, inner := range p.RowPanel.Panels {
					whole(t, inner)
				}
			}
		}
	}
}

func whole(t *testing.T, p dashboard.Panel) {
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
	case p.FieldConfig.Defaults.Thresholds == nil || len(p.FieldConfig.Defaults.Thresholds.Steps) == 0:
		t.Errorf("%s: no thresholds", title)
	case p.Datasource == nil || p.Datasource.Uid == nil || !strings.HasPrefix(*p.Datasource.Uid, "${"):
		t.Errorf("%s: its data source is not the dashboard's variable", title)
	case len(p.Targets) == 0:
		t.Errorf("%s: no query", title)
	}
}

// lint asks of a dashboard what Grafana's own linter asks, and that it leads on.
func lint(t *testing.T, d dashboard.Dashboard) {
	t.Helper()
	names := map[string]bool{}
	for _, v := range d.Templating.List {
		names[v.Name] = true
		if v.Type == dashboard.VariableTypeQuery && (v.Refresh == nil || *v.Refresh != dashboard.VariableRefreshOnTimeRangeChanged) {
			t.Errorf("%s: variable %s does not follow the time range", *d.Title, v.Name)
		}
		if v.Label == nil || *v.Label == "" {
			t.Errorf("%s: variable %s has no label", *d.Title, v.Name)
		}
	}
	if !names["datasource"] {
		t.Errorf("%s: its data source is no variable", *d.Title)
	}
	if len(d.Links) == 0 || d.Links[0].Type != dashboard.DashboardLinkTypeDashboards || !d.Links[0].IncludeVars || !d.Links[0].KeepTime {
		t.Errorf("%s: no links to the others that keep variables and time", *d.Title)
	}
	if len(d.Annotations.List) == 0 {
		t.Errorf("%s: no annotations", *d.Title)
	}
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`\$([a-z]\w*)`).FindAllStringSubmatch(string(text), -1) {
		if !names[m[1]] {
			t.Errorf("%s uses $%s, which is none of its variables", *d.Title, m[1])
		}
	}
	if raw := regexp.MustCompile(`\b(i?rate)\([^()]*\[(?:[^$])`).FindString(string(text)); raw != "" {
		t.Errorf("%s: a rate over a fixed interval: %s", *d.Title, raw)
	}
}

// TestOverviewIsOneScreen: a display of 1080 lines has room for 24 units of Grafana's grid
// below its bars (30 pixels each, and 8 between them).
func TestOverviewIsOneScreen(t *testing.T) {
	d, err := overview().Build()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range d.Panels {
		if p.Panel == nil {
			continue
		}
		if at := p.Panel.GridPos; at.Y+at.H > 24 || at.X+at.W > 24 {
			t.Errorf("%s is at %+v", *p.Panel.Title, *at)
		}
	}
}

// TestLinksLeadSomewhere: those of panels name a dashboard and a variable that it has.
func TestLinksLeadSomewhere(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	variables := map[string]bool{}
	for _, d := range all {
		for _, v := range d.Templating.List {
			variables[*d.Uid+" "+v.Name] = true
		}
	}
	links := 0
	for _, d := range all {
		for _, p := range d.Panels {
			if p.Panel == nil || p.Panel.FieldConfig == nil {
				continue
			}
			for _, l := range p.Panel.FieldConfig.Defaults.Links {
				text, err := json.Marshal(l)
				if err != nil {
					t.Fatal(err)
				}
				m := regexp.MustCompile(`/d/([\w-]+)\?\$\{datasource:queryparam\}[^"<]*__url_time_range`).FindSubmatch(text)
				if m == nil || !variables[string(m[1])+" datasource"] {
					t.Errorf("%s, %s: a link that leads nowhere: %s", *d.Title, *p.Panel.Title, text)
					continue
				}
				links++
				chosen := regexp.MustCompile(`var-(\w+)=`).FindSubmatch(text)
				if chosen == nil {
					continue
				}
				if name := string(chosen[1]); !variables[string(m[1])+" "+name] || strings.Contains(string(text), "${"+name+":") {
					t.Errorf("%s, %s: a link that sets a variable that is not there, or twice: %s", *d.Title, *p.Panel.Title, text)
				}
			}
		}
	}
	if links < 8 {
		t.Errorf("%d links from panels", links)
	}
}

// schemas lies beside the project where it is developed (its README says where it is from).
const schemas = "../../shared/data/grafana-jsonschema"

// TestFilesKeepGrafanasSchema holds each file to the schema that Grafana publishes, the
// panels' options to their own.
func TestFilesKeepGrafanasSchema(t *testing.T) {
	if _, err := os.Stat(schemas + "/dashboard.jsonschema.json"); err != nil {
		t.Skipf("Grafana's schema is not beside the project: %v", err)
	}
	compiler := jsonschema.NewCompiler()
	compiled := map[string]*jsonschema.Schema{}
	schema := func(file, at string) *jsonschema.Schema {
		t.Helper()
		if compiled[file+at] == nil {
			s, err := compiler.Compile(schemas + "/" + file + ".jsonschema.json" + at)
			if err != nil {
				t.Fatal(err)
			}
			compiled[file+at] = s
		}
		return compiled[file+at]
	}
	files, err := Files()
	if err != nil {
		t.Fatal(err)
	}
	options := 0
	for name, text := range files {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema("dashboard", "").Validate(value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, p := range value.(map[string]any)["panels"].([]any) {
			panel := p.(map[string]any)
			if panel["options"] == nil {
				continue
			}
			options++
			if err := schema(strings.ReplaceAll(panel["type"].(string), "-", ""), "#/definitions/Options").Validate(panel["options"]); err != nil {
				t.Errorf("%s, %v: %v", name, panel["title"], err)
			}
		}
	}
	if options < 100 {
		t.Errorf("options of %d panels", options)
	}
}

// TestGrafanaProvisioning: what a Grafana is given names the folder and the kind of source.
func TestGrafanaProvisioning(t *testing.T) {
	var folders struct {
		Providers []struct {
			Type    string
			Options struct{ Path string }
		}
	}
	var sources struct {
		Datasources []struct{ Name, Type, UID, URL string }
	}
	for name, into := range map[string]any{"dashboards/mcloud.yaml": &folders, "datasources/mcloud.yaml": &sources} {
		text, err := os.ReadFile("grafana/provisioning/" + name)
		if err == nil {
			err = yaml.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(folders.Providers) != 1 || folders.Providers[0].Type != "file" || folders.Providers[0].Options.Path == "" {
		t.Errorf("dashboards: %+v", folders)
	}
	if len(sources.Datasources) == 0 || sources.Datasources[0].Type != "prometheus" || sources.Datasources[0].URL == "" {
		t.Errorf("data sources: %+v", sources)
	}
}

// TestListOfPanelsWithoutData: one that was renamed would be waited for.
func TestListOfPanelsWithoutData(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, d := range all {
		queries, err := Queries(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range queries {
			there[q.Dashboard+"/"+q.Panel] = true
		}
	}
	for _, w := range withoutData {
		if !there[w.dashboard+"/"+w.panel] || w.why == "" {
			t.Errorf("%s has no panel %s", w.dashboard, w.panel)
		}
	}
}
