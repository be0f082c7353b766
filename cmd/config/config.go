// Package config reads mcloud.yaml, the one file of the product's own beside
// the ecosystem's (clouds.yaml, ceph.conf, Prometheus's sections). It is read
// strictly: a word it does not know is an error that names file, line and the
// word that was probably meant.
package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// ErrConfig is wrapped by every error of Load and Parse.
var ErrConfig = errors.New("configuration")

// File is a whole mcloud.yaml, with defaults filled in and paths absolute.
type File struct {
	// Path is where it was read from; relative paths in it are relative to its folder.
	Path string `yaml:"-"`

	// Cloud is what the cloud is called in labels, records and reports.
	Cloud string `yaml:"cloud"`
	// DataDir holds everything that is kept.
	DataDir string `yaml:"data_dir"`

	OpenStack     *OpenStack    `yaml:"openstack"`
	Notifications []Broker      `yaml:"notifications"`
	Ceph          []CephCluster `yaml:"ceph"`
	OVN           *OVN          `yaml:"ovn"`
	OVS           []OVSHost     `yaml:"ovs"`

	Exporter  Exporter  `yaml:"exporter"`
	Collector Collector `yaml:"collector"`
	Store     Store     `yaml:"store"`
	Planner   Planner   `yaml:"planner"`
	Access    Access    `yaml:"access"`
}

// Broker is a RabbitMQ with OpenStack's notifications.
type Broker struct {
	// URL is amqp://user@host:port/vhost; the password comes from the file or the
	// environment variable named, so that it stands in no configuration.
	URL          string   `yaml:"url"`
	PasswordFile string   `yaml:"password_file"`
	PasswordEnv  string   `yaml:"password_env"`
	Topics       []string `yaml:"topics"`
	// Queue is a durable queue of our own, bound to the services' exchanges.
	Queue     string   `yaml:"queue"`
	Exchanges []string `yaml:"exchanges"`
}

// CephCluster is one cluster, by its own conf and keyring.
type CephCluster struct {
	Name    string   `yaml:"name"`
	Conf    string   `yaml:"conf"`
	User    string   `yaml:"user"` // "client.exporter"
	Keyring string   `yaml:"keyring"`
	Sockets []string `yaml:"sockets"` // glob patterns of admin sockets on this host
	Perf    bool     `yaml:"perf"`
	Period  Duration `yaml:"period"` // default 15s
}

// OVN is where the two databases listen: "tcp:127.0.0.1:6641", a comma between
// the members of a raft cluster.
type OVN struct {
	Northbound string   `yaml:"northbound"`
	Southbound string   `yaml:"southbound"`
	CA         string   `yaml:"ca"`
	Cert       string   `yaml:"cert"`
	Key        string   `yaml:"key"`
	Period     Duration `yaml:"period"` // default 15s
}

// OVSHost is a host whose control sockets can be reached here.
type OVSHost struct {
	Host    string   `yaml:"host"`
	Sockets []string `yaml:"sockets"` // glob patterns of *.ctl
	// Database is where the host's Open_vSwitch database listens: "unix:/run/openvswitch/db.sock",
	// "tcp:127.0.0.1:6640". Empty means db.sock beside the control sockets.
	Database string `yaml:"database"`
}

// Collector scrapes, evaluates rules and ships.
type Collector struct {
	Listen    string `yaml:"listen"`
	WebConfig string `yaml:"web_config"`
	TLS       TLS    `yaml:"tls"`
	Insecure  bool   `yaml:"insecure"`
	URL       string `yaml:"url"` // where the other parts find it; default from Listen
	// Replica is this collector's name among those that scrape the same targets into one
	// store, "a" and "b"; empty for one alone.
	Replica        string   `yaml:"replica"`
	HotRetention   Duration `yaml:"hot_retention"`
	ScrapeInterval Duration `yaml:"scrape_interval"`
	Alertmanagers  []string `yaml:"alertmanagers"` // host:port, no scheme
	// AlertmanagerTLS is for https, AlertmanagerClient what is presented to them.
	AlertmanagerTLS    bool   `yaml:"alertmanager_tls"`
	AlertmanagerClient Client `yaml:"alertmanager_client"`
	Query              Query  `yaml:"query"`
	Limits             Limits `yaml:"limits"`
	// Prometheus are further sections of a Prometheus configuration
	// (scrape_configs, rule_files, alerting, global), added to our own.
	Prometheus yaml.Node `yaml:"prometheus"`
}

var replicaName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$`)

// Query bounds what queries of the API may cost, and says which are logged.
type Query struct {
	Timeout     Duration `yaml:"timeout"`     // of one, default 2 min
	Concurrency int      `yaml:"concurrency"` // at once, others wait; default 20
	// Samples that one may hold, default 50 million: 16 bytes each in the engine, and as
	// much again where they come from the long-term store.
	Samples int `yaml:"samples"`
	// NoPushDown keeps functions over time out of the long-term store's SQL.
	NoPushDown bool     `yaml:"no_push_down"`
	Log        bool     `yaml:"log"`  // every query, as lines of the log
	Slow       Duration `yaml:"slow"` // from when on one is logged in any case, and kept in the store; default 5 s
}

// Limits bound what is scraped and written to the collector (collector/ingest). Zero is
// the default, -1 no limit.
type Limits struct {
	Labels       int   `yaml:"labels"`        // of a series, 64
	LabelBytes   int   `yaml:"label_bytes"`   // of a name or value, 4096
	Series       int   `yaml:"series"`        // in the hot hours, 5,000,000
	JobSeries    int   `yaml:"job_series"`    // of one job, 2,000,000
	RequestBytes Bytes `yaml:"request_bytes"` // of a remote-write request, compressed, 16 MiB
}

func (l Limits) validate() error {
	for field, n := range map[string]int{"labels": l.Labels, "label_bytes": l.LabelBytes, "series": l.Series, "job_series": l.JobSeries} {
		if n < -1 {
			return fmt.Errorf("collector.limits.%s: %d, want a number above 0, or -1 for no limit", field, n)
		}
	}
	return nil
}

// Store is where everything is kept: the embedded engine, or a ClickHouse.
type Store struct {
	Listen   string `yaml:"listen"`
	TLS      TLS    `yaml:"tls"`
	Insecure bool   `yaml:"insecure"`
	// URL of a ClickHouse server's HTTP interface; empty means the embedded engine.
	URL      string `yaml:"url"`
	Database string `yaml:"database"`
	// Cluster names the servers' cluster on which the tables are made, sharded and
	// replicated; empty for one server.
	Cluster      string    `yaml:"cluster"`
	User         string    `yaml:"user"`
	PasswordFile string    `yaml:"password_file"`
	CA           string    `yaml:"ca"`
	Library      string    `yaml:"library"` // libchdb.so
	Memory       Bytes     `yaml:"memory"`  // bound of the embedded engine, default 2 GiB
	Cache        Bytes     `yaml:"cache"`   // of it for the engine's cache of marks, default a quarter, at most 256 MiB
	Threads      int       `yaml:"threads"` // of one statement in the embedded engine, default one a CPU
	Retention    Retention `yaml:"retention"`
}

// Embedded says whether the store runs in this product.
func (s Store) Embedded() bool { return s.URL == "" }

// Address is where clients of the store find it.
func (s Store) Address() string {
	if s.URL != "" {
		return s.URL
	}
	return Listener{Listen: s.Listen, TLS: s.TLS}.URL()
}

// bounds are those of the embedded engine.
func (s Store) bounds() error {
	switch {
	case s.Memory < 256<<20:
		return fmt.Errorf("store.memory: %d bytes, the engine needs 256MiB at least", s.Memory)
	case s.Cache < 0 || s.Cache > s.Memory/2:
		return fmt.Errorf("store.cache: %d bytes, want at most half of store.memory, which is %d", s.Cache, s.Memory)
	case s.Threads < 0 || s.Threads > 256:
		return fmt.Errorf("store.threads: %d, want 1 to 256, or none for one a CPU", s.Threads)
	}
	return nil
}

// Default addresses: loopback unless told otherwise.
const (
	DefaultCollectorListen = "127.0.0.1:9090"
	DefaultExporterListen  = "127.0.0.1:9198"
	DefaultStoreListen     = "127.0.0.1:8123"
	DefaultPlannerListen   = "127.0.0.1:9197"
)

// Default is a configuration with nothing to watch.
func Default() File {
	f := File{}
	f.defaults()
	return f
}

// Load reads the file at path.
func Load(path string) (File, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return File{}, fmt.Errorf("%w: %w; name the file with --config, an example is deploy/examples/mcloud.yaml", ErrConfig, err)
	}
	return Parse(path, content)
}

// Parse reads content as the file at path.
func Parse(path string, content []byte) (File, error) {
	f := File{}
	if err := decodeStrict(path, content, &f); err != nil {
		return File{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return File{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	f.Path = abs
	f.defaults()
	f.absolute(filepath.Dir(abs))
	if err := f.Validate(); err != nil {
		var at lineError
		if errors.As(err, &at) && at.line > 0 {
			path = fmt.Sprintf("%s:%d", path, at.line)
		}
		return File{}, fmt.Errorf("%w: %s: %w", ErrConfig, path, err)
	}
	return f, nil
}

func (f *File) defaults() {
	set := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	every := func(d *Duration, v time.Duration) {
		if *d == 0 {
			*d = Duration(v)
		}
	}
	set(&f.DataDir, "data")
	set(&f.Exporter.Listen, DefaultExporterListen)
	set(&f.Collector.Listen, DefaultCollectorListen)
	set(&f.Store.Listen, DefaultStoreListen)
	set(&f.Store.Database, "mcloud")
	set(&f.Planner.Listen, DefaultPlannerListen)
	every(&f.Collector.HotRetention, 6*time.Hour)
	every(&f.Collector.ScrapeInterval, 15*time.Second)
	if f.Store.Memory == 0 {
		f.Store.Memory = 2 << 30
	}
	f.Store.Retention.defaults()
	if f.OpenStack != nil {
		every(&f.OpenStack.Period, 30*time.Second)
	}
	if f.OVN != nil {
		every(&f.OVN.Period, 15*time.Second)
	}
	for i := range f.Ceph {
		set(&f.Ceph[i].User, "client.exporter")
		every(&f.Ceph[i].Period, 15*time.Second)
	}
	if p := f.Exporter.Pair; p != nil {
		every(&p.Takeover, 10*time.Second)
	}
	f.Planner.defaults()
	f.Access.defaults()
}

// absolute makes every path absolute, from the file's folder.
func (f *File) absolute(dir string) {
	fix := func(p *string) {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	for _, p := range []*string{&f.DataDir, &f.Exporter.WebConfig, &f.Collector.WebConfig, &f.Store.PasswordFile, &f.Store.CA, &f.Store.Library, &f.Planner.RateCard, &f.Planner.WebConfig} {
		fix(p)
	}
	for _, t := range []*TLS{&f.Exporter.TLS, &f.Collector.TLS, &f.Store.TLS, &f.Planner.TLS} {
		fix(&t.Cert)
		fix(&t.Key)
	}
	for _, p := range append(f.Access.files(), &f.Collector.AlertmanagerClient.TokenFile, &f.Collector.AlertmanagerClient.PasswordFile, &f.Collector.AlertmanagerClient.CA) {
		fix(p)
	}
	if f.OpenStack != nil {
		fix(&f.OpenStack.CloudsFile)
	}
	if p := f.Exporter.Pair; p != nil {
		fix(&p.CA)
		fix(&p.PasswordFile)
	}
	for i := range f.Notifications {
		fix(&f.Notifications[i].PasswordFile)
	}
	for i := range f.Ceph {
		fix(&f.Ceph[i].Conf)
		fix(&f.Ceph[i].Keyring)
		for j := range f.Ceph[i].Sockets {
			fix(&f.Ceph[i].Sockets[j])
		}
	}
	for i := range f.OVS {
		for j := range f.OVS[i].Sockets {
			fix(&f.OVS[i].Sockets[j])
		}
		if path, ok := strings.CutPrefix(f.OVS[i].Database, "unix:"); ok && path != "" {
			fix(&path)
			f.OVS[i].Database = "unix:" + path
		}
	}
	if f.OVN != nil {
		fix(&f.OVN.CA)
		fix(&f.OVN.Cert)
		fix(&f.OVN.Key)
	}
}

// Validate names the first field that cannot be so. It opens nothing: what is
// not there now may be there later, and the part that needs it says so then.
func (f File) Validate() error {
	if f.Cloud == "" {
		return errors.New("cloud: no name; it is the label \"cloud\" everywhere, for example: cloud: mycloud")
	}
	for field, address := range map[string]string{"exporter.listen": f.Exporter.Listen, "collector.listen": f.Collector.Listen, "store.listen": f.Store.Listen, "planner.listen": f.Planner.Listen} {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return fmt.Errorf("%s: %q is no address; write host:port, for example 127.0.0.1:9090", field, address)
		}
	}
	for name, l := range f.Listeners() {
		if err := l.TLS.validate(name + ".tls"); err != nil {
			return err
		}
	}
	if err := f.Access.validate(); err != nil {
		return err
	}
	if err := f.Collector.AlertmanagerClient.validate("collector.alertmanager_client"); err != nil {
		return err
	}
	if err := f.Exporter.validate(); err != nil {
		return err
	}
	if f.OpenStack != nil {
		if err := f.OpenStack.validate(); err != nil {
			return err
		}
	}
	for i, b := range f.Notifications {
		u, err := url.Parse(b.URL)
		if err != nil || u.Scheme != "amqp" && u.Scheme != "amqps" || u.Host == "" {
			return fmt.Errorf("notifications[%d].url: want amqp://user@host:port/vhost or amqps://…", i)
		}
		if len(b.Exchanges) > 0 && b.Queue == "" {
			return fmt.Errorf("notifications[%d].exchanges: only a queue of our own is bound to exchanges; set queue too", i)
		}
		if b.PasswordFile != "" && b.PasswordEnv != "" {
			return fmt.Errorf("notifications[%d]: password_file and password_env, one of them", i)
		}
	}
	names := map[string]bool{}
	for i, c := range f.Ceph {
		switch {
		case c.Name == "":
			return fmt.Errorf("ceph[%d].name: no name; it is the label \"cluster\"", i)
		case names[c.Name]:
			return fmt.Errorf("ceph[%d].name: %q is there twice", i, c.Name)
		case c.Conf == "" && len(c.Sockets) == 0:
			return fmt.Errorf("ceph[%d] (%s): neither conf nor sockets, so there is nothing to read", i, c.Name)
		}
		names[c.Name] = true
	}
	if f.OVN != nil && f.OVN.Southbound == "" && f.OVN.Northbound == "" {
		return errors.New("ovn: neither northbound nor southbound; write for example southbound: tcp:127.0.0.1:6642")
	}
	for i, h := range f.OVS {
		if h.Host == "" || len(h.Sockets) == 0 {
			return fmt.Errorf("ovs[%d]: wants host and sockets", i)
		}
		scheme, address, _ := strings.Cut(h.Database, ":")
		_, _, err := net.SplitHostPort(address)
		if h.Database != "" && (address == "" || scheme != "unix" && (scheme != "tcp" || err != nil)) {
			return fmt.Errorf("ovs[%d].database: %q, want unix:/run/openvswitch/db.sock or tcp:HOST:PORT; without it db.sock beside the sockets is read", i, h.Database)
		}
	}
	if s := f.Store.URL; s != "" {
		if !webAddress(s) {
			return errors.New("store.url: want the HTTP interface of a ClickHouse, http://host:8123 or https://host:8443")
		}
	}
	if f.Store.Cluster != "" && f.Store.Embedded() {
		return errors.New("store.cluster: the embedded engine is one server; set store.url to a server of the cluster")
	}
	if err := f.Store.bounds(); err != nil {
		return err
	}
	if err := f.Store.Retention.validate(); err != nil {
		return err
	}
	if err := f.Collector.Limits.validate(); err != nil {
		return err
	}
	if r := f.Collector.Replica; r != "" && !replicaName.MatchString(r) {
		return fmt.Errorf("collector.replica: %q, want a short name of letters, digits, dots and dashes, like a and b", r)
	}
	for i, a := range f.Collector.Alertmanagers {
		if _, _, err := net.SplitHostPort(a); err != nil || strings.Contains(a, "/") {
			return fmt.Errorf("collector.alertmanagers[%d]: %q, want host:port", i, a)
		}
	}
	return f.Planner.validate(names)
}

// Password is the store's, from its file; empty without one.
func (s Store) Password() (string, error) {
	if s.PasswordFile == "" {
		return "", nil
	}
	content, err := os.ReadFile(s.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("%w: store.password_file: %w", ErrConfig, err)
	}
	return strings.TrimRight(string(content), "\r\n"), nil
}

// Secret returns the broker's URL with its password.
func (b Broker) Secret() (string, error) {
	u, err := url.Parse(b.URL)
	if err != nil {
		return "", fmt.Errorf("%w: notifications.url is no URL", ErrConfig)
	}
	var password string
	switch {
	case b.PasswordFile != "":
		content, err := os.ReadFile(b.PasswordFile)
		if err != nil {
			return "", fmt.Errorf("%w: notifications.password_file: %w", ErrConfig, err)
		}
		password = strings.TrimRight(string(content), "\r\n")
	case b.PasswordEnv != "":
		var ok bool
		if password, ok = os.LookupEnv(b.PasswordEnv); !ok {
			return "", fmt.Errorf("%w: notifications.password_env: %s is not set", ErrConfig, b.PasswordEnv)
		}
	default:
		return b.URL, nil
	}
	u.User = url.UserPassword(u.User.Username(), password)
	return u.String(), nil
}
