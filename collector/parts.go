package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/oklog/run"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/notifier"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/scrape"

	"mcloud/collector/httpapi"
	"mcloud/collector/ingest"
	"mcloud/collector/query"
	"mcloud/collector/shipper"
)

// parts are the pieces of Prometheus that a running collector is made of.
type parts struct {
	logger      *slog.Logger
	rulesDir    string
	externalURL *url.URL

	shipper *shipper.Shipper // nil when nothing is shipped
	slow    *query.SlowLog   // nil when nobody keeps slow queries
	hot     *hot
	gate    *ingest.Gate
	engine  *promql.Engine
	api     httpapi.Options

	scrape  *scrape.Manager
	targets *discovery.Manager // of scrape
	rules   *rules.Manager
	notify  *notifier.Manager
	pagers  *discovery.Manager // of notify

	ctx    context.Context // ends discovery and rule evaluations
	cancel context.CancelFunc
}

// build makes the managers; none of them runs yet.
func (p *parts) build(c *Collector, queryable *query.Queryable) error {
	p.ctx, p.cancel = context.WithCancel(context.Background())
	named := func(component string) *slog.Logger {
		return quieted(c.logger, func() bool { return p.ctx.Err() != nil }).With("component", component)
	}
	scheme := c.current.GlobalConfig.MetricNameValidationScheme

	sd, err := discovery.CreateAndRegisterSDMetrics(c.registry)
	if err != nil {
		return fmt.Errorf("register discovery metrics: %w", err)
	}
	p.targets = discovery.NewManager(p.ctx, named("discovery of targets"), c.registry, sd, discovery.Name("scrape"))
	p.pagers = discovery.NewManager(p.ctx, named("discovery of Alertmanagers"), c.registry, sd, discovery.Name("notify"))
	if p.targets == nil || p.pagers == nil {
		return errors.New("discovery could not be set up; the log says why")
	}
	p.scrape, err = scrape.NewManager(&scrape.Options{DiscoveryReloadOnStartup: true}, named("scrape"), nil, nil, p.gate.Before(p.hot), c.registry)
	if err != nil {
		return fmt.Errorf("set up scraping: %w", err)
	}
	// Not drained at the end: after the next start, what still fires is sent again.
	p.notify = notifier.NewManager(&notifier.Options{QueueCapacity: 10_000, Registerer: c.registry}, scheme, named("notifier"))
	forRules := queryable.WithTimeout(RuleQueryTimeout)
	p.rules = rules.NewManager(&rules.ManagerOptions{
		NameValidationScheme: scheme,
		Appendable:           p.hot,
		Queryable:            forRules,
		QueryFunc:            rules.EngineQueryFunc(p.engine, forRules),
		NotifyFunc:           rules.SendAlerts(p.notify, p.externalURL.String()),
		Context:              p.ctx,
		ExternalURL:          p.externalURL,
		Registerer:           c.registry,
		Logger:               named("rules"),
		OutageTolerance:      time.Hour,
		ForGracePeriod:       10 * time.Minute,
		ResendDelay:          time.Minute,
		MaxConcurrentEvals:   4,
		DefaultRuleQueryOffset: func() time.Duration {
			cfg := c.config()
			return time.Duration(cfg.GlobalConfig.RuleQueryOffset)
		},
		Parser: c.parser,
	})
	return nil
}

// apply hands a configuration to every part. Scraping and the notifier get it before
// their discovery does, whose targets they could not place otherwise.
func (p *parts) apply(cfg *configuration) error {
	ruleFiles, err := cfg.installRules(p.rulesDir)
	if err != nil {
		return err
	}
	scrapes, err := cfg.GetScrapeConfigs()
	if err != nil {
		return fmt.Errorf("%w: scrape configurations: %w", ErrConfig, err)
	}
	targets, pagers := map[string]discovery.Configs{}, map[string]discovery.Configs{}
	for _, s := range scrapes {
		targets[s.JobName] = s.ServiceDiscoveryConfigs
	}
	for name, a := range cfg.AlertingConfig.AlertmanagerConfigs.ToMap() {
		pagers[name] = a.ServiceDiscoveryConfigs
	}
	for _, step := range []struct {
		name  string
		apply func() error
	}{
		{"storage", func() error { return p.hot.ApplyConfig(cfg.Config) }},
		{"scraping", func() error { return p.scrape.ApplyConfig(cfg.Config) }},
		{"discovery of targets", func() error { return p.targets.ApplyConfig(targets) }},
		{"notifier", func() error { return p.notify.ApplyConfig(cfg.Config) }},
		{"discovery of Alertmanagers", func() error { return p.pagers.ApplyConfig(pagers) }},
		{"rules", func() error {
			return p.rules.Update(time.Duration(cfg.GlobalConfig.EvaluationInterval), ruleFiles, cfg.GlobalConfig.ExternalLabels, p.externalURL.String(), nil)
		}},
	} {
		if err := step.apply(); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrConfig, step.name, err)
		}
	}
	return nil
}

// run adds the managers to the group. Rules stop before the notifier that they use.
func (p *parts) run(group *run.Group) {
	stopAll := func(error) { p.cancel() }
	group.Add(p.targets.Run, stopAll)
	group.Add(p.pagers.Run, stopAll)
	group.Add(func() error { return p.scrape.Run(p.targets.SyncCh()) }, func(error) { p.scrape.Stop() })
	group.Add(func() error { p.rules.Run(); return nil }, func(error) { p.rules.Stop() })
	group.Add(func() error { p.notify.Run(p.pagers.SyncCh()); return nil }, func(error) { p.notify.Stop() })
}

// close closes what open opened.
func (p *parts) close() error {
	if p.cancel != nil {
		p.cancel()
	}
	var errs []error
	if p.engine != nil {
		errs = append(errs, p.engine.Close())
	}
	if p.hot != nil {
		if err := p.hot.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close the hot storage: %w", err))
		}
	}
	return errors.Join(errs...)
}
