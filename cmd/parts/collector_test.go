package parts

import (
	"strings"
	"testing"

	promconfig "github.com/prometheus/prometheus/config"

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
