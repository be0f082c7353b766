//go:build lab

package e2e

import (
	"context"
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

// chromium runs a headless one and returns all that it printed.
func chromium(t *testing.T, args ...string) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return exec.CommandContext(ctx, "chromium", append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir=" + t.TempDir()}, args...)...).CombinedOutput()
}

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
	out, err := chromium(t, "--window-size=1280,2000", "--screenshot="+picture, "file://"+page)
	if info, statErr := os.Stat(picture); err != nil || statErr != nil || info.Size() < 20_000 {
		t.Errorf("chromium did not draw the page: %v %v\n%s", err, statErr, out)
	}
	// On a telephone nothing is wider than the screen; tables scroll by themselves.
	phone := filepath.Join(filepath.Dir(page), "phone.html")
	if err := os.WriteFile(phone, []byte(`<iframe id="r" src="r.html" style="width:390px;height:800px"></iframe><p id="w"></p>
		<script>r.onload = () => { const d = r.contentDocument.documentElement; w.textContent = "too wide by " + (d.scrollWidth - d.clientWidth) }</script>`), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err = chromium(t, "--allow-file-access-from-files", "--virtual-time-budget=5000", "--dump-dom", "file://"+phone)
	if !strings.Contains(string(out), ">too wide by 0<") {
		t.Errorf("the page on 390 px: %v %s", err, out)
	}
	p.waitForPanels(t, dashboards.Demo, time.Minute)
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
