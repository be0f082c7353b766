// Package gnocchi looks at a cloud's Gnocchi: whether it keeps up with the
// measures that it is given.
//
// Calls per round, gnocchi_status: 1. gnocchi_metrics, each half hour: 1 for each
// thousand metrics.
package gnocchi

import (
	"cmp"
	"context"
	"net/url"
	"time"

	json "github.com/go-json-experiment/json/v1"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var api = openstack.API{Name: "gnocchi", Types: []string{"metric"}, Version: "v1"}

// Config configures Sources.
type Config struct {
	Period       time.Duration // 2 minutes if zero
	MetricPeriod time.Duration // 30 minutes if zero
}

// Sources returns what looks at Gnocchi: gnocchi_status, gnocchi_metrics.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source {
	cfg.Period = cmp.Or(cfg.Period, 2*time.Minute)
	cfg.MetricPeriod = cmp.Or(cfg.MetricPeriod, 30*time.Minute)
	return []exporters.Source{
		cloud.Source("gnocchi_status", "gnocchi", cfg.Period, time.Minute,
			func(ctx context.Context) (*exporters.Snapshot, error) { return collectStatus(ctx, cloud) },
			processors, waitingMetrics, waitingMeasures),
		cloud.Source("gnocchi_metrics", "gnocchi", cfg.MetricPeriod, 5*time.Minute,
			func(ctx context.Context) (*exporters.Snapshot, error) { return collectMetrics(ctx, cloud) },
			metrics),
	}
}

// Calls are the requests of this package.
func Calls() []openstack.Call {
	return []openstack.Call{
		{API: api, Path: "/status", Query: map[string]string{"details": "False"}, Rule: "get status", Role: "admin", Gives: "measures that wait to be processed", Optional: true},
		{API: api, Path: "/metric", Query: map[string]string{"limit": "1"}, Rule: "list metric", Role: "admin", Gives: "metrics of all projects", Optional: true},
	}
}

var (
	processors = &exporters.Family{
		Name: "openstack_gnocchi_status_metricd_processors", Type: exporters.Gauge, Set: exporters.SetBase, Call: "GET /v1/status",
		Help: "Processes of gnocchi-metricd that are at work; absent when Gnocchi cannot tell, for want of a coordinator.",
	}
	waitingMetrics = &exporters.Family{
		Name: "openstack_gnocchi_status_metrics_to_process", Type: exporters.Gauge, Set: exporters.SetBase, Call: "GET /v1/status",
		Help: "Metrics that have measures which wait to be processed.",
	}
	waitingMeasures = &exporters.Family{
		Name: "openstack_gnocchi_status_measures_to_process", Type: exporters.Gauge, Set: exporters.SetBase, Call: "GET /v1/status",
		Help: "Measures that wait to be processed.",
	}
	metrics = &exporters.Family{
		Name: "openstack_gnocchi_metrics", Type: exporters.Gauge, Labels: []string{"archive_policy"}, Set: exporters.SetBase, Call: "GET /v1/metric",
		Help: "Metrics that Gnocchi keeps, by archive policy.",
	}
)

func collectStatus(ctx context.Context, cloud *openstack.Cloud) (*exporters.Snapshot, error) {
	a, err := cloud.Get(ctx, api, "/status", url.Values{"details": {"False"}})
	if err != nil {
		return nil, err
	}
	var storage struct {
		Summary struct {
			Metrics  openstack.Float `json:"metrics"`
			Measures openstack.Float `json:"measures"`
		} `json:"summary"`
	}
	if err := a.Decode("storage", &storage); err != nil {
		return nil, err
	}
	s := &exporters.Snapshot{Seen: 1}
	add := func(f *exporters.Family, v openstack.Float) {
		if v.Known {
			s.Add(f, v.Value)
		}
	}
	add(waitingMetrics, storage.Summary.Metrics)
	add(waitingMeasures, storage.Summary.Measures)
	var metricd struct {
		Processors *[]json.RawMessage `json:"processors"`
	}
	if _, ok := a.Members["metricd"]; ok { // from 4.2 on
		if err := a.Decode("metricd", &metricd); err != nil {
			return s, err
		}
	}
	if metricd.Processors != nil {
		s.Add(processors, float64(len(*metricd.Processors)))
	}
	return s, nil
}

func collectMetrics(ctx context.Context, cloud *openstack.Cloud) (*exporters.Snapshot, error) {
	list, err := openstack.ListArray[struct {
		Project string `json:"created_by_project_id"`
		Policy  struct {
			Name string `json:"name"`
		} `json:"archive_policy"`
	}](ctx, cloud, api, "/metric", "metric", "id", url.Values{"limit": {"1000"}})
	if err != nil {
		return nil, err // a count of a part is none
	}
	s := &exporters.Snapshot{}
	list.NoteIn(s)
	var owners []string
	var counts exporters.Tally
	for _, v := range list.Objects {
		counts.Add(1, v.Policy.Name)
		owners = append(owners, v.Project)
	}
	if err := cloud.SeesAll(ctx, api, "/metric", "list metric", owners); err != nil {
		return s, err
	}
	if len(list.Failed) == 0 {
		counts.AddTo(s, metrics)
	}
	return s, nil
}
