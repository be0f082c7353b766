package conformance

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/config/clouds"

	"mcloud/deploy/sim"
)

var update = flag.Bool("update", false, "write the shapes of the lab's answers to testdata/shapes")

// probe is one question to an OpenStack cloud. {words} in its path are filled in
// from what the cloud has.
type probe struct {
	name    string // of its shape's file
	service string // catalogue type; "" for the identity service's auth URL
	method  string // GET when empty
	path    string
	version string // OpenStack-API-Version
	body    string
	status  int    // 200 when 0
	badAuth bool   // with a token that nobody gave
	says    string // what the answer's body must hold
	data    []string
	loose   []string
}

// probes are the calls that mCloud makes, and how each service refuses.
var probes = []probe{
	{name: "keystone_versions", path: "", loose: []string{"version.media-types"}},
	{name: "keystone_projects", path: "/projects", loose: []string{"projects[].options"}},
	{name: "keystone_domains", path: "/domains", loose: []string{"domains[].options"}},
	{name: "keystone_users", path: "/users", loose: []string{"users[].options", "users[].email", "users[].description"}},
	{name: "keystone_401", path: "/projects", status: 401, badAuth: true},
	{name: "keystone_404", path: "/projects/nope", status: 404},
	{name: "keystone_wrong_password", method: "POST", path: "/auth/tokens", status: 401, badAuth: true,
		body: `{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"admin","domain":{"id":"default"},"password":"wrong"}}}}}`},

	{name: "nova_versions", service: "compute", path: "/"},
	{name: "nova_401", service: "compute", path: "/servers/detail", status: 401, badAuth: true},
	{name: "nova_404", says: `"itemNotFound"`, service: "compute", path: "/servers/00000000-0000-4000-8000-000000000000", version: "compute 2.96", status: 404},
	{name: "nova_406", says: "Minimum is 2.1 and maximum is 2.100", service: "compute", path: "/servers", version: "compute 2.999", status: 406},
	{name: "nova_400_version", service: "compute", path: "/servers", version: "compute two", status: 400},
	{name: "nova_400_marker", service: "compute", path: "/servers/detail?marker=00000000-0000-4000-8000-000000000000", status: 400},
	{name: "nova_servers_2.1", service: "compute", path: "/servers/detail?all_tenants=1", version: "compute 2.1", data: serverData, loose: serverLoose},
	{name: "nova_servers_2.96", service: "compute", path: "/servers/detail?all_tenants=1", version: "compute 2.96", data: serverData, loose: serverLoose},
	{name: "nova_servers_2.100", service: "compute", path: "/servers/detail?all_tenants=1", version: "compute 2.100", data: serverData, loose: serverLoose},
	{name: "nova_servers_page", says: `"servers_links"`, service: "compute", path: "/servers?all_tenants=1&limit=1", version: "compute 2.96"},
	{name: "nova_server", service: "compute", path: "/servers/{server}", version: "compute 2.96", data: []string{"server.metadata", "server.addresses", "server.flavor.extra_specs", "server.image.properties"}, loose: []string{"server.fault", "server.progress", "server.security_groups", "server.image", "server.os-extended-volumes:volumes_attached", "server.OS-EXT-SRV-ATTR:user_data"}},
	{name: "nova_hypervisors_2.53", service: "compute", path: "/os-hypervisors/detail", version: "compute 2.53", loose: []string{"hypervisors[].cpu_info"}},
	{name: "nova_hypervisors_2.1", service: "compute", path: "/os-hypervisors/detail", version: "compute 2.1"},
	{name: "nova_hypervisors_2.96", service: "compute", path: "/os-hypervisors/detail", version: "compute 2.96"},
	{name: "nova_hypervisors_page", service: "compute", path: "/os-hypervisors/detail?limit=1", version: "compute 2.96"},
	{name: "nova_services_2.1", service: "compute", path: "/os-services", version: "compute 2.1"},
	{name: "nova_services_2.96", service: "compute", path: "/os-services", version: "compute 2.96"},
	{name: "nova_aggregates_2.1", service: "compute", path: "/os-aggregates", version: "compute 2.1", data: []string{"aggregates[].metadata"}},
	{name: "nova_aggregates_2.96", service: "compute", path: "/os-aggregates", version: "compute 2.96", data: []string{"aggregates[].metadata"}},
	{name: "nova_aggregate_404", service: "compute", path: "/os-aggregates/99999", version: "compute 2.96", status: 404},
	{name: "nova_aggregate_409", says: `"conflictingRequest"`, service: "compute", method: "POST", path: "/os-aggregates/{aggregate}/action", version: "compute 2.96", body: `{"add_host":{"host":"{aggregate_host}"}}`, status: 409},
	{name: "nova_flavors_2.1", service: "compute", path: "/flavors/detail?is_public=None", version: "compute 2.1"},
	{name: "nova_flavors_2.96", service: "compute", path: "/flavors/detail?is_public=None", version: "compute 2.96", data: []string{"flavors[].extra_specs"}},
	{name: "nova_zones", service: "compute", path: "/os-availability-zone", version: "compute 2.96"},
	{name: "nova_actions", service: "compute", path: "/servers/{server}/os-instance-actions", version: "compute 2.96"},
	{name: "nova_actions_2.1", service: "compute", path: "/servers/{server}/os-instance-actions", version: "compute 2.1"},
	{name: "nova_action", service: "compute", path: "/servers/{server}/os-instance-actions/{request}", version: "compute 2.96"},
	{name: "nova_quota", service: "compute", path: "/os-quota-sets/{project}/detail", version: "compute 2.96"},
	{name: "nova_limits", service: "compute", path: "/limits?tenant_id={project}", version: "compute 2.96"},
	{name: "nova_server_groups", service: "compute", path: "/os-server-groups?all_projects=True", version: "compute 2.96"},

	{name: "placement_versions", service: "placement", path: "/"},
	{name: "placement_401", service: "placement", path: "/resource_providers", status: 401, badAuth: true},
	{name: "placement_404", says: "placement.undefined_code", service: "placement", path: "/resource_providers/00000000-0000-4000-8000-000000000000", version: "placement 1.39", status: 404},
	{name: "placement_406", service: "placement", path: "/resource_providers", version: "placement 1.99", status: 406},
	{name: "placement_providers", service: "placement", path: "/resource_providers", version: "placement 1.39"},
	{name: "placement_provider", service: "placement", path: "/resource_providers/{provider}", version: "placement 1.39"},
	{name: "placement_inventories", service: "placement", path: "/resource_providers/{provider}/inventories", version: "placement 1.39"},
	{name: "placement_usages", service: "placement", path: "/resource_providers/{provider}/usages", version: "placement 1.39"},
	{name: "placement_traits_of", service: "placement", path: "/resource_providers/{provider}/traits", version: "placement 1.39"},
	{name: "placement_aggregates", service: "placement", path: "/resource_providers/{provider}/aggregates", version: "placement 1.39"},
	{name: "placement_allocations", service: "placement", path: "/resource_providers/{provider}/allocations", version: "placement 1.39", data: []string{"allocations", "allocations.*.resources"}},
	{name: "placement_consumer", service: "placement", path: "/allocations/{server}", version: "placement 1.39", data: []string{"allocations", "allocations.*.resources"}},
	{name: "placement_candidates", service: "placement", path: "/allocation_candidates?resources=VCPU:1,MEMORY_MB:64", version: "placement 1.39", data: []string{"provider_summaries", "allocation_requests[].allocations", "allocation_requests[].mappings"}},
	{name: "placement_traits", service: "placement", path: "/traits?name=startswith:COMPUTE_", version: "placement 1.39"},
	{name: "placement_trait_404", service: "placement", path: "/traits/CUSTOM_NOBODY_HAS_THIS", version: "placement 1.39", status: 404},
	{name: "placement_trait_400", service: "placement", method: "PUT", path: "/traits/NOT_CUSTOM", version: "placement 1.39", status: 400},
	{name: "placement_409", says: "placement.concurrent_update", service: "placement", method: "PUT", path: "/resource_providers/{provider}/traits", version: "placement 1.39", body: `{"resource_provider_generation":999999,"traits":[]}`, status: 409},
	{name: "placement_aggregates_409", says: "placement.concurrent_update", service: "placement", method: "PUT", path: "/resource_providers/{provider}/aggregates", version: "placement 1.39", body: `{"resource_provider_generation":999999,"aggregates":[]}`, status: 409},
	{name: "placement_inventory_409", says: "placement.concurrent_update", service: "placement", method: "PUT", path: "/resource_providers/{provider}/inventories/VCPU", version: "placement 1.39", body: `{"resource_provider_generation":999999,"total":1}`, status: 409},
	{name: "placement_usages_of", service: "placement", path: "/usages?project_id={project}", version: "placement 1.39", data: []string{"usages"}},

	{name: "cinder_401", service: "volumev3", path: "/volumes/detail", status: 401, badAuth: true},
	{name: "cinder_404", says: `"itemNotFound"`, service: "volumev3", path: "/volumes/00000000-0000-4000-8000-000000000000", status: 404},
	{name: "cinder_406", service: "volumev3", path: "/volumes/detail", version: "volume 3.999", status: 406},
	{name: "cinder_volumes_3.0", service: "volumev3", path: "/volumes/detail?all_tenants=1", version: "volume 3.0", data: volumeData, loose: volumeLoose},
	{name: "cinder_volumes_3.71", service: "volumev3", path: "/volumes/detail?all_tenants=1", version: "volume 3.71", data: volumeData, loose: volumeLoose},
	{name: "cinder_volumes_page", says: `"volumes_links"`, service: "volumev3", path: "/volumes/detail?all_tenants=1&limit=1", version: "volume 3.71", data: volumeData, loose: append([]string{"volumes[]"}, volumeLoose...)},
	{name: "cinder_types", service: "volumev3", path: "/types", version: "volume 3.71", data: []string{"volume_types[].extra_specs"}},
	{name: "cinder_snapshots", service: "volumev3", path: "/snapshots/detail?all_tenants=1", version: "volume 3.71", data: []string{"snapshots[].metadata"}, loose: []string{"snapshots_links"}},
	{name: "cinder_pools", service: "volumev3", path: "/scheduler-stats/get_pools?detail=true", version: "volume 3.71", loose: driverOwn},
	{name: "cinder_services", service: "volumev3", path: "/os-services", version: "volume 3.71"},
	{name: "cinder_quota", service: "volumev3", path: "/os-quota-sets/{project}?usage=true", version: "volume 3.71", loose: []string{"quota_set"}},

	{name: "neutron_401", service: "network", path: "/v2.0/networks", status: 401, badAuth: true},
	{name: "neutron_404", service: "network", path: "/v2.0/nothing-such", status: 404, loose: []string{""}},
	{name: "neutron_agents", service: "network", path: "/v2.0/agents", data: []string{"agents[].configurations"}},
	{name: "neutron_networks", service: "network", path: "/v2.0/networks"},
	{name: "neutron_networks_page", says: `"networks_links"`, service: "network", path: "/v2.0/networks?limit=1", loose: []string{"networks[]"}},
	{name: "neutron_subnets", service: "network", path: "/v2.0/subnets", loose: []string{"subnets[].allocation_pools", "subnets[].router:external"}},
	{name: "neutron_ports", service: "network", path: "/v2.0/ports", data: []string{"ports[].binding:profile", "ports[].binding:vif_details"}, loose: []string{"ports[].security_groups", "ports[].binding:profile", "ports[].binding:vif_details"}},
	{name: "neutron_ports_fields", service: "network", path: "/v2.0/ports?fields=id&fields=status"},
	{name: "neutron_routers", service: "network", path: "/v2.0/routers", loose: []string{"routers[].external_gateways"}},
	{name: "neutron_floatingips", service: "network", path: "/v2.0/floatingips", loose: []string{"floatingips[].port_forwardings"}},
	{name: "neutron_availabilities", service: "network", path: "/v2.0/network-ip-availabilities"},
	{name: "neutron_security_groups", service: "network", path: "/v2.0/security-groups", loose: []string{"security_groups[].security_group_rules"}},
	{name: "neutron_quota", service: "network", path: "/v2.0/quotas/{project}/details.json", loose: []string{"quota"}},

	{name: "keystone_services", path: "/services", loose: []string{"services[].description"}},
	{name: "keystone_endpoints", path: "/endpoints"},
	{name: "keystone_regions", path: "/regions"},
	{name: "keystone_groups", path: "/groups", loose: []string{"groups"}},
	{name: "nova_migrations", service: "compute", path: "/os-migrations?limit=1000", version: "compute 2.96", loose: []string{"migrations", "migrations[].links", "migrations_links"}},
	{name: "cinder_count", service: "volumev3", path: "/volumes?all_tenants=1&limit=1&with_count=true", version: "volume 3.71", says: `"count"`},
	{name: "cinder_backups", service: "volumev3", path: "/backups/detail?all_tenants=1", version: "volume 3.71", loose: []string{"backups"}},
	{name: "cinder_groups", service: "volumev3", path: "/groups/detail?all_tenants=1", version: "volume 3.71", loose: []string{"groups"}},
	{name: "cinder_transfers", service: "volumev3", path: "/os-volume-transfer?all_tenants=1", version: "volume 3.71", loose: []string{"transfers"}},
	{name: "cinder_qos", service: "volumev3", path: "/qos-specs", version: "volume 3.71", loose: []string{"qos_specs"}},
	{name: "neutron_extensions", service: "network", path: "/v2.0/extensions"},
	{name: "neutron_quotas", service: "network", path: "/v2.0/quotas", loose: []string{"quotas"}},
	{name: "neutron_quota_default", service: "network", path: "/v2.0/quotas/{project}/default"},
	{name: "neutron_security_group_rules", service: "network", path: "/v2.0/security-group-rules?fields=id&fields=project_id&fields=direction&fields=ethertype"},
	{name: "neutron_segments", service: "network", path: "/v2.0/segments"},
	{name: "neutron_subnetpools", service: "network", path: "/v2.0/subnetpools", loose: []string{"subnetpools"}},
	{name: "neutron_address_scopes", service: "network", path: "/v2.0/address-scopes", loose: []string{"address_scopes"}},
	{name: "neutron_rbac_policies", service: "network", path: "/v2.0/rbac-policies"},
	{name: "neutron_trunks", service: "network", path: "/v2.0/trunks?fields=id&fields=status", loose: []string{"trunks"}},
	{name: "neutron_qos_policies", service: "network", path: "/v2.0/qos/policies?fields=id&fields=shared", loose: []string{"policies"}},

	{name: "glance_images", service: "image", path: "/v2/images?visibility=all&os_hidden=false", loose: []string{"images"}},
	{name: "glance_tasks", service: "image", path: "/v2/tasks", loose: []string{"tasks"}},
	{name: "glance_stores", service: "image", path: "/v2/info/stores/detail", loose: []string{"stores[].properties", "stores[].default"}},
	{name: "heat_stacks", service: "orchestration", path: "/stacks?global_tenant=true"},
	{name: "heat_services", service: "orchestration", path: "/services"},
	{name: "octavia_loadbalancers", service: "load-balancer", path: "/v2/lbaas/loadbalancers?fields=id&fields=name&fields=project_id&fields=provider&fields=provisioning_status&fields=operating_status&fields=vip_address"},
	{name: "octavia_listeners", service: "load-balancer", path: "/v2/lbaas/listeners?fields=id&fields=protocol&fields=operating_status"},
	{name: "octavia_pools", service: "load-balancer", path: "/v2/lbaas/pools?fields=id&fields=members&fields=lb_algorithm&fields=loadbalancers"},
	{name: "octavia_quotas", service: "load-balancer", path: "/v2/lbaas/quotas", loose: []string{"quotas"}},
	{name: "octavia_quota_defaults", service: "load-balancer", path: "/v2/lbaas/quotas/defaults"},
	{name: "octavia_providers", service: "load-balancer", path: "/v2/lbaas/providers"},
	{name: "barbican_secrets", service: "key-manager", path: "/v1/secrets?limit=100", loose: []string{"secrets"}},
	{name: "barbican_orders", service: "key-manager", path: "/v1/orders?limit=100", loose: []string{"orders"}},
	{name: "barbican_containers", service: "key-manager", path: "/v1/containers?limit=100", loose: []string{"containers"}},
	{name: "barbican_quotas", service: "key-manager", path: "/v1/quotas"},
	{name: "designate_zones", service: "dns", path: "/v2/zones", loose: []string{"zones", "metadata"}},
	{name: "designate_pools", service: "dns", path: "/v2/pools"},
	{name: "designate_services", service: "dns", path: "/v2/service_statuses"},
	{name: "designate_quotas", service: "dns", path: "/v2/quotas"},
	{name: "masakari_segments", service: "instance-ha", path: "/segments"},
	{name: "masakari_notifications", service: "instance-ha", path: "/notifications", loose: []string{"notifications[].payload"}},

	{name: "glance_versions", service: "image", path: "/", status: 300, loose: []string{"versions[].links"}},
	{name: "heat_versions", service: "orchestration", path: "^/", status: 300, loose: []string{"versions[].links"}},
	{name: "barbican_versions", service: "key-manager", path: "/", status: 300, loose: []string{"versions"}},
	{name: "octavia_versions", service: "load-balancer", path: "/", loose: []string{"versions[].links"}},
	{name: "designate_versions", service: "dns", path: "/", loose: []string{"versions"}},
	{name: "masakari_versions", service: "instance-ha", path: "^/", loose: []string{"versions[].links"}},
}

var (
	serverData  = []string{"servers[].metadata", "servers[].addresses", "servers[].flavor.extra_specs", "servers[].image.properties", "servers[].scheduler_hints"}
	serverLoose = []string{"servers[].fault", "servers[].progress", "servers[].security_groups", "servers[].image", "servers_links", "servers[].scheduler_hints"}
	volumeData  = []string{"volumes[].metadata", "volumes[].volume_image_metadata"}
	volumeLoose = []string{"volumes[].volume_image_metadata", "volumes_links"}
	// driverOwn are capabilities that each driver reports as it likes; the RBD
	// driver is simulated, the lab has one of its own.
	driverOwn = []string{
		"pools[].capabilities.location_info", "pools[].capabilities.replication_enabled", "pools[].capabilities.online_extend_support",
		"pools[].capabilities.total_volumes", "pools[].capabilities.filter_function", "pools[].capabilities.goodness_function", "pools[].capabilities.QoS_support",
		"pools[].capabilities.cacheable", "pools[].capabilities.consistencygroup_support", "pools[].capabilities.disk_type",
	}
)

// testCloud is an OpenStack cloud to ask.
type testCloud struct {
	authURL, token string
	catalogue      map[string]string // public URL by type
	words          map[string]string // for {…} in paths
	client         http.Client
}

// connect authenticates with an entry of a clouds.yaml.
func connect(ctx context.Context, file, name string) (*testCloud, error) {
	auth, _, _, err := clouds.Parse(clouds.WithLocations(file), clouds.WithCloudName(name))
	if err != nil {
		return nil, err
	}
	c := &testCloud{authURL: strings.TrimSuffix(auth.IdentityEndpoint, "/"), catalogue: map[string]string{}, words: map[string]string{}, client: http.Client{Timeout: time.Minute}}
	project := "admin"
	if auth.Scope != nil && auth.Scope.ProjectName != "" {
		project = auth.Scope.ProjectName
	}
	body := fmt.Sprintf(`{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":%q,"domain":{"name":"Default"},"password":%q}}},"scope":{"project":{"name":%q,"domain":{"name":"Default"}}}}}`,
		auth.Username, auth.Password, project)
	answer, err := c.send(ctx, http.MethodPost, c.authURL+"/auth/tokens", nil, body)
	if err != nil {
		return nil, err
	}
	if answer.status != http.StatusCreated {
		return nil, fmt.Errorf("authentication at %s: status %d", c.authURL, answer.status)
	}
	c.token = answer.header.Get("X-Subject-Token")
	var token struct {
		Token struct {
			Project struct{ ID string }
			Catalog []struct {
				Type      string
				Endpoints []struct{ Interface, URL string }
			}
		}
	}
	if err := json.Unmarshal(answer.body, &token); err != nil {
		return nil, err
	}
	c.words["project"] = token.Token.Project.ID
	for _, s := range token.Token.Catalog {
		for _, e := range s.Endpoints {
			if e.Interface == "public" {
				c.catalogue[s.Type] = strings.TrimSuffix(e.URL, "/")
			}
		}
	}
	return c, c.learn(ctx)
}

// learn fills in words: a server with a host, its project and a request of it, a provider, an
// aggregate with a host.
func (c *testCloud) learn(ctx context.Context) error {
	var servers struct{ Servers []map[string]any }
	var providers struct {
		ResourceProviders []struct{ UUID, Name string } `json:"resource_providers"`
	}
	var aggregates struct {
		Aggregates []struct {
			ID    int
			Hosts []string
		}
	}
	if err := errors.Join(
		c.get(ctx, "compute", "/servers/detail?all_tenants=1&status=ACTIVE", "compute 2.96", &servers),
		c.get(ctx, "placement", "/resource_providers", "placement 1.39", &providers),
		c.get(ctx, "compute", "/os-aggregates", "compute 2.96", &aggregates),
	); err != nil {
		return err
	}
	for _, s := range servers.Servers {
		if host, _ := s["OS-EXT-SRV-ATTR:hypervisor_hostname"].(string); host != "" {
			c.words["server"], c.words["project"] = s["id"].(string), s["tenant_id"].(string)
			for _, p := range providers.ResourceProviders {
				if p.Name == host {
					c.words["provider"] = p.UUID
				}
			}
		}
	}
	for _, a := range aggregates.Aggregates {
		if len(a.Hosts) > 0 {
			c.words["aggregate"], c.words["aggregate_host"] = fmt.Sprint(a.ID), a.Hosts[0]
		}
	}
	var actions struct {
		InstanceActions []struct {
			Request string `json:"request_id"`
		}
	}
	if err := c.get(ctx, "compute", "/servers/"+c.words["server"]+"/os-instance-actions", "compute 2.96", &actions); err != nil {
		return err
	}
	for _, a := range actions.InstanceActions {
		c.words["request"] = a.Request
	}
	return nil
}

func (c *testCloud) get(ctx context.Context, service, path, version string, into any) error {
	answer, err := c.send(ctx, http.MethodGet, c.catalogue[service]+path, map[string]string{"OpenStack-API-Version": version, "X-Auth-Token": c.token}, "")
	if err != nil {
		return err
	}
	if answer.status != http.StatusOK {
		return fmt.Errorf("GET %s: status %d: %.300s", path, answer.status, answer.body)
	}
	return json.Unmarshal(answer.body, into)
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

func (c *testCloud) send(ctx context.Context, method, url string, header map[string]string, body string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for k, v := range header {
		request.Header.Set(k, v)
	}
	request.Header.Set("Accept", "application/json")
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(io.LimitReader(response.Body, 64<<20))
	return answer{response.StatusCode, response.Header, b}, err
}

// ask sends a probe and returns the Shape of its answer, with the headers that
// matter as paths of their own.
func (c *testCloud) ask(ctx context.Context, p probe) (Shape, error) {
	fill := func(s string) string {
		for word, value := range c.words {
			s = strings.ReplaceAll(s, "{"+word+"}", value)
		}
		return s
	}
	base := c.authURL
	if p.service != "" {
		if base = c.catalogue[p.service]; base == "" {
			return nil, fmt.Errorf("the catalogue has no %s", p.service)
		}
	}
	path := p.path
	if rest, atRoot := strings.CutPrefix(path, "^"); atRoot { // above the endpoint's version and project
		path = rest
		if at := strings.Index(base, "/v1"); at > 0 {
			base = base[:at]
		}
	}
	header := map[string]string{"X-Auth-Token": c.token}
	if p.badAuth {
		header["X-Auth-Token"] = "nobody-gave-this"
	}
	if p.version != "" {
		header["OpenStack-API-Version"] = p.version
	}
	a, err := c.send(ctx, cmp.Or(p.method, http.MethodGet), base+fill(path), header, fill(p.body))
	if err != nil {
		return nil, err
	}
	if want := cmp.Or(p.status, http.StatusOK); a.status != want {
		return nil, fmt.Errorf("status %d, want %d: %.300s", a.status, want, a.body)
	}
	if !bytes.Contains(a.body, []byte(p.says)) {
		return nil, fmt.Errorf("the answer does not say %q: %.300s", p.says, a.body)
	}
	if strings.Contains(fill(p.path), "{") {
		return nil, fmt.Errorf("the cloud has nothing for %s", p.path)
	}
	var body any
	if len(bytes.TrimSpace(a.body)) > 0 {
		if err := json.Unmarshal(a.body, &body); err != nil {
			return nil, fmt.Errorf("%w: %.300s", err, a.body)
		}
	}
	data := map[string]bool{}
	for _, d := range p.data {
		data[d] = true
	}
	shape := shapeOf(body, data)
	for _, name := range []string{"OpenStack-API-Version", "X-Openstack-Nova-Api-Version", "Www-Authenticate", "X-Openstack-Request-Id"} {
		if a.header.Get(name) != "" {
			shape["@"+name] = &Node{Types: map[string]bool{"string": true}}
		}
	}
	return shape, nil
}

func shapeFile(kind, name string) string {
	return filepath.Join("testdata", "shapes", kind, name+".txt")
}

func readShape(kind, name string) (Shape, error) {
	b, err := os.ReadFile(shapeFile(kind, name))
	if err != nil {
		return nil, err
	}
	s, err := parseShape(string(b))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", shapeFile(kind, name), err)
	}
	return s, nil
}

func writeShape(t *testing.T, kind, name string, s Shape) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(shapeFile(kind, name)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(shapeFile(kind, name), []byte(s.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// hold compares a shape with the lab's recorded one.
func hold(t *testing.T, kind, name string, got Shape, loose []string) {
	t.Helper()
	want, err := readShape(kind, name)
	if err != nil {
		t.Fatalf("%v; record it with MCLOUD_LAB_CLOUDS=… go test -run Lab -update", err)
	}
	for _, d := range differences(want, got, loose) {
		t.Errorf("%s: %s", name, d)
	}
}

// TestSimOpenStackIsShapedAsTheLab asks the simulated cloud every probe.
func TestSimOpenStackIsShapedAsTheLab(t *testing.T) {
	_, file := serveSim(t, func(o *sim.Options) { o.Servers, o.Volumes = 200, 250 })
	c, err := connect(t.Context(), file, "demo")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range probes {
		t.Run(p.name, func(t *testing.T) {
			got, err := c.ask(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			hold(t, "openstack", p.name, got, p.loose)
		})
	}
}

// TestLabOpenStack records the lab's shapes, or holds the lab itself to what was
// recorded, so that a changed lab is noticed too.
func TestLabOpenStack(t *testing.T) {
	file := os.Getenv("MCLOUD_LAB_CLOUDS")
	if file == "" {
		t.Skip("MCLOUD_LAB_CLOUDS names no clouds.yaml of a lab")
	}
	c, err := connect(t.Context(), file, cmp.Or(os.Getenv("MCLOUD_LAB_CLOUD"), "lab-admin"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range probes {
		t.Run(p.name, func(t *testing.T) {
			got, err := c.ask(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				writeShape(t, "openstack", p.name, got)
				return
			}
			hold(t, "openstack", p.name, got, p.loose)
		})
	}
}

// TestShapeDifferences: the comparison must be able to fail.
func TestShapeDifferences(t *testing.T) {
	parse := func(s string) Shape {
		var v any
		if err := json.Unmarshal([]byte(s), &v); err != nil {
			t.Fatal(err)
		}
		return shapeOf(v, map[string]bool{"m": true})
	}
	for _, c := range []struct{ want, got, differences string }{
		{`{"a":1,"b":[{"c":"x"}]}`, `{"a":2,"b":[{"c":"y"},{"c":"z"}]}`, ``},
		{`{"a":1}`, `{"a":"1"}`, `a is string, want number`},
		{`{"a":1,"b":2}`, `{"a":1}`, `b is missing (number)`},
		{`{"a":1}`, `{"a":1,"b":2}`, `b is invented`},
		{`{"b":[]}`, `{"b":[{"c":1}]}`, ``},
		{`{"b":[{"c":1}]}`, `{"b":[]}`, ``},
		{`{"b":[{"c":1},{}]}`, `{"b":[{}]}`, ``},
		{`{"b":[{"c":1,"d":1}]}`, `{"b":[{"c":1}]}`, `b[].d is missing (number)`},
		{`{"a":null}`, `{"a":"x"}`, ``},
		{`{"a":"x"}`, `{"a":null}`, `a is null, want string`},
		{`[{"a":"x"},{"a":null}]`, `[{"a":null}]`, ``},
		{`{"m":{"k1":{"v":1}}}`, `{"m":{"k2":{"v":"1"}}}`, `m.*.v is string, want number`},
	} {
		want, err := parseShape(parse(c.want).String())
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(differences(want, parse(c.got), nil), "; "); got != c.differences {
			t.Errorf("%s against %s: %q, want %q", c.got, c.want, got, c.differences)
		}
	}
}
