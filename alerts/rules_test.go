package alerts

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/rules"
	"go.yaml.in/yaml/v3"

	"mcloud/dashboards"
)

var update = flag.Bool("update", false, "write the labels and annotations of what fires into tests/, where something is expected to")

// systems are the values of the label system, which routes and dashboards go by.
var systems = []string{"control-plane", "compute", "storage", "network", "services", "capacity", "chargeback", "mcloud"}

// TestRulesAreComplete asks of each alert what the person woken by it will ask.
func TestRulesAreComplete(t *testing.T) {
	all, err := dashboards.All()
	if err != nil {
		t.Fatal(err)
	}
	uids := map[string]bool{}
	for _, d := range all {
		uids[*d.Uid] = true
	}
	names, used := map[string]string{}, map[string]bool{}
	for file, groups := range ruleFiles(t) {
		for _, g := range groups {
			for _, r := range g.Rules {
				if r.Alert == "" {
					continue
				}
				if former, twice := names[r.Alert]; twice {
					t.Errorf("%s is in %s and in %s", r.Alert, former, file)
				}
				names[r.Alert] = file
				used[filepath.Base(r.Annotations["runbook"])] = true
				complete(t, r, uids)
			}
		}
	}
	if len(names) < 100 {
		t.Errorf("%d alerts", len(names))
	}
	pages, err := filepath.Glob("runbooks/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		if !used[filepath.Base(p)] {
			t.Errorf("%s is no alert's", p)
		}
	}
}

// anObject is a label or a value in a text.
var anObject = regexp.MustCompile(`\{\{[^}]*(\$labels\.|\$value)`)

func complete(t *testing.T, r rulefmt.Rule, dashboards map[string]bool) {
	t.Helper()
	severity := r.Labels["severity"]
	if severity != "page" && severity != "ticket" && severity != "info" {
		t.Errorf("%s: severity %q, want page, ticket or info", r.Alert, severity)
	}
	if !slices.Contains(systems, r.Labels["system"]) {
		t.Errorf("%s: system %q, want one of %s", r.Alert, r.Labels["system"], systems)
	}
	for _, a := range []string{"summary", "description", "runbook", "dashboard"} {
		if r.Annotations[a] == "" {
			t.Errorf("%s has no %s", r.Alert, a)
		}
	}
	switch text, err := os.ReadFile(r.Annotations["runbook"]); {
	case err != nil:
		t.Errorf("%s: runbook: %v", r.Alert, err)
	case !regexp.MustCompile(`(?m)^(# .*|.*\*\*)\b` + r.Alert + `\b`).Match(text):
		t.Errorf("%s: its runbook %s does not speak of it", r.Alert, r.Annotations["runbook"])
	}
	if !dashboards[r.Annotations["dashboard"]] {
		t.Errorf("%s: there is no dashboard %q", r.Alert, r.Annotations["dashboard"])
	}
	if severity == "page" && !strings.Contains(r.Annotations["description"], "First: ") {
		t.Errorf("%s pages and does not say what to do first", r.Alert)
	}
	// What is absent has no name, and one collector is one collector.
	if !strings.Contains(r.Expr, "absent(") && r.Labels["system"] != "mcloud" && r.Labels["system"] != "chargeback" && !anObject.MatchString(r.Annotations["summary"]) {
		t.Errorf("%s: its summary names no object: %s", r.Alert, r.Annotations["summary"])
	}
}

// TestRulesAreTested wants cases of each alert in which it fires, does not yet, and has
// ended. Those that never end or cannot be quiet are named.
func TestRulesAreTested(t *testing.T) {
	type seen struct{ fires, before, after bool }
	tested := map[string]*seen{}
	for _, f := range testFiles(t) {
		for _, s := range f.Tests {
			fired := map[string]bool{}
			for _, e := range slices.SortedFunc(slices.Values(s.Alerts), func(a, b expectation) int { return int(a.EvalTime - b.EvalTime) }) {
				if tested[e.Alertname] == nil {
					tested[e.Alertname] = &seen{}
				}
				of := tested[e.Alertname]
				switch {
				case len(e.ExpAlerts) > 0:
					of.fires, fired[e.Alertname] = true, true
				case fired[e.Alertname]:
					of.after = true
				default:
					of.before = true
				}
			}
		}
	}
	always := map[string]bool{"DeadMansSwitch": true}
	for file, groups := range ruleFiles(t) {
		for _, g := range groups {
			for _, r := range g.Rules {
				switch of := tested[r.Alert]; {
				case r.Alert == "":
				case of == nil:
					t.Errorf("%s: %s has no test", file, r.Alert)
				case !of.fires, !always[r.Alert] && (!of.before || !of.after):
					t.Errorf("%s: tests of %s: fires %v, does not yet %v, has ended %v", file, r.Alert, of.fires, of.before, of.after)
				}
			}
		}
	}
}

// TestRulesFire runs the cases of tests/ in this process; promtool runs them, too
// (make check-alerts).
func TestRulesFire(t *testing.T) {
	files := ruleFiles(t)
	for name, f := range testFiles(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i, s := range f.Tests {
				if len(s.Alerts) == 0 {
					continue
				}
				var what []rules.Rule
				for _, path := range f.RuleFiles {
					for _, g := range files[filepath.Base(path)] {
						for _, r := range g.Rules {
							what = append(what, built(t, r, parsed(t, r), time.Duration(r.For)))
						}
					}
				}
				fired := play(t, s, time.Duration(f.EvaluationInterval), what)
				if *update {
					fill(t, &f.Tests[i], fired)
				} else if d := differs(s, fired, ""); d != "" {
					t.Error(d)
				}
			}
			if *update {
				rewrite(t, name, f)
			}
		})
	}
}

// fill puts what fires where something was expected to.
func fill(t *testing.T, s *scenario, fired map[model.Duration]map[string][]firing) {
	t.Helper()
	for i, e := range s.Alerts {
		got := fired[e.EvalTime][e.Alertname]
		if (len(got) == 0) != (len(e.ExpAlerts) == 0) {
			t.Errorf("%s, %s at %s: fires %v, expected %v", s.Name, e.Alertname, e.EvalTime, got, e.ExpAlerts)
			continue
		}
		s.Alerts[i].ExpAlerts = got
	}
}

// rewrite writes the expectations of f into the file and leaves the rest of it.
func rewrite(t *testing.T, name string, f testFile) {
	t.Helper()
	path := filepath.Join("tests", name)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		t.Fatal(err)
	}
	for i, s := range child(document.Content[0], "tests").Content {
		expected := child(s, "alert_rule_test")
		if expected == nil {
			continue
		}
		for j, e := range expected.Content {
			if len(f.Tests[i].Alerts[j].ExpAlerts) == 0 {
				continue
			}
			if err := child(e, "exp_alerts").Encode(f.Tests[i].Alerts[j].ExpAlerts); err != nil {
				t.Fatal(err)
			}
			e.Style = 0
		}
	}
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	encoder := yaml.NewEncoder(out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&document); err != nil {
		t.Fatal(err)
	}
}

func child(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}
