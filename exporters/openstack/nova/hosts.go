package nova

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

type service struct {
	ID             openstack.ID   `json:"id"`
	Binary         string         `json:"binary"`
	Host           string         `json:"host"`
	Zone           string         `json:"zone"`
	Status         string         `json:"status"`
	State          string         `json:"state"`
	DisabledReason string         `json:"disabled_reason"`
	ForcedDown     bool           `json:"forced_down"`
	Updated        openstack.Time `json:"updated_at"` // its last report; null before the first
}

type hypervisor struct {
	ID       openstack.ID `json:"id"`
	Hostname string       `json:"hypervisor_hostname"`
	State    string       `json:"state"`
	Status   string       `json:"status"`
	Type     string       `json:"hypervisor_type"`
	Version  openstack.ID `json:"hypervisor_version"`
	Service  struct {
		ID             openstack.ID `json:"id"`
		Host           string       `json:"host"`
		DisabledReason string       `json:"disabled_reason"`
	} `json:"service"`

	// Up to microversion 2.87.
	RunningVMs *float64 `json:"running_vms"`
	Workload   *float64 `json:"current_workload"`
	VCPUs      *float64 `json:"vcpus"`
	VCPUsUsed  *float64 `json:"vcpus_used"`
	Memory     *float64 `json:"memory_mb"`
	MemoryUsed *float64 `json:"memory_mb_used"`
	Disk       *float64 `json:"local_gb"`
	DiskUsed   *float64 `json:"local_gb_used"`
	DiskFree   *float64 `json:"free_disk_gb"`
}

type aggregate struct {
	ID       openstack.ID      `json:"id"`
	UUID     string            `json:"uuid"`
	Name     string            `json:"name"`
	Zone     string            `json:"availability_zone"`
	Hosts    []string          `json:"hosts"`
	Metadata map[string]string `json:"metadata"`
}

type zone struct {
	Name  string `json:"zoneName"`
	State struct {
		Available bool `json:"available"`
	} `json:"zoneState"`
}

// hostIndex lets the servers know the hypervisors that the hosts' look saw.
type hostIndex struct {
	mu     sync.Mutex
	byName map[string]string // uuid by hypervisor_hostname; replaced, never changed
	zones  map[string]string // by service host
}

func (x *hostIndex) set(byName, zones map[string]string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.byName, x.zones = byName, zones
}

// ids gives the uuid of each hypervisor by its name. It is not to be changed.
func (x *hostIndex) ids() map[string]string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.byName
}

func (x *hostIndex) known() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.byName != nil
}

// zonesByHost gives the zone of each compute host.
func (x *hostIndex) zonesByHost() map[string]string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return maps.Clone(x.zones)
}

type hostsCollector struct {
	cloud    *openstack.Cloud
	index    *hostIndex
	services map[string]service // the last nova-compute services that were read, by host

	state, status exporters.Transitions // of services
}

// Collect takes one look. It is not called concurrently.
func (c *hostsCollector) Collect(ctx context.Context) (*exporters.Snapshot, error) {
	start := time.Now().UTC()
	s := &exporters.Snapshot{}
	found, errServices := openstack.List[service](ctx, c.cloud, api, "/os-services", "services", nil)
	hypers, errHypers := openstack.List[hypervisor](ctx, c.cloud, hypervisorAPI, "/os-hypervisors/detail", "hypervisors", nil)
	groups, errGroups := openstack.List[aggregate](ctx, c.cloud, api, "/os-aggregates", "aggregates", nil)
	zones, errZones := openstack.List[zone](ctx, c.cloud, api, "/os-availability-zone", "availabilityZoneInfo", nil)
	err := errors.Join(errServices, errHypers, errGroups, errZones)
	found.NoteIn(s)
	hypers.NoteIn(s)
	groups.NoteIn(s)
	zones.NoteIn(s)
	if s.Seen == 0 && err != nil {
		return nil, err
	}
	c.addServices(s, found.Objects)
	if errServices == nil {
		services := map[string]service{}
		for _, v := range found.Objects {
			if v.Binary == "nova-compute" {
				services[v.Host] = v
			}
		}
		c.services = unlessFailed(found.Failed, services, c.services)
		s.Events = c.transitions(found, start)
	}
	addAggregates(ctx, s, groups, errGroups)
	s.Inventories = append(s.Inventories, c.aggregateInventory(groups, errGroups, start))
	addZones(s, zones, errZones)

	aggregatesOf, zoneOf := membership(groups.Objects)
	hosts := make(map[string]mcloud.Object, len(hypers.Objects))
	for _, h := range hypers.Objects {
		hosts[h.Hostname] = c.host(h, aggregatesOf, zoneOf)
	}
	c.addHypervisors(ctx, s, hypers, errHypers, aggregatesOf, zoneOf)
	// Without services or aggregates a host would seem to have lost its zone, and
	// the store would write that down; then rather say nothing of hosts. An account
	// that may never read services has to do with the aggregates' zones.
	servicesKnown := errServices == nil || c.services != nil || exporters.KindOf(errServices) == exporters.KindForbidden
	if errGroups == nil && servicesKnown && (errHypers == nil || len(hosts) > 0) {
		inventory := mcloud.Inventory{
			Cloud: c.cloud.Name(), Scope: "nova", Kind: mcloud.KindHost, Time: start,
			Complete: errHypers == nil && len(hypers.Failed) == 0, Objects: sortedObjects(hosts),
		}
		s.Inventories = append(s.Inventories, inventory)
		if errHypers == nil {
			c.index.set(unlessFailed(hypers.Failed, idsByName(hypers.Objects), c.index.ids()),
				unlessFailed(hypers.Failed, c.zones(hypers.Objects, zoneOf), c.index.zonesByHost()))
		}
	}
	return s, err
}

// unlessFailed is what is known now and, when objects could not be read, also what
// was known before and is missing: it may be one of those.
func unlessFailed[V any](failed []exporters.ObjectError, now, before map[string]V) map[string]V {
	if len(failed) == 0 || len(before) == 0 {
		return now
	}
	all := maps.Clone(before)
	maps.Copy(all, now)
	return all
}

func idsByName(hypers []hypervisor) map[string]string {
	ids := make(map[string]string, len(hypers))
	for _, h := range hypers {
		ids[h.Hostname] = string(h.ID)
	}
	return ids
}

func (c *hostsCollector) addServices(s *exporters.Snapshot, found []service) {
	seen := map[[3]string]bool{}
	for _, v := range found {
		key := [3]string{v.Host, v.Binary, v.Zone}
		if seen[key] {
			continue // cells may hold a service twice; the label set is the same
		}
		seen[key] = true
		s.Add(serviceUp, exporters.Bool(v.up()), v.Host, v.Binary, v.Zone)
		s.Add(serviceEnabled, exporters.Bool(v.Status == "enabled"), v.Host, v.Binary, v.Zone)
		s.Add(serviceInfo, 1, v.Host, v.Binary, v.Zone, string(v.ID), v.DisabledReason)
		if !v.Updated.IsZero() {
			s.Add(serviceSeen, float64(v.Updated.Unix()), v.Host, v.Binary, v.Zone)
		}
	}
}

func (v service) up() bool { return v.State == "up" && !v.ForcedDown }

// transitions are the services that went up or down, were enabled or disabled, came
// or went since the look before.
func (c *hostsCollector) transitions(found openstack.Listing[service], at time.Time) []mcloud.Event {
	byName := map[string]service{}
	state, status := map[string]string{}, map[string]string{}
	for _, v := range found.Objects {
		name := v.Binary + "@" + v.Host
		byName[name], state[name], status[name] = v, "down", v.Status
		if v.up() {
			state[name] = "up"
		}
	}
	var events []mcloud.Event
	add := func(kind string, changed []exporters.Transition) {
		for _, t := range changed {
			v := byName[t.Name]
			events = append(events, t.Event(c.cloud.Name(), "nova", kind, string(v.ID), severity(t, v), at, map[string]any{
				"binary": v.Binary, "host": v.Host, "zone": v.Zone, "status": v.Status, "disabled_reason": v.DisabledReason,
			}))
		}
	}
	add("service.state", c.state.Observe(state, len(found.Failed) == 0))
	add("service.status", c.status.Observe(status, len(found.Failed) == 0))
	return events
}

// severity is worst for a service that goes down while it should work.
func severity(t exporters.Transition, v service) mcloud.Severity {
	switch {
	case t.To == "down" && v.Status == "enabled":
		return mcloud.SeverityError
	case t.To == "down" || t.To == "disabled" || t.To == "":
		return mcloud.SeverityWarning
	}
	return mcloud.SeverityInfo
}

func addAggregates(ctx context.Context, s *exporters.Snapshot, groups openstack.Listing[aggregate], err error) {
	if err == nil {
		s.Add(aggregates, float64(len(groups.Objects)+len(groups.Failed)))
	}
	each := exporters.Wants(ctx, exporters.SetObjects)
	for _, g := range groups.Objects {
		id := string(g.ID)
		s.Add(aggregateInfo, 1, id, g.Name, g.UUID, g.Zone)
		s.Add(aggregateHosts, float64(len(g.Hosts)), id, g.Name)
		for key, value := range g.Metadata {
			s.Add(aggregateMeta, 1, id, g.Name, key, value)
		}
		for _, host := range g.Hosts {
			if each {
				s.Add(aggregateHost, 1, id, g.Name, host)
			}
		}
	}
}

func addZones(s *exporters.Snapshot, zones openstack.Listing[zone], err error) {
	if err == nil {
		s.Add(zoneCount, float64(len(zones.Objects)+len(zones.Failed)))
	}
	for _, z := range zones.Objects {
		s.Add(zoneAvailable, exporters.Bool(z.State.Available), z.Name)
	}
}

// membership gives the names of the aggregates and the zone of each service host.
func membership(groups []aggregate) (names map[string][]string, zones map[string]string) {
	names, zones = map[string][]string{}, map[string]string{}
	for _, g := range groups {
		for _, host := range g.Hosts {
			names[host] = append(names[host], g.Name)
			if g.Zone != "" {
				zones[host] = g.Zone
			}
		}
	}
	for _, n := range names {
		slices.Sort(n)
	}
	return names, zones
}

func (c *hostsCollector) zone(h hypervisor, zones map[string]string) string {
	if v, ok := c.services[h.Service.Host]; ok {
		return v.Zone
	}
	return zones[h.Service.Host]
}

func (c *hostsCollector) zones(hypers []hypervisor, fromAggregates map[string]string) map[string]string {
	all := map[string]string{}
	for _, h := range hypers {
		all[h.Service.Host] = c.zone(h, fromAggregates)
	}
	return all
}

func (c *hostsCollector) host(h hypervisor, names map[string][]string, zones map[string]string) mcloud.Object {
	return mcloud.NewObject(mcloud.KindHost, string(h.ID), h.Hostname, "", "", mcloud.Host{
		Name: h.Hostname, ServiceHost: h.Service.Host, ServiceID: string(h.Service.ID), Zone: c.zone(h, zones),
		State: h.State, Status: h.Status, DisabledReason: h.Service.DisabledReason,
		ForcedDown: c.services[h.Service.Host].ForcedDown, Type: h.Type, Aggregates: names[h.Service.Host],
	})
}

func (c *hostsCollector) addHypervisors(ctx context.Context, s *exporters.Snapshot, hypers openstack.Listing[hypervisor], err error, names map[string][]string, zones map[string]string) {
	var counts exporters.Tally
	sizes := exporters.Wants(ctx, exporters.SetObjects)
	for _, h := range hypers.Objects {
		zone := c.zone(h, zones)
		counts.Add(1, h.State, h.Status, h.Type)
		s.Add(hypervisorUp, exporters.Bool(h.State == "up"), h.Hostname, h.Service.Host, zone)
		s.Add(hypervisorInfo, 1, h.Hostname, h.Service.Host, zone, h.Type, strings.Join(names[h.Service.Host], ","), string(h.ID), string(h.Version))
		add := func(f *exporters.Family, v *float64, unit float64) {
			if v != nil {
				s.Add(f, *v*unit, h.Hostname, h.Service.Host, zone)
			}
		}
		add(runningVMs, h.RunningVMs, 1)
		add(currentWorkload, h.Workload, 1)
		if sizes {
			add(vcpusAvailable, h.VCPUs, 1)
			add(vcpusUsed, h.VCPUsUsed, 1)
			add(memoryAvailable, h.Memory, mib)
			add(memoryUsed, h.MemoryUsed, mib)
			add(storageAvailable, h.Disk, gib)
			add(storageUsed, h.DiskUsed, gib)
			add(diskFree, h.DiskFree, gib)
		}
	}
	if err == nil { // a count of a part looks like a count of all
		counts.AddTo(s, hypervisors)
	}
}

const (
	mib = 1 << 20
	gib = 1 << 30
)

func (c *hostsCollector) aggregateInventory(groups openstack.Listing[aggregate], err error, start time.Time) mcloud.Inventory {
	objects := map[string]mcloud.Object{}
	for _, g := range groups.Objects {
		slices.Sort(g.Hosts)
		objects[string(g.ID)] = mcloud.NewObject(mcloud.KindAggregate, string(g.ID), g.Name, "", "", mcloud.Aggregate{
			Name: g.Name, UUID: g.UUID, Zone: g.Zone, Hosts: g.Hosts, Metadata: g.Metadata,
		})
	}
	return mcloud.Inventory{
		Cloud: c.cloud.Name(), Scope: "nova", Kind: mcloud.KindAggregate, Time: start,
		Complete: err == nil && len(groups.Failed) == 0, Objects: sortedObjects(objects),
	}
}

func sortedObjects(byKey map[string]mcloud.Object) []mcloud.Object {
	return slices.SortedFunc(maps.Values(byKey), func(a, b mcloud.Object) int { return strings.Compare(a.ID, b.ID) })
}
