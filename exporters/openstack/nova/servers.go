package nova

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// server is what is kept of Nova's answer. User data (10 kB of base64 in some),
// addresses, keys and passwords have no field here on purpose.
type server struct {
	ID         string         `json:"id"`
	Name       string         `json:"name"`
	Status     string         `json:"status"`
	Project    string         `json:"tenant_id"`
	Created    openstack.Time `json:"created"`
	Updated    openstack.Time `json:"updated"`
	Launched   openstack.Time `json:"OS-SRV-USG:launched_at"`
	Terminated openstack.Time `json:"OS-SRV-USG:terminated_at"`
	TaskState  string         `json:"OS-EXT-STS:task_state"`
	PowerState int            `json:"OS-EXT-STS:power_state"`
	Host       string         `json:"OS-EXT-SRV-ATTR:host"`
	Hypervisor string         `json:"OS-EXT-SRV-ATTR:hypervisor_hostname"`
	Zone       string         `json:"OS-EXT-AZ:availability_zone"`
	PinnedZone string         `json:"pinned_availability_zone"`
	Locked     bool           `json:"locked"`
	Image      image          `json:"image"`
	Volumes    []struct {
		ID string `json:"id"`
	} `json:"os-extended-volumes:volumes_attached"`
	Flavor struct {
		Name       string            `json:"original_name"`
		VCPUs      int64             `json:"vcpus"`
		RAM        int64             `json:"ram"`
		Disk       int64             `json:"disk"`
		Ephemeral  int64             `json:"ephemeral"`
		Swap       openstack.Int     `json:"swap"`
		ExtraSpecs map[string]string `json:"extra_specs"`
	} `json:"flavor"`
}

// image is present as an object, and "" for a server that boots from a volume.
type image bool

func (i *image) UnmarshalJSON(b []byte) error {
	*i = image(len(b) > 0 && b[0] == '{')
	return nil
}

// overlap is asked for again with each changes-since: clocks have whole seconds,
// and a database's replica may lag.
const overlap = time.Minute

type serversCollector struct {
	cloud   *openstack.Cloud
	cfg     Config
	hosts   *hostIndex
	changed *queue

	all     map[string]server    // by id, as of the last look; nil before the first
	gone    map[string]time.Time // deleted servers by id, with the time of their last change
	groups  map[string][]string  // server group ids by server
	full    time.Time            // when all were listed last
	since   time.Time            // by Nova's clock, what was seen until
	deleted bool                 // whether the first look's deleted servers were read
}

// Collect takes one look. It is not called concurrently.
func (c *serversCollector) Collect(ctx context.Context) (*exporters.Snapshot, error) {
	start := time.Now().UTC()
	var list openstack.Listing[server]
	var err, errGroups, errHosts, errDeleted error
	if c.all == nil || start.Sub(c.full) >= c.cfg.FullEvery {
		list, err = c.lookAtAll(ctx, start)
		errGroups = c.readGroups(ctx)
	} else {
		list, err = c.list(ctx, url.Values{"changes-since": {c.since.Add(-overlap).Format(time.RFC3339)}})
		c.merge(list.Objects)
		if err == nil {
			c.since = list.Time
		}
	}
	if c.all == nil {
		return nil, err
	}
	s := &exporters.Snapshot{Seen: len(c.all) + len(list.Failed), Failed: list.Failed}
	if !c.hosts.known() {
		errHosts = c.nameHosts(ctx)
	}
	if !c.deleted {
		errDeleted = c.lookAtDeleted(ctx, start)
	}
	if refused := c.changed.refused(); refused > 0 {
		s.Failed = append(s.Failed, exporters.ObjectError{Object: "actions of servers", Err: fmt.Errorf("%d servers changed while the queue was full; their actions are not read", refused)})
	}
	c.addSamples(s)
	s.Inventories = []mcloud.Inventory{c.inventory(start, err == nil && len(list.Failed) == 0)}
	return s, errors.Join(err, errGroups, errHosts, errDeleted)
}

func (c *serversCollector) list(ctx context.Context, query url.Values) (openstack.Listing[server], error) {
	query.Set("all_tenants", "1")
	query.Set("limit", "500")
	return openstack.List[server](ctx, c.cloud, api, "/servers/detail", "servers", query)
}

// lookAtAll lists all servers. When the list broke off, what
// came is merged into what was known, so that nothing disappears.
func (c *serversCollector) lookAtAll(ctx context.Context, now time.Time) (openstack.Listing[server], error) {
	list, err := c.list(ctx, url.Values{})
	if err != nil && len(list.Objects) == 0 {
		return list, err
	}
	if err == nil {
		present := make(map[string]bool, len(list.Objects))
		for _, v := range list.Objects {
			present[v.ID] = true
		}
		for id, v := range c.all {
			if !present[id] && len(list.Failed) == 0 {
				delete(c.all, id)
				c.changed.add(id, v.Project, now) // deleted while nobody looked
			}
		}
		c.full, c.since = now, list.Time
	}
	c.merge(list.Objects)
	return list, err
}

// merge takes over what a list says and queues what changed for its actions.
func (c *serversCollector) merge(list []server) {
	if c.all == nil && len(list) > 0 || c.all == nil && !c.full.IsZero() {
		c.all, c.gone = map[string]server{}, map[string]time.Time{}
	}
	for _, v := range list {
		if v.Status == "DELETED" {
			delete(c.all, v.ID)
			if !c.gone[v.ID].Equal(v.Updated.Time) {
				c.gone[v.ID] = v.Updated.Time
				c.changed.add(v.ID, v.Project, v.Updated.Time)
			}
			continue
		}
		before, known := c.all[v.ID]
		if !known || !before.Updated.Equal(v.Updated.Time) || before.TaskState != v.TaskState || before.Status != v.Status {
			c.changed.add(v.ID, v.Project, v.Updated.Time)
		}
		c.all[v.ID] = v
	}
	for id, at := range c.gone {
		if c.since.Sub(at) > time.Hour {
			delete(c.gone, id)
		}
	}
}

// lookAtDeleted queues servers that were deleted before the program started.
func (c *serversCollector) lookAtDeleted(ctx context.Context, now time.Time) error {
	list, err := c.list(ctx, url.Values{"deleted": {"True"}, "changes-since": {now.Add(-c.cfg.DeletedFor).Format(time.RFC3339)}})
	for _, v := range list.Objects {
		c.changed.add(v.ID, v.Project, v.Updated.Time)
	}
	if err != nil {
		return fmt.Errorf("deleted servers: %w", err)
	}
	c.deleted = true
	return nil
}

// readGroups keeps the groups that were known when they cannot be read.
func (c *serversCollector) readGroups(ctx context.Context) error {
	type group struct {
		ID      string   `json:"id"`
		Members []string `json:"members"`
	}
	list, err := openstack.List[group](ctx, c.cloud, api, "/os-server-groups", "server_groups", url.Values{"all_projects": {"True"}})
	for _, failed := range list.Failed {
		err = errors.Join(err, failed)
	}
	of := map[string][]string{}
	for _, g := range list.Objects {
		for _, member := range g.Members {
			of[member] = append(of[member], g.ID)
		}
	}
	for _, ids := range of {
		slices.Sort(ids)
	}
	if err != nil {
		return fmt.Errorf("server groups: %w", err)
	}
	c.groups = of
	return nil
}

// nameHosts reads the hypervisors' ids itself when nova_hosts has not looked
// yet, so that servers are not stored without a parent first.
func (c *serversCollector) nameHosts(ctx context.Context) error {
	list, err := openstack.List[hypervisor](ctx, c.cloud, hypervisorAPI, "/os-hypervisors/detail", "hypervisors", nil)
	if err != nil {
		return fmt.Errorf("servers' hypervisors: %w", err)
	}
	hosts := map[string]mcloud.Object{}
	for _, h := range list.Objects {
		hosts[h.Hostname] = mcloud.Object{Kind: mcloud.KindHost, ID: string(h.ID)}
	}
	if !c.hosts.known() {
		c.hosts.set(hosts, nil)
	}
	return nil
}

func (c *serversCollector) addSamples(s *exporters.Snapshot) {
	byStatus := map[[2]string]float64{}
	byHost := map[string]float64{}
	zones := c.hosts.zonesByHost()
	if zones == nil {
		zones = map[string]string{}
	}
	for host := range zones {
		byHost[host] = 0
	}
	for _, v := range c.all {
		byStatus[[2]string{v.Status, v.Zone}]++
		if v.Host == "" {
			continue
		}
		byHost[v.Host]++
		if _, ok := zones[v.Host]; !ok {
			zones[v.Host] = v.Zone
		}
	}
	for labels, n := range byStatus {
		s.Add(servers, n, labels[:]...)
	}
	for host, n := range byHost {
		s.Add(hostServers, n, host, zones[host])
	}
}

func (c *serversCollector) inventory(start time.Time, complete bool) mcloud.Inventory {
	inventory := mcloud.Inventory{Cloud: c.cloud.Name(), Scope: "nova", Kind: mcloud.KindServer, Time: start, Complete: complete}
	for _, v := range slices.SortedFunc(maps.Values(c.all), func(a, b server) int { return strings.Compare(a.ID, b.ID) }) {
		inventory.Objects = append(inventory.Objects, c.object(v))
	}
	return inventory
}

func (c *serversCollector) object(v server) mcloud.Object {
	var volumes []string
	for _, volume := range v.Volumes {
		volumes = append(volumes, volume.ID)
	}
	slices.Sort(volumes)
	return mcloud.NewObject(mcloud.KindServer, v.ID, v.Name, c.hosts.id(v.Hypervisor), v.Project, mcloud.Server{
		Name: v.Name, Status: v.Status, TaskState: v.TaskState, PowerState: v.PowerState,
		Host: v.Host, Hypervisor: v.Hypervisor, Zone: v.Zone, PinnedZone: v.PinnedZone,
		Flavor: v.Flavor.Name, VCPUs: v.Flavor.VCPUs, MemoryMiB: v.Flavor.RAM, DiskGiB: v.Flavor.Disk,
		EphemeralGiB: v.Flavor.Ephemeral, SwapMiB: int64(v.Flavor.Swap), ExtraSpecs: v.Flavor.ExtraSpecs,
		ServerGroups: c.groups[v.ID], Volumes: volumes, BootVolume: !bool(v.Image),
		Created: v.Created.Time, Launched: v.Launched.Time, Terminated: v.Terminated.Time, Locked: v.Locked,
	})
}
