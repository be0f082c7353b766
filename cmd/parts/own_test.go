package parts

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/notifier"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/tsdb"

	"mcloud/cmd/access"
	"mcloud/collector"
	"mcloud/collector/httpapi"
	"mcloud/collector/ingest"
	"mcloud/collector/query"
	"mcloud/collector/shipper"
	"mcloud/exporters/oslo"
	"mcloud/exporters/pair"
	"mcloud/exporters/spool"
	"mcloud/planner"
)

func headOptions(dir string) *tsdb.HeadOptions {
	o := tsdb.DefaultHeadOptions()
	o.ChunkDirRoot = dir + "/head"
	return o
}

// ours are the metrics that our programs have of themselves, Prometheus's parts in them
// included, as those who make them describe them.
func ours(t *testing.T) map[string]set {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	logger, p, registry, dir := slog.New(slog.DiscardHandler), parser.NewParser(parser.Options{}), prometheus.NewRegistry(), t.TempDir()
	_, err := shipper.Open(shipper.Options{Dir: dir + "/shipper", WALDir: dir + "/wal", Store: struct{ shipper.Store }{}, Registerer: registry})
	must(err)
	_, err = query.New(query.Options{Hot: struct{ query.Hot }{}, Registerer: registry})
	must(err)
	engine, err := query.NewEngine(dir, query.Limits{}.WithDefaults(), p, nil, logger, registry)
	must(err)
	_, err = query.NewLog(engine, query.LogOptions{Logger: logger, Registerer: registry})
	must(err)
	_, err = ingest.New(ingest.Limits{Series: 1}, registry, logger)
	must(err)
	_, err = httpapi.NewRecords(httpapi.RecordsOptions{Registerer: registry, Logger: logger})
	must(err)
	rules.NewGroupMetrics(registry)
	head, err := tsdb.NewHead(registry, logger, nil, nil, headOptions(dir), nil)
	must(err)
	t.Cleanup(func() { _ = head.Close() })
	notifier.NewManager(&notifier.Options{QueueCapacity: 1, Registerer: registry}, model.UTF8Validation, logger)
	c, err := collector.New(collector.Options{DataDir: dir, Config: collector.StaticConfig("test", dir, []byte("{}"))})
	must(err)
	plan, err := planner.New(planner.Options{Cloud: "lab", History: struct{ planner.History }{}, Inventory: struct{ planner.Inventory }{}})
	must(err)
	metrics := map[string]set{}
	for _, c := range []prometheus.Collector{
		registry, c.Registry(), plan, new(spool.Spool), new(oslo.Consumer), new(pair.Pair),
		new(access.Gate).Guard("collector", access.CollectorPolicy),
	} {
		for name, labels := range described(c) {
			metrics[name] = labels.with(scraped)
			if strings.HasSuffix(name, "_duration_seconds") { // a histogram, where there are such series
				metrics[name+"_bucket"] = metrics[name].with(setOf("le"))
			}
		}
	}
	return metrics
}
