package alerts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"mcloud/deploy/freeport"
)

// debian is a program of Debian's packages prometheus and prometheus-alertmanager.
func debian(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed; Debian's packages prometheus and prometheus-alertmanager have it", name)
		}
		t.Skipf("%s is not installed; Debian's packages prometheus and prometheus-alertmanager have it", name)
	}
	return path
}

func TestAlertmanagerAcceptsTheExample(t *testing.T) {
	if out, err := exec.Command(debian(t, "amtool"), "check-config", "alertmanager.yml").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestInhibitionsNameAlerts: one of a misspelt name holds nothing back, silently.
func TestInhibitionsNameAlerts(t *testing.T) {
	text, err := os.ReadFile("alertmanager.yml")
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Rules []struct {
			Source []string `yaml:"source_matchers"`
			Target []string `yaml:"target_matchers"`
			Equal  []string `yaml:"equal"`
		} `yaml:"inhibit_rules"`
	}
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	has := firingLabels(t)
	for _, r := range c.Rules {
		for _, matchers := range [][]string{r.Source, r.Target} {
			for _, m := range matchers {
				name, value, _ := strings.Cut(m, "=")
				if strings.TrimSpace(name) != "alertname" || strings.ContainsAny(value, ".*()") {
					continue
				}
				for _, alert := range strings.Split(strings.Trim(value, `~ "`), "|") {
					of, ok := has[alert]
					if !ok {
						t.Errorf("inhibit_rules name an alert %q that there is not", alert)
					}
					for _, l := range r.Equal {
						// A source without the label would hold back all that have none either.
						if _, ok := of[l]; !ok && slices.Contains(r.Source, m) {
							t.Errorf("%s has no label %q, by which it is to hold others back", alert, l)
						}
					}
				}
			}
		}
	}
}

// firingLabels are the labels that alerts fire with, by the cases in tests/.
func firingLabels(t *testing.T) map[string]map[string]string {
	t.Helper()
	all := map[string]map[string]string{}
	for _, f := range testFiles(t) {
		for _, s := range f.Tests {
			for _, e := range s.Alerts {
				for _, fired := range e.ExpAlerts {
					if all[e.Alertname] == nil {
						all[e.Alertname] = map[string]string{"alertname": e.Alertname}
					}
					maps.Copy(all[e.Alertname], fired.Labels)
				}
			}
		}
	}
	return all
}

// alertmanager is a real one with the example's routes and inhibitions, whose receivers
// are one webhook.
type alertmanager struct {
	url string

	mu    sync.Mutex
	pages []string // "receiver alertname status", one for each notification's alert
}

func startAlertmanager(t *testing.T) *alertmanager {
	t.Helper()
	program := debian(t, "prometheus-alertmanager")
	a := &alertmanager{}
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var page struct {
			Alerts []struct {
				Status string            `json:"status"`
				Labels map[string]string `json:"labels"`
			} `json:"alerts"`
		}
		if err := json.NewDecoder(r.Body).Decode(&page); err != nil {
			t.Errorf("a page that is no JSON: %v", err)
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, alert := range page.Alerts {
			a.pages = append(a.pages, strings.TrimPrefix(r.URL.Path, "/")+" "+alert.Labels["alertname"]+" "+alert.Status)
		}
	}))
	t.Cleanup(hook.Close)
	text, err := os.ReadFile("alertmanager.yml")
	if err != nil {
		t.Fatal(err)
	}
	// At once, and at any hour.
	text = bytes.ReplaceAll(text, []byte("group_wait: 30s"), []byte("group_wait: 1s"))
	text = bytes.ReplaceAll(text, []byte("active_time_intervals: [working-hours]"), nil)
	var c map[string]any
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	delete(c, "templates")
	delete(c, "global")
	var receivers []any
	for _, r := range c["receivers"].([]any) {
		name := r.(map[string]any)["name"].(string)
		receivers = append(receivers, map[string]any{"name": name, "webhook_configs": []any{map[string]any{"url": hook.URL + "/" + name, "send_resolved": true}}})
	}
	c["receivers"] = receivers
	if text, err = yaml.Marshal(c); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/alertmanager.yml", text, 0o600); err != nil {
		t.Fatal(err)
	}
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	command := exec.Command(program, "--config.file="+dir+"/alertmanager.yml", "--storage.path="+dir, "--web.listen-address="+address, "--cluster.listen-address=", "--log.level=warn")
	command.Stdout, command.Stderr = &log, &log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if t.Failed() {
			t.Logf("Alertmanager's log:\n%s", log.String())
		}
	})
	a.url = "http://" + address
	within(t, "Alertmanager is ready", func() string {
		response, err := http.Get(a.url + "/-/ready")
		if err != nil {
			return err.Error()
		}
		response.Body.Close()
		return map[bool]string{false: response.Status}[response.StatusCode == http.StatusOK]
	})
	return a
}

// within polls until ok says nothing is missing.
func within(t *testing.T, what string, missing func() string) {
	t.Helper()
	var last string
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if last = missing(); last == "" {
			return
		}
	}
	t.Fatalf("%s: not within 30 s: %s", what, last)
}

// post sends alerts that fire, or that have ended.
func (a *alertmanager) post(t *testing.T, ended bool, labels ...map[string]string) {
	t.Helper()
	var alerts []map[string]any
	for _, l := range labels {
		starts, ends := time.Now(), time.Now().Add(time.Hour)
		if ended {
			starts, ends = starts.Add(-time.Second), starts
		}
		alerts = append(alerts, map[string]any{"labels": l, "startsAt": starts, "endsAt": ends})
	}
	body, err := json.Marshal(alerts)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Post(a.url+"/api/v2/alerts", "application/json", bytes.NewReader(body))
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("post: %v %v", err, response)
	}
	response.Body.Close()
}

// heldBack are the names of the alerts that are inhibited now.
func (a *alertmanager) heldBack() (held, active []string, err error) {
	response, err := http.Get(a.url + "/api/v2/alerts")
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	var all []struct {
		Labels map[string]string `json:"labels"`
		Status struct {
			State       string   `json:"state"`
			InhibitedBy []string `json:"inhibitedBy"`
		} `json:"status"`
	}
	if err := json.NewDecoder(response.Body).Decode(&all); err != nil {
		return nil, nil, err
	}
	for _, x := range all {
		switch {
		case len(x.Status.InhibitedBy) > 0:
			held = append(held, x.Labels["alertname"])
		case x.Status.State == "active":
			active = append(active, x.Labels["alertname"])
		}
	}
	slices.Sort(held)
	slices.Sort(active)
	return held, active, nil
}

// TestOneCauseOnePage sends real Alertmanager what follows from one lost thing, and wants
// one page and its end.
func TestOneCauseOnePage(t *testing.T) {
	a := startAlertmanager(t)
	has := firingLabels(t)
	// of is an alert as its rule makes it, with other objects.
	of := func(name string, pairs ...string) map[string]string {
		l := maps.Clone(has[name])
		for i := 0; i+1 < len(pairs); i += 2 {
			if _, ok := l[pairs[i]]; !ok && pairs[i] != "datacenter" {
				t.Errorf("%s has no label %s", name, pairs[i])
			}
			l[pairs[i]] = pairs[i+1]
		}
		return l
	}
	var osds, hosts []map[string]string
	for i := range 6 {
		host := fmt.Sprintf("g%d", i/3)
		osds = append(osds, of("CephOSDDown", "cluster", "geo", "ceph_daemon", fmt.Sprintf("osd.%d", i), "hostname", host, "datacenter", "dc1"))
	}
	for i := range 2 {
		hosts = append(hosts, of("CephOSDHostDown", "cluster", "geo", "hostname", fmt.Sprintf("g%d", i), "datacenter", "dc1"))
	}
	var computes []map[string]string
	for i := range 40 {
		computes = append(computes, of("ComputeHostDown", "cloud", "lab", "zone", "az-a", "host", fmt.Sprintf("cmp-a%d", i)))
	}
	for _, c := range []struct {
		lost    string
		page    map[string]string
		follows []map[string]string
		to      string
	}{
		{"a datacentre", of("CephDatacenterDown", "cluster", "geo", "datacenter", "dc1"), slices.Concat(osds, hosts, []map[string]string{
			of("CephPGsUnclean", "cluster", "geo"), of("CephSlowOps", "cluster", "geo"), of("CephHealthWarning", "cluster", "geo"), of("CephMonDownQuorumAtRisk", "cluster", "geo"), of("CephOSDDownHigh", "cluster", "geo"),
		}), "on-call-storage"},
		{"an OSD host", of("CephOSDHostDown", "cluster", "fast", "hostname", "stor-1"), []map[string]string{
			of("CephOSDDown", "cluster", "fast", "hostname", "stor-1", "ceph_daemon", "osd.1"), of("CephOSDDown", "cluster", "fast", "hostname", "stor-1", "ceph_daemon", "osd.2"), of("CephDaemonFrozen", "cluster", "fast"),
		}, "on-call-storage"},
		{"a compute host", of("ComputeHostDown", "cloud", "one", "zone", "az-b", "host", "cmp-b1"), []map[string]string{
			of("ChassisLagging", "cloud", "one", "host", "cmp-b1"), of("SwitchDown", "cloud", "one", "host", "cmp-b1"), of("HostTunnelsDown", "cloud", "one", "host", "cmp-b1"), of("PortsMissing", "cloud", "one", "host", "cmp-b1"),
		}, "on-call"},
		{"a zone", of("AvailabilityZoneDown", "cloud", "lab", "zone", "az-a"), computes, "on-call"},
		{"the message queue", of("ControlPlaneSilent", "cloud", "mq"), []map[string]string{
			of("ComputeHostDown", "cloud", "mq"), of("NovaServiceGone", "cloud", "mq"), of("CinderBackendDown", "cloud", "mq"), of("NeutronAgentsGone", "cloud", "mq"), of("HeatEnginesGone", "cloud", "mq"),
		}, "on-call"},
		{"the exporter", of("TargetDown", "job", "exporter"), []map[string]string{of("APIsUnknown"), of("ComputeServicesUnknown"), of("CephClustersUnknown"), of("ChassisUnknown"), of("ExporterUnknown")}, "on-call"},
	} {
		if !t.Run(c.lost, func(t *testing.T) {
			a.mu.Lock()
			a.pages = nil
			a.mu.Unlock()
			all := append([]map[string]string{c.page}, c.follows...)
			a.post(t, false, all...)
			want := []string{c.page["alertname"]}
			within(t, "everything else is held back", func() string {
				held, active, err := a.heldBack()
				if err != nil || len(held) != len(c.follows) || !slices.Equal(active, want) {
					return fmt.Sprintf("active %v, held back %v, %v", active, held, err)
				}
				return ""
			})
			line := c.to + " " + c.page["alertname"]
			arrived := func(status string) func() string {
				return func() string {
					a.mu.Lock()
					defer a.mu.Unlock()
					if !slices.Contains(a.pages, line+" "+status) {
						return fmt.Sprint(a.pages)
					}
					return ""
				}
			}
			within(t, "the page arrives", arrived("firing"))
			// Other groups have waited as long as this one.
			a.mu.Lock()
			if len(a.pages) != 1 {
				t.Errorf("pages %q, want one", a.pages)
			}
			a.mu.Unlock()
			a.post(t, true, all...)
			within(t, "all has ended", func() string {
				held, active, err := a.heldBack()
				if err != nil || len(held)+len(active) > 0 {
					return fmt.Sprint(held, active, err)
				}
				return ""
			})
		}) {
			return // what is left of it would be in the next one's way
		}
	}
}

// TestOthersStillPage: what is elsewhere is not held back.
func TestOthersStillPage(t *testing.T) {
	a := startAlertmanager(t)
	has := firingLabels(t)
	with := func(name string, pairs ...string) map[string]string {
		l := maps.Clone(has[name])
		for i := 0; i+1 < len(pairs); i += 2 {
			l[pairs[i]] = pairs[i+1]
		}
		return l
	}
	a.post(t, false,
		with("CephDatacenterDown", "cluster", "geo", "datacenter", "dc1"), with("CephOSDDown", "cluster", "geo", "datacenter", "dc2", "hostname", "g7"),
		with("CephOSDHostDown", "cluster", "fast", "hostname", "stor-1"), with("CephOSDDown", "cluster", "fast", "hostname", "stor-2"),
		with("AvailabilityZoneDown", "cloud", "lab", "zone", "az-a"), with("ComputeHostDown", "cloud", "lab", "zone", "az-b"),
		with("DeadMansSwitch"), with("TierNearLimit"))
	want := []string{"AvailabilityZoneDown", "CephDatacenterDown", "CephOSDDown", "CephOSDDown", "CephOSDHostDown", "ComputeHostDown", "DeadMansSwitch", "TierNearLimit"}
	within(t, "nothing is held back", func() string {
		held, active, err := a.heldBack()
		if err != nil || !slices.Equal(active, want) {
			return fmt.Sprintf("active %v, held back %v, %v", active, held, err)
		}
		return ""
	})
	within(t, "each goes to its receiver", func() string {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, line := range []string{"heartbeat DeadMansSwitch firing", "on-call ComputeHostDown firing", "on-call-storage CephOSDDown firing"} {
			if !slices.Contains(a.pages, line) {
				return fmt.Sprintf("no %q in %q", line, a.pages)
			}
		}
		return ""
	})
}

// TestTemplates renders what a mail says of a page.
func TestTemplates(t *testing.T) {
	amtool := debian(t, "amtool")
	data := filepath.Join(t.TempDir(), "data.json")
	if err := os.WriteFile(data, []byte(`{"receiver":"r","status":"firing","groupLabels":{"alertname":"ComputeHostDown","cloud":"lab"},"alerts":[
{"status":"firing","startsAt":"2026-11-22T10:00:00Z","labels":{"alertname":"ComputeHostDown","cloud":"my cloud","host":"cmp-a1"},
"annotations":{"summary":"Compute host cmp-a1 is down","description":"First: ping it.","runbook":"runbooks/ComputeHostDown.md","dashboard":"mcloud-hosts"}}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"mcloud.subject": {"[FIRING 1] Compute host cmp-a1 is down"},
		"mcloud.text": {"First: ping it.", "Since     2026-11-22 10:00:00 UTC", "/alerts/runbooks/ComputeHostDown.md",
			"/d/mcloud-hosts?from=1795338000000&to=now&var-cloud=my+cloud&var-host=cmp-a1"},
	} {
		out, err := exec.Command(amtool, "template", "render", "--template.glob=templates/*.tmpl", "--template.data="+data, `--template.text={{ template "`+name+`" . }}`).CombinedOutput()
		for _, w := range want {
			if err != nil || !strings.Contains(string(out), w) {
				t.Errorf("%s: %v: no %q in\n%s", name, err, w, out)
			}
		}
	}
}
