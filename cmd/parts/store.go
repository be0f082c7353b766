package parts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"mcloud"
	"mcloud/cmd/access"
	"mcloud/cmd/config"
	"mcloud/collector/clickhouse"
	"mcloud/collector/embedded"
	"mcloud/collector/shipper"
	"mcloud/planner"
)

// EmbeddedStore is ClickHouse's engine in this process, served over HTTP. It is
// optional: without it the hot hours and the alerts go on.
func EmbeddedStore(f config.File, logger *slog.Logger) Part {
	l := f.Listeners()["store"]
	ready := make(chan struct{})
	return Part{
		Name:     "store",
		Ready:    ready,
		Optional: true,
		URL:      func() string { return f.Store.Address() },
		Run: func(ctx context.Context) error {
			password, err := f.Store.Password()
			if err != nil {
				return err
			}
			if err := access.Exposed(l, l.TLS.Cert != "", password != "", "store.password_file", logger); err != nil {
				return err
			}
			encryption, err := access.TLS(l.TLS, "store.tls", logger)
			if err != nil {
				return err
			}
			s, err := embedded.Open(embedded.Options{
				Path:        storeDir(f),
				TLS:         encryption,
				Library:     f.Store.Library,
				Listen:      f.Store.Listen,
				User:        f.Store.User,
				Password:    password,
				MemoryBytes: int64(f.Store.Memory),
				CacheBytes:  int64(f.Store.Cache),
				Threads:     f.Store.Threads,
				Logger:      logger,
			})
			if err != nil {
				return err
			}
			close(ready)
			return s.Run(ctx)
		},
	}
}

// Store is the client of the store. It connects in the background: until then
// every call says why it cannot be answered.
type Store struct {
	options clickhouse.Options
	logger  *slog.Logger
	ready   chan struct{}
	engine  <-chan struct{} // closed when the process's own engine serves; nil without one

	mu      sync.RWMutex
	db      *clickhouse.DB
	metrics prometheus.Collector    // of db
	answers context.Context         // ends when db no longer does
	lost    context.CancelCauseFunc // ends answers
	err     error                   // why db cannot be used
}

// NewStore makes the client of f's store.
func NewStore(f config.File, logger *slog.Logger) *Store {
	return &Store{
		options: storeOptions(f, logger),
		logger:  logger,
		ready:   make(chan struct{}),
		err:     fmt.Errorf("%w: it is being connected to", clickhouse.ErrUnavailable),
	}
}

func storeOptions(f config.File, logger *slog.Logger) clickhouse.Options {
	ca, name := f.Store.CA, ""
	if f.Store.Embedded() && f.Store.TLS.Cert != "" { // whose certificate is known here
		client := access.ClientOf(f, "store", false)
		ca, name = cmp.Or(ca, client.CA), client.ServerName
	}
	return clickhouse.Options{
		URL: f.Store.Address(), Database: f.Store.Database, Cluster: f.Store.Cluster,
		User: f.Store.User, PasswordFile: f.Store.PasswordFile, CAFile: ca, ServerName: name,
		Replica:   f.Collector.Replica,
		Retention: retention(f.Store.Retention), MaxSamples: f.Collector.Query.Samples, Logger: logger,
	}
}

// StoreSchema is the text of the statements that make f's store.
func StoreSchema(f config.File) (string, error) {
	statements, err := clickhouse.Schema(f.Store.Cluster, f.Store.Database)
	return strings.Join(statements, ";\n\n") + ";\n", err
}

// retention puts the configuration's into the store's words.
func retention(r config.Retention) clickhouse.Retention {
	ages := func(raw, five, hour config.Age) clickhouse.Ages {
		return clickhouse.Ages{Raw: raw.Duration, FiveMinutes: five.Duration, Hour: hour.Duration}
	}
	all := clickhouse.Retention{Ages: ages(r.Raw, r.FiveMinutes, r.Hour)}
	for _, c := range r.Classes {
		all.Classes = append(all.Classes, clickhouse.Class{Name: c.Name, Metrics: c.Metrics.Regexp, Ages: ages(c.Raw, c.FiveMinutes, c.Hour)})
	}
	return all
}

// upkeepPeriod is how often the collector looks for hours to roll up.
const upkeepPeriod = time.Minute

// Upkeep computes the store's rollups and applies its retention. One process
// should do it; several are no harm.
func (s *Store) Upkeep() Part {
	return Part{Name: "store upkeep", Optional: true, Run: func(ctx context.Context) error {
		select {
		case <-s.ready:
		case <-ctx.Done():
			return nil
		}
		if db, err := s.DB(); db != nil {
			db.Upkeep(ctx, upkeepPeriod)
		} else {
			return err
		}
		return nil
	}}
}

// Embed is the embedded store in the same process. The client then waits for it,
// so that it never writes into another store that has the address.
func (s *Store) Embed(f config.File) Part {
	part := EmbeddedStore(f, s.logger)
	s.engine = part.Ready
	open := part.Run
	part.Run = func(ctx context.Context) error {
		err := open(ctx)
		if err != nil {
			s.unavailable(err)
		}
		return err
	}
	return part
}

const (
	connectTimeout   = 20 * time.Second
	firstReconnect   = 250 * time.Millisecond
	slowestReconnect = 15 * time.Second
	// startTime is what a store that is started together with the others may take.
	startTime = 5 * time.Second
)

// Part keeps trying to connect and to bring the schema up to date.
func (s *Store) Part() Part {
	return Part{Name: "store client", Ready: s.ready, Optional: true, Run: s.run}
}

func (s *Store) run(ctx context.Context) error {
	if s.engine != nil {
		select {
		case <-s.engine:
		case <-ctx.Done():
			return nil
		}
	}
	backoff := firstReconnect
	said := ""
	for began := time.Now(); ; {
		db, metrics, err := s.connect(ctx)
		if err == nil {
			s.mu.Lock()
			s.db, s.metrics = db, metrics
			s.mu.Unlock()
			s.available()
			close(s.ready)
			s.logger.Info("store connected", "url", s.options.URL)
			s.watch(ctx, db)
			return db.Close()
		}
		if ctx.Err() != nil {
			return nil
		}
		s.unavailable(err)
		starting := errors.Is(err, clickhouse.ErrUnavailable) && time.Since(began) < startTime
		if !starting && err.Error() != said {
			said = err.Error()
			s.logger.Error("the store cannot be used; the hot hours, rules and alerts go on, everything else waits on disk until it can", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, slowestReconnect)
	}
}

const (
	signPeriod  = 2 * time.Second
	signTimeout = 2 * time.Second
	// signsMissed in a row mean that the store is away.
	signsMissed = 2
)

// watch looks for signs of life until ctx ends. While there are none, calls fail
// at once and queries under way end, instead of waiting for a store that hangs.
func (s *Store) watch(ctx context.Context, db *clickhouse.DB) {
	period := time.NewTicker(signPeriod)
	defer period.Stop()
	missed, last := 0, time.Now()
	for {
		select {
		case <-ctx.Done():
			s.unavailable(errors.New("mcloud stops"))
			return
		case <-period.C:
		}
		bounded, cancel := context.WithTimeout(ctx, signTimeout)
		err := db.Alive(bounded)
		cancel()
		switch {
		case ctx.Err() != nil:
		case err == nil:
			if missed >= signsMissed {
				s.available()
				s.logger.Info("the store answers again", "away", time.Since(last).Round(time.Second).String())
			}
			missed, last = 0, time.Now()
		default:
			if missed++; missed == signsMissed {
				s.unavailable(err)
				s.logger.Error("the store does not answer; the hot hours, rules and alerts go on, everything else waits on disk until it does", "error", err)
			}
		}
	}
}

func (s *Store) available() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers, s.lost = context.WithCancelCause(context.Background())
	s.err = nil
}

func (s *Store) unavailable(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !errors.Is(err, clickhouse.ErrUnavailable) {
		err = fmt.Errorf("%w: %w", clickhouse.ErrUnavailable, err)
	}
	s.err = err
	if s.lost != nil {
		s.lost(err)
	}
}

func (s *Store) connect(ctx context.Context) (*clickhouse.DB, prometheus.Collector, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	// Of its own for each try, since metrics can be registered once only.
	registry := prometheus.NewRegistry()
	options := s.options
	options.Registerer = registry
	db, err := clickhouse.Open(ctx, options)
	if err != nil {
		return nil, nil, err
	}
	if err := db.Migrate(ctx); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, registry, nil
}

// Describe implements prometheus.Collector; the metrics are known once connected.
func (s *Store) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector with the metrics of the connection.
func (s *Store) Collect(to chan<- prometheus.Metric) {
	s.mu.RLock()
	metrics := s.metrics
	s.mu.RUnlock()
	if metrics != nil {
		metrics.Collect(to)
	}
}

// DB returns the connection, or an error that wraps clickhouse.ErrUnavailable
// and says why there is none.
func (s *Store) DB() (*clickhouse.DB, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.db, s.err
}

// Ready is closed once the store was reached.
func (s *Store) Ready() <-chan struct{} { return s.ready }

// WriteSamples implements shipper.Store.
func (s *Store) WriteSamples(ctx context.Context, token string, b shipper.Batch) error {
	db, err := s.DB()
	if err != nil {
		return err
	}
	return db.WriteSamples(ctx, token, clickhouse.Batch(b))
}

// WriteEvents implements the collector's record store.
func (s *Store) WriteEvents(ctx context.Context, events []mcloud.Event) error {
	db, err := s.DB()
	if err != nil {
		return err
	}
	return db.WriteEvents(ctx, events)
}

// WriteSlowQueries implements the collector's keeper of slow queries.
func (s *Store) WriteSlowQueries(ctx context.Context, queries []mcloud.SlowQuery) error {
	db, err := s.DB()
	if err != nil {
		return err
	}
	return db.WriteSlowQueries(ctx, queries)
}

// SlowQueries implements the collector's keeper of slow queries.
func (s *Store) SlowQueries(ctx context.Context, since time.Time, top int) ([]mcloud.SlowQuery, error) {
	db, err := s.DB()
	if err != nil {
		return nil, err
	}
	return db.SlowQueries(ctx, since, top)
}

// WriteInventory implements the collector's record store.
func (s *Store) WriteInventory(ctx context.Context, v mcloud.Inventory) error {
	db, err := s.DB()
	if err != nil {
		return err
	}
	_, err = db.WriteInventory(ctx, v)
	return err
}

// CanOverTime implements query.Evaluator.
func (s *Store) CanOverTime(function string) bool {
	db, err := s.DB()
	return err == nil && db.CanOverTime(function)
}

// OverTime implements query.Evaluator.
func (s *Store) OverTime(ctx context.Context, function string, start, end, step, window int64, matchers ...*labels.Matcher) ([]storage.Series, error) {
	db, err := s.DB()
	if err != nil {
		return nil, err
	}
	return db.OverTime(ctx, function, start, end, step, window, matchers...)
}

// Querier implements storage.Queryable.
func (s *Store) Querier(mint, maxt int64) (storage.Querier, error) {
	db, err := s.DB()
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	answers := s.answers
	s.mu.RUnlock()
	querier, err := db.Querier(mint, maxt)
	if err != nil {
		return nil, err
	}
	return newPatient(querier, answers), nil
}

// Objects implements the planner's inventory.
func (s *Store) Objects(ctx context.Context, cloud string, kind mcloud.Kind, at time.Time) ([]mcloud.Version, error) {
	db, err := s.DB()
	if err != nil {
		return nil, err
	}
	return db.Objects(ctx, cloud, kind, at)
}

// Versions implements the planner's inventory.
func (s *Store) Versions(ctx context.Context, cloud string, kind mcloud.Kind, from, to time.Time) ([]mcloud.Version, error) {
	db, err := s.DB()
	if err != nil {
		return nil, err
	}
	return db.Versions(ctx, cloud, kind, from, to)
}

// Events implements the planner's ledger.
func (s *Store) Events(ctx context.Context, f planner.EventFilter) ([]mcloud.Event, error) {
	db, err := s.DB()
	if err != nil {
		return nil, err
	}
	return db.Events(ctx, clickhouse.EventFilter{Cloud: f.Cloud, Sources: f.Sources, Kinds: f.Kinds, Severities: f.Severities, Project: f.Project, Resource: f.Resource, From: f.From, To: f.To, Limit: f.Limit})
}
