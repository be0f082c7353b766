// Package ovn looks at an OVN deployment through its two databases: what the
// southbound one says of chassis and port bindings, and how far behind the
// northbound one's configuration each of them is. Sources is where to start; it
// reads through exporters/ovn/ovsdb and writes nothing.
package ovn

import (
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
	Now               func() time.Time // nil means time.Now
}

// Sources returns a look at each database that has endpoints. An error names
// the endpoint or file that cannot be right.
func Sources(cfg Config) ([]exporters.Source, error) {
	if cfg.Cloud == "" {
		return nil, errors.New("ovn: no cloud is named")
	}
	if len(cfg.Southbound)+len(cfg.Northbound) == 0 {
		return nil, fmt.Errorf("ovn of cloud %s: neither southbound nor northbound endpoints; give those of ovn-sbctl and ovn-nbctl", cfg.Cloud)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	config, err := cfg.tls()
	if err != nil {
		return nil, fmt.Errorf("ovn of cloud %s: %w", cfg.Cloud, err)
	}
	var all []exporters.Source
	add := func(name, db string, endpoints []string, families []*exporters.Family, read func(context.Context, *ovsdb.Conn) (*exporters.Snapshot, error)) error {
		if len(endpoints) == 0 {
			return nil
		}
		d := &database{options: ovsdb.Options{Database: db, Endpoints: slices.Clone(endpoints), TLS: config}, read: read}
		all = append(all, exporters.Source{
			Name: name, System: "ovn", Period: 15 * time.Second, Timeout: 12 * time.Second,
			Const: map[string]string{"cloud": cfg.Cloud}, Families: families, Collector: exporters.CollectorFunc(d.collect),
		})
		return d.options.Parse()
	}
	if err := errors.Join(
		add("ovn_southbound", "OVN_Southbound", cfg.Southbound, southboundFamilies, cfg.readSouthbound),
		add("ovn_northbound", "OVN_Northbound", cfg.Northbound, northboundFamilies, cfg.readNorthbound),
	); err != nil {
		return nil, fmt.Errorf("ovn of cloud %s: %w", cfg.Cloud, err)
	}
	return all, nil
}

// Families are all metrics of the package, each once.
func Families() []*exporters.Family { return slices.Concat(southboundFamilies, northboundFamilies) }

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

// database is one of the two. Each look connects anew, first to the member
// that answered last: the loss of a member costs one look nothing but time.
type database struct {
	options ovsdb.Options
	read    func(context.Context, *ovsdb.Conn) (*exporters.Snapshot, error)

	mu   sync.Mutex
	last string
}

func (d *database) collect(ctx context.Context) (*exporters.Snapshot, error) {
	start := time.Now()
	snap, err := d.look(ctx)
	code := "0"
	if err != nil {
		code = exporters.KindOf(err)
	}
	exporters.CountCall(ctx, "ovsdb", code, time.Since(start))
	return snap, err
}

func (d *database) look(ctx context.Context) (*exporters.Snapshot, error) {
	conn, err := ovsdb.Open(ctx, d.inOrder())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	d.mu.Lock()
	d.last = conn.Endpoint
	d.mu.Unlock()
	return d.read(ctx, conn)
}

func (d *database) inOrder() ovsdb.Options {
	d.mu.Lock()
	defer d.mu.Unlock()
	options := d.options
	options.Endpoints = slices.Clone(d.options.Endpoints)
	if i := slices.Index(options.Endpoints, d.last); i > 0 {
		options.Endpoints = append([]string{d.last}, slices.Delete(options.Endpoints, i, i+1)...)
	}
	return options
}
