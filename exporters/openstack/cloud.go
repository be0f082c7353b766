// Package openstack is one authenticated connection to an OpenStack cloud, made
// for looking at it again and again while parts of it are broken.
//
// Connect reads clouds.yaml and asks nothing yet: an unreachable Keystone is an
// error of each look, not of the program's start. All services share one token,
// which is renewed before it expires and once after a 401; each login reads
// clouds.yaml anew, so a changed password needs no restart. Every call has a
// deadline, a cap on the answer's size, and a place in its API's budget (calls
// in flight and per second); a 429 or 503 pauses its API for the time that
// Retry-After asks for, within a bound. Get and List are all that the packages
// keystone, placement, nova, cinder and neutron need: List follows pages, keeps
// the objects that decode and names those that do not. The package only reads;
// the one POST it makes is for its token.
//
// What a round costs in calls is said by each service's package, and summed up
// in exporters/README.md.
package openstack

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Options say which cloud to connect to, and how gently.
type Options struct {
	// CloudsFile is a clouds.yaml; when empty it is looked for as the openstack
	// client does: $OS_CLIENT_CONFIG_FILE, ./, ~/.config/openstack/, /etc/openstack/.
	CloudsFile string
	// Cloud is its entry; $OS_CLOUD when empty.
	Cloud string
	// Name is what the cloud is called in the label "cloud" and in records;
	// Cloud when empty.
	Name string
	// Region and Interface ("public", "internal", "admin") override clouds.yaml.
	Region, Interface string
	// SystemScope asks for a token scoped to the system instead of a project.
	SystemScope bool
	// RequestTimeout bounds one call with its answer; 30 s if zero.
	RequestTimeout time.Duration
	// MaxAnswerBytes bounds one answer, decompressed; 64 MiB if zero.
	MaxAnswerBytes int64
	// Budgets by API name ("nova"); BudgetOf for the others.
	Budgets map[string]Budget
	// CatalogAge is how old the catalogue may be when an endpoint of it cannot be
	// reached: an older one is read again, for the service may have moved. 1
	// minute if zero. Without such a fault it is read anew each 15 minutes.
	CatalogAge time.Duration
	// MaxMicroversions lowers the newest microversion asked for, by API name.
	MaxMicroversions map[string]string
	// Logger is slog.Default() if nil.
	Logger *slog.Logger
}

// API is one OpenStack service as its package knows it.
type API struct {
	Name string // "nova"; names calls, budgets and errors
	// Types are its names in the catalogue, the best first.
	Types []string
	// Version is the path segment of its major version, appended to an endpoint
	// that has none: "v2.1". Empty for an API without one.
	Version string
	// Header is its name in OpenStack-API-Version; empty when the API has no
	// microversions. Min and Max are the range that its package understands.
	Header   string
	Min, Max Microversion
	// OwnHeader carries the microversion, alone, of an API that does not know
	// OpenStack-API-Version: "X-OpenStack-Manila-API-Version".
	OwnHeader string
	// Unscoped cuts what follows the version in the endpoint's path, because it
	// names one project and the paths asked for name their own: Swift's
	// /v1/AUTH_….
	Unscoped bool
	// Always are headers of each call: Designate's X-Auth-All-Projects.
	Always map[string]string
	// Markers says that lists do not link to their next page: a page with as many
	// objects as the query's limit is followed by one that starts behind its last
	// object (Heat, Masakari).
	Markers bool
	// Offsets says that where the links to the next page lead is not to be believed:
	// a page with one, or with as many objects as the query's limit, is followed by
	// the one at the next offset (Manila, which ignores the marker that its own
	// links have).
	Offsets bool
}

// Cloud is a connection. Its methods may be called concurrently.
type Cloud struct {
	name   string
	opts   Options
	creds  *credentialFile
	http   *http.Client
	log    *slog.Logger
	tokens *tokens

	projects projects

	mu       sync.Mutex
	versions map[string]*negotiation // by API name
}

// Connect reads the credentials and makes ready; it does not call the cloud. An
// error is about the configuration and names the file and the entry.
func Connect(_ context.Context, opts Options) (*Cloud, error) {
	opts.RequestTimeout = cmp.Or(opts.RequestTimeout, 30*time.Second)
	opts.MaxAnswerBytes = cmp.Or(opts.MaxAnswerBytes, 64<<20)
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	opts.CatalogAge = cmp.Or(opts.CatalogAge, time.Minute)
	creds, err := readClouds(opts)
	if err != nil {
		return nil, err
	}
	c := &Cloud{
		name: cmp.Or(opts.Name, creds.cloud), opts: opts, creds: newCredentialFile(opts, creds),
		log: opts.Logger, versions: map[string]*negotiation{},
	}
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.TLSClientConfig = creds.tls
	base.MaxIdleConnsPerHost = 8
	c.http = &http.Client{
		Transport: newTransport(base, opts),
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			// The token must not travel to another host.
			if req.URL.Host != via[0].URL.Host || len(via) > 3 {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
	c.projects.busy = make(chan struct{}, 1)
	c.tokens = &tokens{renew: c.authenticate, changed: c.creds.changed, busy: make(chan struct{}, 1)}
	return c, nil
}

// Name is what the cloud is called in labels and records.
func (c *Cloud) Name() string { return c.name }

// Close gives up idle connections.
func (c *Cloud) Close() { c.http.CloseIdleConnections() }

// Admin says whether the account's token carries the role "admin". Without it
// some services hide what belongs to other projects instead of refusing.
func (c *Cloud) Admin(ctx context.Context) (bool, error) {
	t, err := c.tokens.get(ctx)
	if err != nil {
		return false, err
	}
	return t.admin, nil
}

// ProjectID is the project that the account's token belongs to; "" for a token of
// the system or a domain. Barbican and Swift show it its own, whatever its role.
func (c *Cloud) ProjectID(ctx context.Context) (string, error) {
	t, err := c.tokens.get(ctx)
	if err != nil {
		return "", err
	}
	return t.project, nil
}

// Endpoint is where the catalogue says that the API is, as it stands there. When
// it has no such service the error wraps exporters.ErrAbsent.
func (c *Cloud) Endpoint(ctx context.Context, api API) (string, error) {
	t, err := c.tokens.get(ctx)
	if err != nil {
		return "", err
	}
	return c.endpoint(t.catalog, api.Types)
}

// identityURL is the root of Keystone's v3 API by clouds.yaml, without a slash
// at its end.
func identityURL(authURL string) (string, error) {
	u, err := url.Parse(strings.TrimRight(authURL, "/"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", errNoURL
	}
	return withVersion(u, "v3").String(), nil
}
