package alerts

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"mcloud/alerts/alertstest"
)

func TestAlertmanagerAcceptsTheExample(t *testing.T) {
	if out, err := exec.Command(alertstest.Debian(t, "amtool"), "check-config", "alertmanager.yml").CombinedOutput(); err != nil {
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

// lines are what came, "receiver alertname status".
func lines(a *alertstest.Alertmanager) (all []string) {
	for _, p := range a.Pages() {
		all = append(all, p.Receiver+" "+p.Labels["alertname"]+" "+p.Status)
	}
	return all
}

// TestOneCauseOnePage sends real Alertmanager what follows from one lost thing, and wants
// one page and its end.
func TestOneCauseOnePage(t *testing.T) {
	a := alertstest.Start(t, "alertmanager.yml", "1s")
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
			of("APIDown", "cloud", "mq", "service", "cinder"), of("APIErrorBudgetBurn1h", "cloud", "mq", "service", "heat"), of("APIErrorBudgetBurn6h", "cloud", "mq", "service", "heat"),
		}, "on-call"},
		{"northd", of("NorthdLagging", "cloud", "ovn"), []map[string]string{
			of("NeutronAgentsGone", "cloud", "ovn", "type", "OVN Controller agent"), of("NeutronAgentsGone", "cloud", "ovn", "type", "OVN Controller Gateway agent"),
		}, "on-call-network"},
		{"the exporter", of("TargetDown", "job", "exporter"), []map[string]string{of("APIsUnknown"), of("ComputeServicesUnknown"), of("CephClustersUnknown"), of("ChassisUnknown"), of("ExporterUnknown")}, "on-call"},
	} {
		if !t.Run(c.lost, func(t *testing.T) {
			a.Forget()
			all := append([]map[string]string{c.page}, c.follows...)
			a.Post(t, false, all...)
			want := []string{c.page["alertname"]}
			alertstest.Within(t, "everything else is held back", func() string {
				held, active, err := a.HeldBack()
				if err != nil || len(held) != len(c.follows) || !slices.Equal(active, want) {
					return fmt.Sprintf("active %v, held back %v, %v", active, held, err)
				}
				return ""
			})
			line := c.to + " " + c.page["alertname"]
			arrived := func(status string) func() string {
				return func() string {
					if !slices.Contains(lines(a), line+" "+status) {
						return fmt.Sprint(lines(a))
					}
					return ""
				}
			}
			alertstest.Within(t, "the page arrives", arrived("firing"))
			// Other groups have waited as long as this one.
			if got := lines(a); len(got) != 1 {
				t.Errorf("pages %q, want one", got)
			}
			a.Post(t, true, all...)
			alertstest.Within(t, "all has ended", func() string {
				held, active, err := a.HeldBack()
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
	a := alertstest.Start(t, "alertmanager.yml", "1s")
	has := firingLabels(t)
	with := func(name string, pairs ...string) map[string]string {
		l := maps.Clone(has[name])
		for i := 0; i+1 < len(pairs); i += 2 {
			l[pairs[i]] = pairs[i+1]
		}
		return l
	}
	a.Post(t, false,
		with("CephDatacenterDown", "cluster", "geo", "datacenter", "dc1"), with("CephOSDDown", "cluster", "geo", "datacenter", "dc2", "hostname", "g7"),
		with("CephOSDHostDown", "cluster", "fast", "hostname", "stor-1"), with("CephOSDDown", "cluster", "fast", "hostname", "stor-2"),
		with("AvailabilityZoneDown", "cloud", "lab", "zone", "az-a"), with("ComputeHostDown", "cloud", "lab", "zone", "az-b"),
		with("DeadMansSwitch"), with("TierNearLimit"))
	want := []string{"AvailabilityZoneDown", "CephDatacenterDown", "CephOSDDown", "CephOSDDown", "CephOSDHostDown", "ComputeHostDown", "DeadMansSwitch", "TierNearLimit"}
	alertstest.Within(t, "nothing is held back", func() string {
		held, active, err := a.HeldBack()
		if err != nil || !slices.Equal(active, want) {
			return fmt.Sprintf("active %v, held back %v, %v", active, held, err)
		}
		return ""
	})
	alertstest.Within(t, "each goes to its receiver", func() string {
		got := lines(a)
		for _, line := range []string{"heartbeat DeadMansSwitch firing", "on-call ComputeHostDown firing", "on-call-storage CephOSDDown firing"} {
			if !slices.Contains(got, line) {
				return fmt.Sprintf("no %q in %q", line, got)
			}
		}
		return ""
	})
}

// TestTemplates renders what a mail says of a page.
func TestTemplates(t *testing.T) {
	amtool := alertstest.Debian(t, "amtool")
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
