package compat

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

func gathered(t *testing.T, page string) prometheus.Gatherer {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		var all []*dto.MetricFamily
		for _, f := range families {
			all = append(all, f)
		}
		return all, nil
	})
}

func TestTranslate(t *testing.T) {
	page := `
# TYPE ours_servers gauge
ours_servers{cloud="a",status="ACTIVE",zone="z1"} 3
ours_servers{cloud="a",status="ACTIVE",zone="z2"} 4
ours_servers{cloud="a",status="ERROR",zone="z2"} 1
ours_servers{cloud="b",status="ACTIVE",zone="z1"} 9
# TYPE ours_up gauge
ours_up{cloud="a",host="h1"} 1
ours_up{cloud="a",host="h2"} 0
# TYPE ours_info gauge
ours_info{cloud="a",node="h1",reason="broken"} 1
ours_info{cloud="b",node="h2",reason="another cloud's"} 1
# TYPE ours_enabled gauge
ours_enabled{cloud="a",host="h1"} 0
# TYPE ours_bytes gauge
ours_bytes{cloud="a"} 2.147483648e+09
# TYPE theirs_same gauge
theirs_same{cloud="a"} 5
`
	gauge := dto.MetricType_GAUGE
	rules := []Rule{
		{Name: "theirs_total", Help: "h", Type: gauge, From: "ours_servers"},
		{Name: "theirs_healthy", Help: "h", Type: gauge, From: "ours_servers", Where: map[string]string{"status": "!ERROR"}, Labels: []Label{{Name: "AZ", From: "zone"}}},
		{Name: "theirs_state", Help: "h", Type: dto.MetricType_COUNTER, From: "ours_up", Joins: []Join{{"ours_info", []string{"host=node"}}, {"ours_enabled", []string{"host"}}}, Labels: []Label{
			{Name: "hostname", From: "host"}, {Name: "reason", From: "reason", Joined: true}, {Name: "adminState", From: "value", Joined: true, Words: map[string]string{"1": "enabled", "0": "disabled"}}, {Name: "service", Const: "x"},
		}},
		{Name: "theirs_free", Help: "h", Type: gauge, From: "ours_servers", Labels: []Label{{Name: "zone", From: "zone"}}},
		{Name: "theirs_free", Help: "h", Type: gauge, From: "ours_servers", Where: map[string]string{"status": "ERROR"}, Labels: []Label{{Name: "zone", From: "zone"}}, Scale: -2},
		{Name: "theirs_gb", Help: "h", Type: gauge, From: "ours_bytes", Scale: 1.0 / (1 << 30)},
		{Name: "theirs_enum", Help: "h", Type: gauge, From: "ours_servers", Labels: []Label{{Name: "zone", From: "zone"}, {Name: "status", From: "status"}},
			Where: map[string]string{"cloud": "a"}, Value: func(_ float64, l map[string]string) (float64, bool) { return 7, l["status"] == "ERROR" }},
		{Name: "theirs_same", Help: "h", Type: gauge, From: "ours_servers"},
		{Name: "theirs_absent", Help: "h", Type: gauge, From: "ours_nothing"},
	}
	want := `
# HELP theirs_enum h
# TYPE theirs_enum gauge
theirs_enum{cloud="a",status="ERROR",zone="z2"} 7
# HELP theirs_free h
# TYPE theirs_free gauge
theirs_free{cloud="a",zone="z1"} 3
theirs_free{cloud="a",zone="z2"} 3
theirs_free{cloud="b",zone="z1"} 9
# HELP theirs_gb h
# TYPE theirs_gb gauge
theirs_gb{cloud="a"} 2
# HELP theirs_healthy h
# TYPE theirs_healthy gauge
theirs_healthy{AZ="z1",cloud="a"} 3
theirs_healthy{AZ="z1",cloud="b"} 9
theirs_healthy{AZ="z2",cloud="a"} 4
# HELP theirs_state h
# TYPE theirs_state counter
theirs_state{adminState="",cloud="a",hostname="h2",reason="",service="x"} 0
theirs_state{adminState="disabled",cloud="a",hostname="h1",reason="broken",service="x"} 1
# HELP theirs_total h
# TYPE theirs_total gauge
theirs_total{cloud="a"} 8
theirs_total{cloud="b"} 9
`
	g := Gatherer(gathered(t, page), rules)
	if err := testutil.GatherAndCompare(g, strings.NewReader(want), "theirs_enum", "theirs_free", "theirs_gb", "theirs_healthy", "theirs_state", "theirs_total", "theirs_absent"); err != nil {
		t.Error(err)
	}
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]int{}
	for _, f := range families {
		names[f.GetName()]++
	}
	if names["theirs_same"] != 1 || names["ours_servers"] != 1 {
		t.Errorf("families %v: what is ours already must be there once", names)
	}
}
