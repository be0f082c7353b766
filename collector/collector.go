package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/promql/parser"
	apiv1 "github.com/prometheus/prometheus/web/api/v1"

	"mcloud/collector/httpapi"
	"mcloud/collector/ingest"
	"mcloud/collector/query"
	"mcloud/collector/shipper"
)

// Collector is the hot half of the product and the way to the long-term one.
type Collector struct {
	opts     Options
	logger   *slog.Logger
	registry *prometheus.Registry
	metrics  metrics
	parser   parser.Parser
	ready    chan struct{}
	started  atomic.Bool

	mu       sync.Mutex // guards what follows
	current  *configuration
	loadedAt time.Time
	loadedOK bool
	addr     string
	parts    *parts // nil until everything is open

	reloading sync.Mutex // one at a time
}

type metrics struct {
	reloadOK   prometheus.Gauge
	reloadTime prometheus.Gauge
	repairs    prometheus.Counter
}

// New checks options and configuration, and opens nothing. Its errors wrap ErrConfig.
func New(o Options) (*Collector, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	c := &Collector{
		opts: o, logger: o.Logger, registry: prometheus.NewRegistry(),
		parser: parser.NewParser(parser.Options{}), ready: make(chan struct{}),
		metrics: metrics{
			reloadOK:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "mcloud_collector_config_last_reload_successful", Help: "1 when the last reload of the configuration was applied, 0 when the one before is still in use."}),
			reloadTime: prometheus.NewGauge(prometheus.GaugeOpts{Name: "mcloud_collector_config_last_reload_success_timestamp_seconds", Help: "When the configuration in use was applied."}),
			repairs:    prometheus.NewCounter(prometheus.CounterOpts{Name: "mcloud_collector_wal_damages_total", Help: "Times the hot storage lost acknowledged samples to a damaged write-ahead log."}),
		},
	}
	c.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		c.metrics.reloadOK, c.metrics.reloadTime, c.metrics.repairs)
	cfg, err := c.load(context.Background())
	if err != nil {
		return nil, err
	}
	c.current = cfg
	return c, nil
}

// Ready is closed when queries are answered, targets scraped and rules evaluated.
func (c *Collector) Ready() <-chan struct{} { return c.ready }

// Addr is where it listens, host:port; empty before it does.
func (c *Collector) Addr() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.addr
}

// Registry holds what /metrics shows, Go's and the process's own metrics among it.
func (c *Collector) Registry() *prometheus.Registry { return c.registry }

func (c *Collector) config() config.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *c.current.Config
}

// Reload loads the configuration again. If anything in it is wrong, all stays as it is.
func (c *Collector) Reload(ctx context.Context) error {
	c.reloading.Lock()
	defer c.reloading.Unlock()
	c.mu.Lock()
	p := c.parts
	c.mu.Unlock()
	if p == nil {
		return errors.New("the collector is not ready yet; reload later")
	}
	cfg, err := c.load(ctx)
	if err == nil {
		err = c.apply(p, cfg)
	}
	if err != nil {
		c.metrics.reloadOK.Set(0)
		c.mu.Lock()
		c.loadedOK = false
		c.mu.Unlock()
		c.logger.Error("configuration was not reloaded", "err", err)
		return err
	}
	c.logger.Info("configuration reloaded", "config", c.opts.Config.Name)
	return nil
}

// apply makes cfg the one in use.
func (c *Collector) apply(p *parts, cfg *configuration) error {
	if err := p.apply(cfg); err != nil {
		return err
	}
	now := time.Now()
	c.metrics.reloadOK.Set(1)
	c.metrics.reloadTime.Set(float64(now.UnixMilli()) / 1000)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current, c.loadedAt, c.loadedOK = cfg, now, true
	return nil
}

// Run opens everything, and works until ctx ends (nil) or a part fails. It may be
// called once.
func (c *Collector) Run(ctx context.Context) (err error) {
	if c.started.Swap(true) {
		return errors.New("a collector runs once")
	}
	release, err := lockDir(c.opts.DataDir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()

	handler := &httpapi.Swap{}
	handler.Set(httpapi.Starting(c.registry))
	web, err := serve(c.opts, handler)
	if err != nil {
		return err
	}
	defer web.stop()
	c.mu.Lock()
	c.addr = web.addr
	c.mu.Unlock()

	p, err := c.open(web.addr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	handler.Set(httpapi.New(p.api))

	var group run.Group
	group.Add(actor(ctx, func(ctx context.Context) error {
		if err := c.apply(p, c.current); err != nil {
			return err
		}
		c.mu.Lock()
		c.parts = p
		c.mu.Unlock()
		close(c.ready)
		<-ctx.Done()
		return nil
	}))
	group.Add(actor(ctx, func(ctx context.Context) error {
		select {
		case <-web.done:
			return web.err
		case <-ctx.Done():
			web.stop()
			return nil
		}
	}))
	p.run(&group)
	if p.shipper != nil {
		group.Add(actor(ctx, p.shipper.Run))
	}
	if p.slow != nil {
		group.Add(actor(ctx, p.slow.Run))
	}
	return group.Run()
}

// actor makes a function that ends with its context a member of a group.
func actor(ctx context.Context, f func(context.Context) error) (func() error, func(error)) {
	ctx, cancel := context.WithCancel(ctx)
	return func() error { return f(ctx) }, func(error) { cancel() }
}

// open opens storage and builds the parts around it. The shipper comes first: opening
// the TSDB may repair its WAL.
func (c *Collector) open(addr string) (p *parts, err error) {
	p = &parts{rulesDir: filepath.Join(c.opts.DataDir, "rules"), logger: c.logger}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if p.externalURL, err = url.Parse(c.opts.ExternalURL); err != nil || c.opts.ExternalURL == "" {
		p.externalURL = &url.URL{Scheme: "http", Host: addr}
		if c.opts.TLS != nil {
			p.externalURL.Scheme = "https"
		}
	}
	dir := filepath.Join(c.opts.DataDir, "hot")
	unshipped, full := func() int64 { return 0 }, func() bool { return false }
	if c.opts.Store != nil {
		p.shipper, err = shipper.Open(shipper.Options{
			Dir: filepath.Join(c.opts.DataDir, "shipper"), WALDir: filepath.Join(dir, "wal"), Store: c.opts.Store,
			FlushInterval: c.opts.FlushInterval, MaxHeldBytes: c.opts.MaxHeldBytes,
			Registerer: c.registry, Logger: c.logger.With("component", "shipper"),
		})
		if err != nil {
			return p, err
		}
		unshipped, full = p.shipper.OldestUnshipped, p.shipper.Full
	}
	maxKept := c.opts.MaxHeldBytes
	if maxKept <= 0 {
		maxKept = 16 << 30
	}
	p.gate, err = ingest.New(c.opts.Ingest, c.registry, c.logger.With("component", "limits"))
	if err != nil {
		return p, err
	}
	p.hot, err = openHot(hotOptions{
		dir: dir, retention: c.opts.HotRetention, unshipped: unshipped, maxKept: maxKept,
		logger: c.logger.With("component", "tsdb"), reg: c.registry, repairs: c.metrics.repairs, gate: p.gate,
		replicated: c.opts.Replica != "",
	})
	if err != nil {
		return p, err
	}
	queryable, err := query.New(query.Options{Hot: p.hot, LongTerm: c.opts.LongTerm, Replicated: c.opts.Replica != "", Evaluator: c.opts.Evaluator, Recent: time.Hour, Unavailable: c.opts.LongTermAway, Registerer: c.registry})
	if err != nil {
		return p, err
	}
	p.engine, err = query.NewEngine(c.opts.DataDir, c.opts.Limits, c.parser, c.evaluationInterval, quieted(c.logger, nil).With("component", "engine"), c.registry)
	if err != nil {
		return p, err
	}
	if err := p.build(c, queryable); err != nil {
		return p, err
	}
	records, err := httpapi.NewRecords(httpapi.RecordsOptions{
		Store: c.opts.Records, Unavailable: c.opts.RecordsUnavailable, Registerer: c.registry, Logger: c.logger.With("component", "records"),
	})
	if err != nil {
		return p, err
	}
	queries := query.LogOptions{
		Logger: c.logger.With("component", "queries"), All: c.opts.LogQueries, Slow: c.opts.SlowQuery,
		TooMuch: c.opts.LongTermTooMuch, User: c.opts.User, Collector: c.opts.Replica, Registerer: c.registry,
	}
	if c.opts.SlowQueries != nil {
		if p.slow, err = query.NewSlowLog(c.opts.SlowQueries, queries.Logger, c.registry); err != nil {
			return p, err
		}
		queries.Keep = p.slow.Keep
	}
	engine, err := query.NewLog(&query.PushDown{QueryEngine: p.engine, Parser: c.parser, Lookback: c.opts.Limits.LookbackDelta}, queries)
	if err != nil {
		return p, err
	}
	p.api = httpapi.Options{
		Engine: engine, Queryable: queryable, Parser: c.parser, LookbackDelta: c.opts.Limits.LookbackDelta,
		Storage: p.hot, Written: p.gate.Before(p.hot), Receive: p.gate.Receive, StorageDir: dir, Targets: p.scrape, Alertmanagers: p.notify, Rules: p.rules,
		Config: c.config, Runtime: c.runtime, Reload: c.Reload, ExternalURL: p.externalURL, Listen: addr, Version: c.opts.Version,
		Full: full, Records: records, SlowQueries: c.opts.SlowQueries, Parts: c.opts.Parts, Registry: c.registry, Logger: c.logger.With("component", "api"),
	}
	return p, nil
}

// evaluationInterval is the default step of subqueries, in milliseconds.
func (c *Collector) evaluationInterval(int64) int64 {
	cfg := c.config()
	return time.Duration(cfg.GlobalConfig.EvaluationInterval).Milliseconds()
}

func (c *Collector) runtime() apiv1.RuntimeInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	return apiv1.RuntimeInfo{
		CWD: c.opts.DataDir, ReloadConfigSuccess: c.loadedOK, LastConfigTime: c.loadedAt.UTC(),
		StorageRetention: fmt.Sprint(c.opts.HotRetention),
	}
}
