// Package clickhouse is the long-term store, and the only place of the product
// with SQL in it: the schema (migrations), the writers of samples, events and
// objects, and their readers, among them a Prometheus storage.Queryable.
//
// It talks to a ClickHouse server and to the embedded store alike, over HTTP.
// Every write may be repeated without harm: samples carry a token that the
// store remembers, events have ids, inventories are compared with what is there.
package clickhouse

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// Options say which store to use and how long to wait for it.
type Options struct {
	// URL is http://host:8123 or https://host:8443. A user in it is refused:
	// URLs end up in logs.
	URL string
	// Database must exist; "mcloud" when empty.
	Database string
	// Cluster is the name of a ClickHouse cluster that the tables are made on, sharded
	// and replicated (cluster.go); empty for one server.
	Cluster string
	// User is "default" when empty. The password is Password, or the first line
	// of PasswordFile.
	User, Password, PasswordFile string
	// CAFile holds the certificates, PEM, that an https server is checked
	// against, instead of the system's.
	CAFile string
	// ServerName is what its certificate is for, when it is not the URL's host.
	ServerName string
	// ReadTimeout and WriteTimeout bound one call; 2 min and 1 min when 0.
	ReadTimeout, WriteTimeout time.Duration
	// Retention is how long samples and rollups are kept, DefaultAges where it is
	// 0: see Retain. Events and objects are kept for ever.
	Retention Retention
	// Replica names the collector whose samples this process writes, where several scrape
	// the same targets; empty for one alone. Readers see one series of all replicas.
	Replica string
	// MaxSamples bounds what one Select loads, 50 million when 0.
	MaxSamples int
	// GatherFrom is how much time a piece of a range has, from which on its samples are
	// gathered in the store; those of shorter ones, of a few samples each, are sent, which
	// costs less. 1 h when 0.
	GatherFrom time.Duration
	// Connections bounds those at a time, 8 when 0.
	Connections int
	Logger      *slog.Logger
	// Now is the clock by which hours are over; time.Now when nil.
	Now func() time.Time
	// Registerer receives the package's metrics; nil for none.
	Registerer prometheus.Registerer
}

// minVersion is the oldest server accepted: the first long-term version in
// whose series all settings and functions used here are documented.
var minVersion = [2]uint64{24, 8}

// DB is an open store, for concurrent use.
type DB struct {
	options     Options
	conn        clickhouse.Conn
	alive       http.Client // apart from conn, whose connections may all be busy
	series      registry
	inventories inventories
	marker      marker
	days        wholeDays
	metrics     metrics
}

// Open connects, and checks the user, the database and the server's version.
// Errors wrap ErrUnavailable, ErrRefused, ErrNoDatabase or ErrOldServer. It
// does not touch the schema, see Migrate.
func Open(ctx context.Context, o Options) (*DB, error) {
	db, err := New(o)
	if err != nil {
		return nil, err
	}
	if err := db.Check(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// New is Open without a store that answers: it looks at the options only. Calls
// connect when they need to, and fail with ErrUnavailable until they can.
func New(o Options) (*DB, error) {
	if o.Database == "" {
		o.Database = "mcloud"
	}
	if o.User == "" {
		o.User = "default"
	}
	if o.ReadTimeout == 0 {
		o.ReadTimeout = 2 * time.Minute
	}
	if o.WriteTimeout == 0 {
		o.WriteTimeout = time.Minute
	}
	o.Retention = o.Retention.withDefaults()
	if err := o.Retention.validate(); err != nil {
		return nil, err
	}
	if o.MaxSamples == 0 {
		o.MaxSamples = 50_000_000
	}
	if o.GatherFrom == 0 {
		o.GatherFrom = time.Hour
	}
	if o.Connections == 0 {
		o.Connections = 8
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	client, err := o.client()
	if err != nil {
		return nil, err
	}
	conn, err := clickhouse.Open(client)
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", o.URL, err)
	}
	db := &DB{options: o, conn: conn, alive: http.Client{Transport: &http.Transport{TLSClientConfig: client.TLS.Clone(), DialContext: (&net.Dialer{Timeout: dialTimeout}).DialContext}}}
	db.series.init()
	db.inventories.init()
	db.marker.init()
	db.days.first = 1
	if err := db.metrics.init(o.Registerer); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return db, nil
}

// dialTimeout bounds the wait for a connection.
const dialTimeout = 10 * time.Second

// client is the driver's configuration.
func (o Options) client() (*clickhouse.Options, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("store address %q: want http://host:8123 or https://host:8443", redact(o.URL))
	}
	if u.User != nil {
		return nil, fmt.Errorf("store address %q: give user and password apart from it", u.Redacted())
	}
	password := o.Password
	if o.PasswordFile != "" {
		b, err := os.ReadFile(o.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("the store's password: %w", err)
		}
		password, _, _ = strings.Cut(string(b), "\n")
		password = strings.TrimSuffix(password, "\r")
	}
	c := &clickhouse.Options{
		Protocol:        clickhouse.HTTP,
		Addr:            []string{u.Host},
		HttpUrlPath:     u.Path,
		Auth:            clickhouse.Auth{Database: o.Database, Username: o.User, Password: password},
		DialTimeout:     dialTimeout,
		ReadTimeout:     max(o.ReadTimeout, o.WriteTimeout),
		MaxOpenConns:    o.Connections,
		MaxIdleConns:    o.Connections,
		ConnMaxLifetime: time.Hour,
		Settings: clickhouse.Settings{
			// A gathered insert is acknowledged without the table having it.
			"async_insert": 0,
			// A server lets a query run on when its reader has left, unless told.
			"cancel_http_readonly_queries_on_client_close": 1,
			// Long lists of ids.
			"max_query_size": 16 << 20,
		},
	}
	if o.Cluster != "" {
		maps.Copy(c.Settings, clusterSettings())
	}
	if u.Port() == "" {
		c.Addr[0] += map[string]string{"http": ":8123", "https": ":8443"}[u.Scheme]
	}
	if u.Scheme == "https" {
		c.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: cmp.Or(o.ServerName, u.Hostname())}
		if o.CAFile != "" {
			pem, err := os.ReadFile(o.CAFile)
			if err != nil {
				return nil, fmt.Errorf("the store's CA: %w", err)
			}
			c.TLS.RootCAs = x509.NewCertPool()
			if !c.TLS.RootCAs.AppendCertsFromPEM(pem) {
				return nil, fmt.Errorf("the store's CA: %s holds no PEM certificate", o.CAFile)
			}
		}
	} else if o.CAFile != "" {
		return nil, fmt.Errorf("store address %q is not https, but a CA is configured", o.URL)
	}
	return c, nil
}

// redact hides a password in what is not even a URL.
func redact(s string) string {
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		return "…" + s[at:]
	}
	return s
}

// Check does what Open does after New.
func (db *DB) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	// First a question: ServerVersion takes no context and would dial without.
	if err := db.ask(ctx, "connecting"); err != nil {
		return err
	}
	version, err := db.conn.ServerVersion()
	if err != nil {
		return db.wrap(ctx, "connecting", err)
	}
	if v := version.Version; v.Major < minVersion[0] || v.Major == minVersion[0] && v.Minor < minVersion[1] {
		return fmt.Errorf("%w: %s runs %d.%d, mcloud needs ClickHouse %d.%d or newer", ErrOldServer, db.options.URL, v.Major, v.Minor, minVersion[0], minVersion[1])
	}
	return nil
}

// Ping asks the store for a sign of life in the configured database.
func (db *DB) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	return db.ask(ctx, "asking")
}

func (db *DB) ask(ctx context.Context, doing string) error {
	var one uint8
	return db.wrap(ctx, doing, db.conn.QueryRow(ctx, "SELECT 1").Scan(&one))
}

// Alive asks whether anything answers at the store's address, which a busy
// store does at once and one that hangs does not. It logs in nowhere.
func (db *DB) Alive(ctx context.Context) error {
	const doing = "asking for a sign of life"
	u, err := url.JoinPath(db.options.URL, "ping")
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	response, err := db.alive.Do(request)
	if err != nil {
		return db.wrap(ctx, doing, err)
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("%w: %s (%s): %s", ErrUnavailable, doing, u, response.Status)
	}
	return nil
}

// Close ends all connections. Calls under way fail.
func (db *DB) Close() error {
	db.alive.CloseIdleConnections()
	return db.conn.Close()
}
