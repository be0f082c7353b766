package parts

import (
	"strings"
	"testing"

	promconfig "github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"

	"log/slog"

	"mcloud/cmd/config"
)

func TestPrometheusConfigJoinsTheOperatorsSections(t *testing.T) {
	f, err := config.Parse("m.yaml", []byte(`
cloud: lab
collector:
  alertmanagers: [127.0.0.1:9093]
  prometheus:
    global: {external_labels: {site: one}}
    scrape_configs:
      - job_name: node
        static_configs: [{targets: ["127.0.0.1:9100"]}]
    alerting:
      alertmanagers:
        - static_configs: [{targets: ["127.0.0.1:9094"]}]
`))
	if err != nil {
		t.Fatal(err)
	}
	content, err := PrometheusConfig(f)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := promconfig.Load(string(content), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("%v\n%s", err, content)
	}
	var jobs []string
	for _, s := range parsed.ScrapeConfigs {
		jobs = append(jobs, s.JobName)
	}
	if got := strings.Join(jobs, " "); got != "exporter collector planner node" {
		t.Errorf("jobs %s", got)
	}
	if n := len(parsed.AlertingConfig.AlertmanagerConfigs); n != 2 {
		t.Errorf("%d alertmanagers", n)
	}
	if parsed.GlobalConfig.ExternalLabels.Get("site") != "one" || parsed.GlobalConfig.ScrapeInterval.String() != "15s" {
		t.Errorf("global %+v", parsed.GlobalConfig)
	}
}

// Two collectors of one cloud are two to Prometheus and one to Alertmanager.
func TestPrometheusConfigOfReplicas(t *testing.T) {
	alerts := map[string]string{}
	for _, name := range []string{"a", "b"} {
		f, err := config.Parse("m.yaml", []byte(`
cloud: lab
collector:
  replica: `+name+`
  prometheus:
    global: {external_labels: {site: one, replica: `+name+`, __replica__: `+name+`}}
    alerting:
      alert_relabel_configs: [{target_label: team, replacement: noc}]
`))
		if err != nil {
			t.Fatal(err)
		}
		content, err := PrometheusConfig(f)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := promconfig.Load(string(content), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatalf("%v\n%s", err, content)
		}
		instances := map[string]string{}
		for _, s := range parsed.ScrapeConfigs {
			for _, c := range s.ServiceDiscoveryConfigs {
				for _, group := range c.(discovery.StaticConfig) {
					instances[s.JobName] = string(group.Labels["instance"])
				}
			}
		}
		if instances["collector"] != name || instances["planner"] != name || instances["exporter"] != "" {
			t.Errorf("%s: instances %v", name, instances)
		}
		// As the notifier does it.
		b := labels.NewBuilder(labels.FromStrings("alertname", "HostDown", "host", "h1", "replica_of", "x"))
		parsed.GlobalConfig.ExternalLabels.Range(func(l labels.Label) { b.Set(l.Name, l.Value) })
		if !relabel.ProcessBuilder(b, parsed.AlertingConfig.AlertRelabelConfigs...) {
			t.Fatal("the alert is dropped")
		}
		alerts[name] = b.Labels().String()
	}
	if want := `{alertname="HostDown", host="h1", replica_of="x", site="one", team="noc"}`; alerts["a"] != want || alerts["b"] != want {
		t.Errorf("alerts %v, want %s", alerts, want)
	}
	if _, err := config.Parse("m.yaml", []byte("cloud: lab\ncollector: {replica: \"a b\"}\n")); err == nil || !strings.Contains(err.Error(), "collector.replica") {
		t.Errorf("a name with a blank: %v", err)
	}
}
