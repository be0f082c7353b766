package parts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"time"

	"go.yaml.in/yaml/v3"

	"mcloud"
	"mcloud/alerts"
	"mcloud/cmd/access"
	"mcloud/cmd/config"
	"mcloud/collector"
	"mcloud/collector/clickhouse"
	"mcloud/collector/httpapi"
	"mcloud/collector/ingest"
	"mcloud/collector/query"
)

// Collector wires the hot hours, the shipper and the query API to the store.
func Collector(f config.File, store *Store, version string, others func() []Part, logger *slog.Logger) (Part, *collector.Collector, error) {
	// First, since it makes the token that the scrapes present.
	front, err := newFront(f, "collector", access.CollectorPolicy, logger)
	if err != nil {
		return Part{}, nil, err
	}
	promConfig, err := PrometheusConfig(f)
	if err != nil {
		return Part{}, nil, err
	}
	dir := filepath.Dir(f.Path)
	var evaluator query.Evaluator
	if !f.Collector.Query.NoPushDown {
		evaluator = store
	}
	c, err := collector.New(collector.Options{
		DataDir:         filepath.Join(f.DataDir, "collector"),
		Config:          collector.StaticConfig("mcloud.yaml, section collector.prometheus", dir, promConfig),
		RuleFS:          alerts.Rules,
		Listen:          f.Collector.Listen,
		WebConfigFile:   f.Collector.WebConfig,
		TLS:             front.tls,
		Guard:           front.guard.Before,
		HotRetention:    time.Duration(f.Collector.HotRetention),
		Store:           store,
		Replica:         f.Collector.Replica,
		LongTerm:        store,
		LongTermAway:    func(err error) bool { return errors.Is(err, clickhouse.ErrUnavailable) },
		LongTermTooMuch: func(err error) bool { return errors.Is(err, clickhouse.ErrTooMuch) },
		Evaluator:       evaluator,
		Limits: query.Limits{
			Samples: f.Collector.Query.Samples, Timeout: time.Duration(f.Collector.Query.Timeout), Concurrency: f.Collector.Query.Concurrency,
		},
		LogQueries:  f.Collector.Query.Log,
		SlowQuery:   time.Duration(f.Collector.Query.Slow),
		SlowQueries: store,
		User:        func(ctx context.Context) string { return access.From(ctx).Name },
		Records:     store,
		RecordsUnavailable: func(err error) bool {
			return !errors.Is(err, mcloud.ErrInvalid)
		},
		Ingest: ingest.Limits{
			Labels: f.Collector.Limits.Labels, LabelBytes: f.Collector.Limits.LabelBytes,
			Series: f.Collector.Limits.Series, JobSeries: f.Collector.Limits.JobSeries, RequestBytes: int64(f.Collector.Limits.RequestBytes),
		},
		Version: version,
		Parts: func() []httpapi.Part {
			var shown []httpapi.Part
			for _, p := range others() {
				part := httpapi.Part{Name: p.Name, State: p.State()}
				if p.URL != nil {
					part.URL = p.URL()
				}
				shown = append(shown, part)
			}
			return shown
		},
		Logger: logger,
	})
	if err != nil {
		return Part{}, nil, err
	}
	if err := front.register(c.Registry()); err != nil {
		return Part{}, nil, err
	}
	if err := c.Registry().Register(store); err != nil {
		return Part{}, nil, fmt.Errorf("metrics of the store's client: %w", err)
	}
	run := func(ctx context.Context) error {
		err := c.Run(ctx)
		if errors.Is(err, syscall.EADDRINUSE) {
			return listenError(f.Collector.Listen, "collector.listen", err)
		}
		return err
	}
	return Part{Name: "collector", Ready: c.Ready(), Run: run, URL: func() string { return f.Listeners()["collector"].URL() }}, c, nil
}

// scrapeBodyLimit bounds what one target answers, decompressed, unless the operator says
// otherwise; a page of ours for 2,000 hosts has 18 MB.
const scrapeBodyLimit = "256MB"

// PrometheusConfig is the collector's configuration in Prometheus's words: our
// own parts as scrape targets, and the sections that the operator added.
//
// A collector that is one of several is the target of its own page under its replica's
// name: on loopback both would have the same address and be taken for one. And their
// alerts are the same to Alertmanager: external labels that hold the replica's name, as
// Prometheus pairs have them, are taken off.
func PrometheusConfig(f config.File) ([]byte, error) {
	interval := time.Duration(f.Collector.ScrapeInterval).String()
	job := func(name string) map[string]any {
		l := f.Listeners()[name]
		job := access.Prometheus(access.ClientOf(f, name, false), l.TLS.Cert != "")
		target := map[string]any{"targets": []string{l.Listen}}
		if f.Collector.Replica != "" && name != "exporter" {
			target["labels"] = map[string]string{"instance": f.Collector.Replica}
		}
		job["job_name"] = name
		job["static_configs"] = []any{target}
		return job
	}
	merged := map[string]any{
		"global":         map[string]any{"scrape_interval": interval, "evaluation_interval": interval, "scrape_timeout": min(10*time.Second, time.Duration(f.Collector.ScrapeInterval)).String(), "body_size_limit": scrapeBodyLimit},
		"scrape_configs": []any{job("exporter"), job("collector"), job("planner")},
	}
	if len(f.Collector.Alertmanagers) > 0 {
		managers := access.Prometheus(f.Collector.AlertmanagerClient, f.Collector.AlertmanagerTLS)
		managers["static_configs"] = []any{map[string]any{"targets": f.Collector.Alertmanagers}}
		merged["alerting"] = map[string]any{"alertmanagers": []any{managers}}
	}
	added := map[string]any{}
	if !f.Collector.Prometheus.IsZero() {
		if err := f.Collector.Prometheus.Decode(&added); err != nil {
			return nil, fmt.Errorf("%w: %s:%d: collector.prometheus: %w", config.ErrConfig, f.Path, f.Collector.Prometheus.Line, err)
		}
	}
	for section, value := range added {
		merged[section] = join(merged[section], value)
	}
	if drop := withoutReplica(f.Collector.Replica, merged["global"]); drop != nil {
		merged["alerting"] = join(join(map[string]any{}, merged["alerting"]), map[string]any{"alert_relabel_configs": drop})
	}
	return yaml.Marshal(merged)
}

// withoutReplica are the relabelings that take the replica's name from alerts.
func withoutReplica(name string, global any) []any {
	if name == "" {
		return nil
	}
	var drop []any
	section, _ := global.(map[string]any)
	external, _ := section["external_labels"].(map[string]any)
	for _, label := range slices.Sorted(maps.Keys(external)) {
		if fmt.Sprint(external[label]) == name {
			drop = append(drop, map[string]any{"action": "labeldrop", "regex": regexp.QuoteMeta(label)})
		}
	}
	return drop
}

// join adds b to a: lists follow each other, maps are joined key by key, and
// for anything else b counts.
func join(a, b any) any {
	switch b := b.(type) {
	case []any:
		if a, ok := a.([]any); ok {
			return append(a, b...)
		}
	case map[string]any:
		if a, ok := a.(map[string]any); ok {
			for k, v := range b {
				a[k] = join(a[k], v)
			}
			return a
		}
	}
	return b
}
