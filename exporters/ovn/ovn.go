// Package ovn looks at an OVN deployment through its two databases: chassis and
// what is bound to them, gateways and where they are, logical objects by project,
// how far behind the northbound configuration each chassis is, and the members of
// clustered databases. Sources is where to start; it reads through
// exporters/ovn/ovsdb and writes nothing.
//
// Each database is followed ("monitor"), not listed: at the start its rows come
// once, afterwards only what changes. Rows are counted as they come and go and
// not kept, so that 120,000 ports cost a few counters. A look is one request to
// the server in use, and one to each member of the databases.
package ovn

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/ovn/ovsdb"
)

// Config says where the databases are. Cloud and at least one of the endpoint
// lists are required.
type Config struct {
	Cloud string
	// Southbound and Northbound are the members of each database:
	// "tcp:10.0.0.1:6642", "ssl:10.0.0.1:6642", "unix:/run/ovn/ovnsb_db.sock".
	Southbound, Northbound []string
	// CACert, Cert and Key are PEM files for ssl endpoints.
	CACert, Cert, Key string
	Period            time.Duration    // 15 s if zero
	Now               func() time.Time // nil means time.Now
}

// longestLook leaves time for the first one: of 120,000 ports the databases send
// about 100 MB. A server that does not answer is left much earlier.
const longestLook = 45 * time.Second

// Sources returns a look at each database that has endpoints and one at their
// members. close ends what the looks hold open. An error names the endpoint or
// file that cannot be right.
func Sources(cfg Config) (sources []exporters.Source, close func(), err error) {
	if cfg.Cloud == "" {
		return nil, nil, errors.New("ovn: no cloud is named")
	}
	if len(cfg.Southbound)+len(cfg.Northbound) == 0 {
		return nil, nil, fmt.Errorf("ovn of cloud %s: neither southbound nor northbound endpoints; give those of ovn-sbctl and ovn-nbctl", cfg.Cloud)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	config, err := cfg.tls()
	if err != nil {
		return nil, nil, fmt.Errorf("ovn of cloud %s: %w", cfg.Cloud, err)
	}
	d := &deployment{cfg: cfg, period: cmp.Or(cfg.Period, 15*time.Second)}
	if err := errors.Join(
		d.add(d.southbound(), "ovn_southbound", "OVN_Southbound", cfg.Southbound, config),
		d.add(d.northbound(), "ovn_northbound", "OVN_Northbound", cfg.Northbound, config),
	); err != nil {
		return nil, nil, fmt.Errorf("ovn of cloud %s: %w", cfg.Cloud, err)
	}
	d.sources = append(d.sources, d.source("ovn_members", memberFamilies, 10*time.Second, d.lookAtMembers))
	return d.sources, d.close, nil
}

// Families are all metrics of the package, each once.
func Families() []*exporters.Family {
	return slices.Concat(southboundFamilies, northboundFamilies, memberFamilies)
}

func (cfg Config) tls() (*tls.Config, error) {
	if cfg.CACert == "" && cfg.Cert == "" && cfg.Key == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(cfg.CACert)
	if err != nil {
		return nil, fmt.Errorf("CA certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("CA certificate: %s holds none in PEM form", cfg.CACert)
	}
	pair, err := tls.LoadX509KeyPair(cfg.Cert, cfg.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate and key: %w", err)
	}
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12,
		// OVN's certificates name no host; as all OVN programs do, the chain alone
		// is checked, by VerifyConnection.
		InsecureSkipVerify: true, VerifyConnection: chainOnly(roots)}, nil
}

func chainOnly(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		between := x509.NewCertPool()
		for _, c := range state.PeerCertificates[1:] {
			between.AddCert(c)
		}
		_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		return err
	}
}

// deployment is what its looks share.
type deployment struct {
	cfg       Config
	period    time.Duration
	sources   []exporters.Source
	databases []*database

	// What was seen at the look before, each used by one Source only.
	roles, registered, current, gateways, sessions exporters.Transitions

	mu    sync.Mutex // guards north
	north northView
}

// northView is what the southbound look needs of the northbound database.
type northView struct {
	at     time.Time // zero before the first
	nbCfg  int64
	nbTime time.Time // when northd saw nbCfg; zero if never
	// owner is the project by Logical_Switch or Logical_Router.
	owner map[ovsdb.ID]string
}

// fresh is the view that is not older than a few looks.
func (d *deployment) fresh() (northView, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.north, !d.north.at.IsZero() && d.cfg.Now().Sub(d.north.at) < 3*d.period
}

// half is the southbound or the northbound side.
type half struct {
	families []*exporters.Family
	queries  func(context.Context) []ovsdb.Query
	start    func(context.Context, ovsdb.Has) ovsdb.Fold
	read     func(context.Context, ovsdb.State, ovsdb.Fold) (*exporters.Snapshot, error)
}

// database is one of the two.
type database struct {
	options ovsdb.Options
	watch   *ovsdb.Watch
}

func (d *deployment) add(h half, name, db string, endpoints []string, config *tls.Config) error {
	if len(endpoints) == 0 {
		return nil
	}
	b := &database{options: ovsdb.Options{Database: db, Endpoints: slices.Clone(endpoints), TLS: config}}
	b.watch = ovsdb.NewWatch(b.options, h.queries, h.start)
	d.databases = append(d.databases, b)
	d.sources = append(d.sources, d.source(name, h.families, longestLook, func(ctx context.Context) (snap *exporters.Snapshot, err error) {
		start := time.Now()
		err = b.watch.Look(ctx, func(s ovsdb.State, f ovsdb.Fold) (err error) {
			snap, err = h.read(ctx, s, f)
			return err
		})
		countCall(ctx, start, err)
		if err != nil {
			return nil, err
		}
		return snap, nil
	}))
	return b.options.Parse()
}

func (d *deployment) source(name string, families []*exporters.Family, timeout time.Duration, collect exporters.CollectorFunc) exporters.Source {
	return exporters.Source{
		Name: name, System: "ovn", Period: d.period, Timeout: timeout,
		Const: map[string]string{"cloud": d.cfg.Cloud}, Families: families, Collector: collect,
	}
}

func (d *deployment) close() {
	for _, b := range d.databases {
		b.watch.Close()
	}
}

func countCall(ctx context.Context, start time.Time, err error) {
	code := "0"
	if err != nil {
		code = exporters.KindOf(err)
	}
	exporters.CountCall(ctx, "ovsdb", code, time.Since(start))
}
