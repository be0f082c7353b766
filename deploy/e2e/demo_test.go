//go:build lab

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"mcloud/dashboards"
)

// unknown is a row of what could not be said: of what runs out, not of what is unused, where
// nobody measures servers in the demo.
var unknown = regexp.MustCompile(`(?m)^\s*│ unknown `)

var date = regexp.MustCompile(`20\d\d-\d\d-\d\d`)

// TestDemo is the front door: one command, a minute (two where the lab runs beside it), a report
// with dates.
func TestDemo(t *testing.T) {
	p := newProduct(t, "")
	began := time.Now()
	p.start(t, "run", "--demo")
	p.waitForQuery(t, `count(up==1)`, time.Minute)
	tiers := []string{"NVMe", "10k SAS", "7.5k SAS", "three-DC NVMe"}
	zones := []string{"az-a", "az-b", "az-c"}
	waitFor(t, "the report has all tiers and zones", 2*time.Minute-time.Since(began), func() (bool, string) {
		out, errs, err := p.plan(t, "report")
		if err != nil {
			return false, errs
		}
		for _, s := range append(append([]string{}, tiers...), zones...) {
			if !strings.Contains(out, s) {
				return false, "no " + s + " in\n" + out
			}
		}
		return !unknown.MatchString(out) && !strings.Contains(out, "Missing from this report") && len(date.FindAllString(out, -1)) >= 12, out
	})
	t.Logf("%s", p.mustPlan(t, "report"))
	if out := p.mustPlan(t, "headroom"); !strings.Contains(out, "az-a") {
		t.Errorf("headroom without a zone:\n%s", out)
	}
	if out := p.mustPlan(t, "report", "--format", "json"); !json.Valid([]byte(out)) {
		t.Errorf("the report's JSON is none: %.300s", out)
	}
	page := filepath.Join(t.TempDir(), "r.html")
	p.mustPlan(t, "report", "--format", "html", "--output-file", page)
	html, err := os.ReadFile(page)
	if err != nil || !strings.Contains(string(html), "<svg") || strings.Contains(string(html), "src=\"http") {
		t.Errorf("the page has no chart of its own (%d bytes): %v", len(html), err)
	}
	picture := filepath.Join(t.TempDir(), "r.png")
	out, err := exec.CommandContext(t.Context(), "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(), "--window-size=1280,2000", "--screenshot="+picture, "file://"+page).CombinedOutput()
	if info, statErr := os.Stat(picture); err != nil || statErr != nil || info.Size() < 20_000 {
		t.Errorf("chromium did not draw the page: %v %v\n%s", err, statErr, out)
	}
	p.waitForPanels(t, dashboards.Demo, 2*time.Minute)
	before, err := p.query(`count(count_over_time(ceph_pool_stored[180d]))`)
	if err != nil || len(before) == 0 {
		t.Fatalf("no history: %v %v", before, err)
	}
	if took := p.stop(t); took > 5*time.Second {
		t.Errorf("stopping took %s", took)
	}
	p.log = &lockedBuffer{}
	p.start(t, "run", "--demo")
	p.waitForQuery(t, `count_over_time(up{job="exporter"}[1h]) > 5`, time.Minute)
}
