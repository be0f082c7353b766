package alerts

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"mcloud/alerts/alertstest"
)

// TestPromtool has Prometheus's own tool check the rules and run their cases: what the
// other tests do over plain slices has to be what Prometheus does. It is Debian's, years
// older than the collector's Prometheus, so that rules do for both.
func TestPromtool(t *testing.T) {
	if os.Getenv("CI") != "true" {
		t.Skip("it takes half a minute of processor; make check-alerts and CI run it")
	}
	promtool := alertstest.Debian(t, "promtool")
	for what, pattern := range map[string]string{"check": "rules/*.yml", "test": "tests/*_test.yml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no %s: %v", pattern, err)
		}
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			if out, err := exec.Command(promtool, append([]string{what, "rules"}, files...)...).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
