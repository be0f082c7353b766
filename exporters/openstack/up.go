package openstack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	v3 "github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"

	"mcloud/exporters"
)

var (
	apiUp = &exporters.Family{
		Name: "openstack_api_up", Type: exporters.Gauge, Set: exporters.SetBase, Labels: []string{"service"}, Call: "GET version document",
		Help: "Whether the service's API answers when asked for its versions: 1 yes, 0 no answer or a server error.",
	}
	apiSeconds = &exporters.Family{
		Name: "openstack_api_response_seconds", Unit: "seconds", Type: exporters.Gauge, Set: exporters.SetBase, Labels: []string{"service"}, Call: "GET version document",
		Help: "How long the service's API took to say its versions; absent when it did not answer.",
	}
	apiCertificate = &exporters.Family{
		Name: "openstack_api_certificate_expiry_timestamp_seconds", Unit: "seconds", Type: exporters.Gauge, Set: exporters.SetBase, Labels: []string{"service"}, Call: "GET version document",
		Help: "When the first of the certificates that the service's endpoint shows expires, as seconds since 1970, also when it is refused because it did; absent without TLS.",
	}
)

// UpConfig configures UpSource.
type UpConfig struct {
	Period time.Duration // 1 minute if zero
}

// UpSource asks every service of the catalogue for its versions, without a
// token, so that it says whether the API is there and nothing else. While
// Keystone is away the catalogue of the last login serves.
func UpSource(c *Cloud, cfg UpConfig) exporters.Source {
	if cfg.Period <= 0 {
		cfg.Period = time.Minute
	}
	return exporters.Source{
		Name: "openstack_api", System: "openstack", Period: cfg.Period, Timeout: cfg.Period,
		Const: map[string]string{"cloud": c.name}, Families: []*exporters.Family{apiUp, apiSeconds, apiCertificate},
		Collector: exporters.CollectorFunc(c.collectUp),
	}
}

// upTimeout bounds the answer of one version document.
const upTimeout = 10 * time.Second

func (c *Cloud) collectUp(ctx context.Context) (*exporters.Snapshot, error) {
	services := map[string]string{"keystone": c.creds.current().auth.IdentityEndpoint}
	var problems []error
	t, err := c.tokens.get(ctx)
	if err != nil {
		problems = append(problems, fmt.Errorf("the catalogue may be old: %w", err))
		t = c.tokens.last()
	}
	if t != nil {
		for name, types := range catalogued(t.catalog) {
			at, err := c.endpoint(t.catalog, types)
			if errors.Is(err, exporters.ErrAbsent) {
				continue // it is in another region, or has no endpoint of our interface
			}
			if err != nil {
				problems = append(problems, err)
				continue
			}
			if name != "keystone" {
				services[name] = at
			}
		}
	}
	s := &exporters.Snapshot{}
	var mu sync.Mutex
	var wait sync.WaitGroup
	for name, at := range services {
		wait.Go(func() {
			v, err := c.knock(ctx, name, at)
			mu.Lock()
			defer mu.Unlock()
			s.Seen++
			if !v.Expires.IsZero() {
				s.Add(apiCertificate, float64(v.Expires.Unix()), name)
			}
			if err != nil {
				s.Add(apiUp, 0, name)
				s.Failed = append(s.Failed, exporters.ObjectError{Object: "API of " + name, Err: err})
				return
			}
			s.Add(apiUp, 1, name)
			s.Add(apiSeconds, v.Took.Seconds(), name)
		})
	}
	wait.Wait()
	slices.SortFunc(s.Failed, func(a, b exporters.ObjectError) int { return strings.Compare(a.Object, b.Object) })
	return s, errors.Join(problems...)
}

// knock asks for the document of all versions, which lies before the version in
// the endpoint's path; where a proxy publishes only the versioned path, that one.
func (c *Cloud) knock(ctx context.Context, name, endpoint string) (Visit, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return Visit{}, fmt.Errorf("the catalogue's endpoint is not a URL: %q", endpoint)
	}
	places := []string{root(u)}
	switch name {
	case "swift":
		places = []string{root(u) + "info"} // swift has no version document
	case "horizon":
		places = []string{endpoint} // nor has a web page
	}
	if versioned := versionRoot(u); versioned != places[0] && name != "horizon" {
		places = append(places, versioned)
	}
	ctx, cancel := context.WithTimeout(ctx, upTimeout)
	defer cancel()
	for i, at := range places {
		v, err := c.Visit(ctx, name, at, "application/json", maxKnockBytes)
		switch {
		case err != nil && v.Code == 0:
			e := c.asError(name, http.MethodGet, at, err)
			e.Message = "" // the path has the host already
			return v, e
		case v.Code == http.StatusNotFound && i < len(places)-1:
		case v.Code == http.StatusNotFound || v.Code >= 500:
			return v, statusError(name, at, v.Code, v.Body)
		default:
			// Also a 401 or 403: the API is there and wants a token for this.
			return v, err
		}
	}
	return Visit{}, errors.New("no version document")
}

// maxKnockBytes bounds a version document.
const maxKnockBytes = 1 << 20

// known are the services by the types that they have in catalogues, the best
// type first.
var known = map[string][]string{
	"keystone": {"identity"}, "nova": {"compute"}, "placement": {"placement"}, "neutron": {"network"}, "glance": {"image"},
	"cinder": {"block-storage", "volumev3", "block-store", "volume", "volumev2"},
	"heat":   {"orchestration"}, "heat-cfn": {"cloudformation"}, "octavia": {"load-balancer"}, "designate": {"dns"},
	"barbican": {"key-manager"}, "masakari": {"instance-ha", "ha"}, "swift": {"object-store"},
	"manila": {"shared-file-system", "sharev2", "share"}, "ironic": {"baremetal"}, "ironic-inspector": {"baremetal-introspection"},
	"magnum": {"container-infrastructure-management", "container-infra"}, "trove": {"database"}, "gnocchi": {"metric"},
	"ceilometer": {"metering"}, "aodh": {"alarm", "alarming"}, "cloudkitty": {"rating"}, "watcher": {"infra-optim"},
	"mistral": {"workflow", "workflowv2"}, "horizon": {"dashboard"},
}

// catalogued gives the types of each service that the catalogue has; one that
// is not known goes by its type.
func catalogued(catalog []v3.CatalogEntry) map[string][]string {
	services := map[string][]string{}
	for _, e := range catalog {
		name, types := e.Type, []string{e.Type}
		for project, has := range known {
			if slices.Contains(has, e.Type) {
				name, types = project, has
			}
		}
		services[name] = types
	}
	return services
}
