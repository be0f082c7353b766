package alerts

import (
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// TestRulesAreComplete reads every rule as Prometheus does and asks of each
// alert what the person woken by it will ask.
func TestRulesAreComplete(t *testing.T) {
	names := map[string]string{}
	err := fs.WalkDir(Rules, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(Rules, path)
		if err != nil {
			return err
		}
		groups, errs := rulefmt.Parse(content, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
		for _, err := range errs {
			t.Errorf("%s: %v", path, err)
		}
		if groups == nil {
			return nil
		}
		tests, err := os.ReadFile(filepath.Join("tests", strings.TrimSuffix(filepath.Base(path), ".yml")+"_test.yml"))
		if err != nil {
			t.Errorf("%s has no tests: %v", path, err)
		}
		for _, g := range groups.Groups {
			for _, r := range g.Rules {
				if r.Alert == "" {
					continue
				}
				if former, twice := names[r.Alert]; twice {
					t.Errorf("%s is in %s and in %s", r.Alert, former, path)
				}
				names[r.Alert] = path
				if s := r.Labels["severity"]; s != "page" && s != "ticket" && s != "info" {
					t.Errorf("%s: severity %q, want page, ticket or info", r.Alert, s)
				}
				for _, a := range []string{"summary", "description", "runbook", "dashboard"} {
					if r.Annotations[a] == "" {
						t.Errorf("%s has no %s", r.Alert, a)
					}
				}
				if _, err := os.Stat(r.Annotations["runbook"]); err != nil {
					t.Errorf("%s: runbook: %v", r.Alert, err)
				}
				// one case that fires and one that does not
				fires := strings.Count(string(tests), "alertname: "+r.Alert+"\n        exp_alerts:\n")
				silent := strings.Count(string(tests), "alertname: "+r.Alert+", exp_alerts: []")
				if fires == 0 || silent == 0 {
					t.Errorf("%s has %d tests that fire and %d that do not", r.Alert, fires, silent)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(names) < 4 {
		t.Errorf("%d alerts, want one for each system at least", len(names))
	}
}

// TestRulesFire runs the cases in tests/ with Prometheus's own promtool.
func TestRulesFire(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("promtool is not installed; Debian's package prometheus has it")
		}
		t.Skip("promtool is not installed; Debian's package prometheus has it")
	}
	files, err := filepath.Glob("tests/*_test.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no rule tests: %v", err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			if out, err := exec.Command(promtool, "test", "rules", f).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
