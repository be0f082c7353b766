package collector

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
	"github.com/prometheus/prometheus/storage"

	"mcloud/collector/httpapi"
	"mcloud/collector/ingest"
	"mcloud/collector/query"
	"mcloud/collector/shipper"
)

// ErrConfig is wrapped by errors of the configuration, a rule file or the options:
// trying again without a change will not help.
var ErrConfig = errors.New("configuration")

// ErrInUse is wrapped when another collector uses the data directory.
var ErrInUse = errors.New("data directory is in use")

// Options of a Collector. DataDir and Config are required.
type Options struct {
	// DataDir keeps everything: hot (the TSDB), shipper, rules.
	DataDir string
	Config  ConfigSource
	// RuleFS holds rule files (*.yml, *.yaml at any depth) that come with the program,
	// besides those that the configuration names; may be nil.
	RuleFS fs.FS
	// Listen is the address of the HTTP API, by default 127.0.0.1:9090.
	Listen string
	// WebConfigFile is exporter-toolkit's file for TLS and basic authentication.
	WebConfigFile string
	// TLS serves with TLS; nil: plainly, or as WebConfigFile says.
	TLS *tls.Config
	// Guard stands before the API and decides who may ask it what; nil: everybody may.
	Guard func(http.Handler) http.Handler
	// ExternalURL is how people reach the API; alerts link to it. By default http://Listen.
	ExternalURL string
	// HotRetention is how long the TSDB keeps samples (6 h); they stay longer while
	// they are not shipped.
	HotRetention time.Duration
	// Store takes every sample for the long term; nil: nothing is shipped.
	Store shipper.Store
	// LongTerm answers for what the TSDB does not have; nil: nothing does.
	LongTerm storage.Queryable
	// LongTermAway tells LongTerm's errors that mean it is away; nil: network errors
	// and timeouts.
	LongTermAway func(error) bool
	// Replica is this collector's name among those that scrape the same targets into the
	// same store; empty: there are no others. Store writes it with every sample.
	Replica string
	// Evaluator computes for LongTerm where a query may be pushed down; nil: nothing is.
	Evaluator query.Evaluator
	// LongTermTooMuch tells LongTerm's errors that mean that a query would load too much;
	// nil: none do.
	LongTermTooMuch func(error) bool
	// LogQueries logs every query of the API; those slower than SlowQuery (5 s) always are.
	LogQueries bool
	SlowQuery  time.Duration
	// SlowQueries keeps the slow ones, and those that ran into a limit; nil: only the log
	// has them.
	SlowQueries SlowQueries
	// User is who asks what ctx belongs to; nil: that is not known.
	User func(ctx context.Context) string
	// Records keeps events and inventories; nil: they are put off with 503.
	Records httpapi.RecordStore
	// RecordsUnavailable tells errors of Records after which the same batch is welcome
	// later; nil: all but those wrapping mcloud.ErrInvalid.
	RecordsUnavailable func(error) bool
	// MaxHeldBytes bounds the disk for samples that are not shipped (16 GiB).
	MaxHeldBytes int64
	// FlushInterval is how long samples may wait for a fuller batch (5 s).
	FlushInterval time.Duration
	// Limits of one query.
	Limits query.Limits
	// Ingest are the limits of what is scraped and written.
	Ingest ingest.Limits
	// Version is shown to people and programs.
	Version string
	// Parts are shown on the status page; may be nil.
	Parts  func() []httpapi.Part
	Logger *slog.Logger
}

// SlowQueries is where slow queries are kept for good.
type SlowQueries interface {
	query.SlowStore
	httpapi.SlowQueries
}

// RuleQueryTimeout bounds what a rule waits for the long-term store.
const RuleQueryTimeout = 3 * time.Second

// ConfigSource is where the Prometheus configuration comes from.
type ConfigSource struct {
	// Name stands in error messages: the file's path.
	Name string
	// Dir is what relative paths in the configuration are relative to.
	Dir string
	// Load is called at start and at each reload.
	Load func(context.Context) ([]byte, error)
}

// FileConfig reads a file at each load.
func FileConfig(path string) ConfigSource {
	return ConfigSource{Name: path, Dir: filepath.Dir(path), Load: func(context.Context) ([]byte, error) { return os.ReadFile(path) }}
}

// StaticConfig is always the same.
func StaticConfig(name, dir string, yaml []byte) ConfigSource {
	return ConfigSource{Name: name, Dir: dir, Load: func(context.Context) ([]byte, error) { return yaml, nil }}
}

func (o *Options) complete() error {
	if o.DataDir == "" {
		return fmt.Errorf("%w: the collector needs a data directory", ErrConfig)
	}
	if o.Config.Load == nil {
		return fmt.Errorf("%w: the collector needs a Prometheus configuration", ErrConfig)
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:9090"
	}
	if o.HotRetention <= 0 {
		o.HotRetention = 6 * time.Hour
	}
	if o.Guard == nil {
		o.Guard = func(h http.Handler) http.Handler { return h }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Limits = o.Limits.WithDefaults()
	if o.ExternalURL != "" {
		u, err := url.Parse(o.ExternalURL)
		if err != nil || u.Scheme == "" || u.Host == "" {
			return fmt.Errorf("%w: external URL %q is not like https://host[:port]", ErrConfig, o.ExternalURL)
		}
	}
	if o.WebConfigFile != "" {
		if err := web.Validate(o.WebConfigFile); err != nil {
			return fmt.Errorf("%w: web configuration file %s: %w", ErrConfig, o.WebConfigFile, err)
		}
	}
	return nil
}
