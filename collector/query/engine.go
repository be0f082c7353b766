package query

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

// Limits bound what one query may cost. Zero values take the defaults in brackets,
// which are Prometheus's.
type Limits struct {
	Samples       int           // in memory at once per query (50,000,000)
	Timeout       time.Duration // of one query (2 min)
	Concurrency   int           // queries at once; more wait (20)
	LookbackDelta time.Duration // age at which a sample no longer counts as current (5 min)
}

// WithDefaults fills what is zero.
func (l Limits) WithDefaults() Limits {
	if l.Samples <= 0 {
		l.Samples = 50_000_000
	}
	if l.Timeout <= 0 {
		l.Timeout = 2 * time.Minute
	}
	if l.Concurrency <= 0 {
		l.Concurrency = 20
	}
	if l.LookbackDelta <= 0 {
		l.LookbackDelta = 5 * time.Minute
	}
	return l
}

// NewEngine returns PromQL's engine. It notes running queries in a file in dir, so that
// after a crash the log names the queries that ran. Close the engine after use.
func NewEngine(dir string, l Limits, p parser.Parser, subqueryStep func(rangeMillis int64) int64, logger *slog.Logger, reg prometheus.Registerer) (*promql.Engine, error) {
	l = l.WithDefaults()
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("create the directory of running queries: %w", err)
	}
	tracker, err := promql.NewActiveQueryTracker(dir, l.Concurrency, logger)
	if err != nil {
		return nil, fmt.Errorf("file of running queries: %w", err)
	}
	return promql.NewEngine(promql.EngineOpts{
		Logger: logger, Reg: reg, Parser: p,
		MaxSamples: l.Samples, Timeout: l.Timeout, LookbackDelta: l.LookbackDelta,
		ActiveQueryTracker: tracker, NoStepSubqueryIntervalFn: subqueryStep,
		EnableAtModifier: true, EnableNegativeOffset: true,
	}), nil
}
