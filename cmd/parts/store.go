package parts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/prometheus/storage"

	"mcloud"
	"mcloud/cmd/config"
	"mcloud/collector/clickhouse"
	"mcloud/collector/embedded"
	"mcloud/collector/shipper"
	"mcloud/planner"
)

// EmbeddedStore is ClickHouse's engine in this process, served over HTTP. It is
// optional: without it the hot hours and the alerts go on.
func EmbeddedStore(f config.File, logger *slog.Logger) Part {
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
			s, err := embedded.Open(embedded.Options{
				Path:        filepath.Join(f.DataDir, "store"),
				Library:     f.Store.Library,
				Listen:      f.Store.Listen,
				User:        f.Store.User,
				Password:    password,
				MemoryBytes: int64(f.Store.Memory),
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

// Store is the client of the store. It connects in the background and again
// after losses: until then every call says why it cannot be answered.
type Store struct {
	options clickhouse.Options
	logger  *slog.Logger
	ready   chan struct{}

	mu  sync.RWMutex
	db  *clickhouse.DB
	err error // why there is no db
}

// errConnecting stands until the first try has ended.
var errConnecting = errors.New("the store is being connected to")

// NewStore makes the client of f's store.
func NewStore(f config.File, logger *slog.Logger) *Store {
	return &Store{
		options: clickhouse.Options{URL: f.Store.Address(), Database: f.Store.Database, User: f.Store.User, PasswordFile: f.Store.PasswordFile, CAFile: f.Store.CA, Logger: logger},
		logger:  logger,
		ready:   make(chan struct{}),
		err:     errConnecting,
	}
}

const (
	connectTimeout   = 20 * time.Second
	firstReconnect   = 250 * time.Millisecond
	slowestReconnect = 15 * time.Second
)

// Part keeps trying to connect and to bring the schema up to date.
func (s *Store) Part() Part {
	return Part{Name: "store client", Ready: s.ready, Optional: true, URL: func() string { return s.options.URL }, Run: s.run}
}

func (s *Store) run(ctx context.Context) error {
	backoff := firstReconnect
	said := ""
	for began := time.Now(); ; {
		db, err := s.connect(ctx)
		if err == nil {
			s.mu.Lock()
			s.db, s.err = db, nil
			s.mu.Unlock()
			close(s.ready)
			s.logger.Info("store connected", "url", s.options.URL)
			<-ctx.Done()
			return db.Close()
		}
		if ctx.Err() != nil {
			return nil
		}
		s.mu.Lock()
		s.err = fmt.Errorf("%w: %w", clickhouse.ErrUnavailable, err)
		s.mu.Unlock()
		// An embedded store needs a moment to open: that is no news.
		if err.Error() != said && time.Since(began) > 3*time.Second {
			said = err.Error()
			s.logger.Error("store does not answer; the hot hours, rules and alerts go on, records wait on disk", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, slowestReconnect)
	}
}

func (s *Store) connect(ctx context.Context) (*clickhouse.DB, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	db, err := clickhouse.Open(ctx, s.options)
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
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

// WriteInventory implements the collector's record store.
func (s *Store) WriteInventory(ctx context.Context, v mcloud.Inventory) error {
	db, err := s.DB()
	if err != nil {
		return err
	}
	_, err = db.WriteInventory(ctx, v)
	return err
}

// Querier implements storage.Queryable.
func (s *Store) Querier(mint, maxt int64) (storage.Querier, error) {
	db, err := s.DB()
	if err != nil {
		return nil, err
	}
	return db.Querier(mint, maxt)
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
	return db.Events(ctx, clickhouse.EventFilter{Cloud: f.Cloud, Sources: f.Sources, Kinds: f.Kinds, Project: f.Project, Resource: f.Resource, From: f.From, To: f.To})
}
