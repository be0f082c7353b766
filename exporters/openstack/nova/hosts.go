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
	ID             openstack.ID `json:"id"`
	Binary         string       `json:"binary"`
	Host           string       `json:"host"`
	Zone           string       `json:"zone"`
	Status         string       `json:"status"`
	State          string       `json:"state"`
	DisabledReason string       `json:"disabled_reason"`
	ForcedDown     bool         `json:"forced_down"`
}

type hypervisor struct {
	ID       openstack.ID `json:"id"`
	Hostname string       `json:"hypervisor_hostname"`
	State    string       `json:"state"`
	Status   string       `json:"status"`
	Type     string       `json:"hypervisor_type"`
	Service  struct {
		ID             openstack.ID `json:"id"`
		Host           string       `json:"host"`
		DisabledReason string       `json:"disabled_reason"`
	} `json:"service"`
}

type aggregate struct {
	ID       openstack.ID      `json:"id"`
	UUID     string            `json:"uuid"`
	Name     string            `json:"name"`
	Zone     string            `json:"availability_zone"`
	Hosts    []string          `json:"hosts"`
	Metadata map[string]string `json:"metadata"`
}

// hostIndex lets the servers know the hypervisors that the hosts' look saw.
type hostIndex struct {
	mu     sync.Mutex
	byName map[string]mcloud.Object // by hypervisor_hostname
	zones  map[string]string        // by service host
}

func (x *hostIndex) set(byName map[string]mcloud.Object, zones map[string]string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.byName, x.zones = byName, zones
}

// id is a hypervisor's uuid; "" when it is not known.
func (x *hostIndex) id(hostname string) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.byName[hostname].ID
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
}

func (c *hostsCollector) Collect(ctx context.Context) (*exporters.Snapshot, error) {
	start := time.Now().UTC()
	s := &exporters.Snapshot{}
	found, errServices := openstack.List[service](ctx, c.cloud, api, "/os-services", "services", nil)
	hypers, errHypers := openstack.List[hypervisor](ctx, c.cloud, hypervisorAPI, "/os-hypervisors/detail", "hypervisors", nil)
	groups, errGroups := openstack.List[aggregate](ctx, c.cloud, api, "/os-aggregates", "aggregates", nil)
	err := errors.Join(errServices, errHypers, errGroups)
	if len(found.Objects)+len(hypers.Objects)+len(groups.Objects) == 0 && err != nil {
		return nil, err
	}
	for _, failed := range [][]exporters.ObjectError{found.Failed, hypers.Failed, groups.Failed} {
		s.Failed = append(s.Failed, failed...)
	}
	s.Seen = len(found.Objects) + len(hypers.Objects) + len(groups.Objects) + len(s.Failed)

	c.addServices(s, found.Objects)
	if errServices == nil {
		c.services = map[string]service{}
		for _, v := range found.Objects {
			if v.Binary == "nova-compute" {
				c.services[v.Host] = v
			}
		}
	}
	names, zones := membership(groups.Objects)
	if errGroups == nil {
		s.Add(aggregates, float64(len(groups.Objects)+len(groups.Failed)))
	}
	s.Inventories = append(s.Inventories, c.aggregateInventory(groups, errGroups, start))

	hosts := make(map[string]mcloud.Object, len(hypers.Objects))
	for _, h := range hypers.Objects {
		hosts[h.Hostname] = c.host(h, names, zones)
	}
	c.addHypervisors(s, hypers, errHypers, names, zones)
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
			c.index.set(hosts, c.zones(hypers.Objects, zones))
		}
	}
	return s, err
}

func (c *hostsCollector) addServices(s *exporters.Snapshot, found []service) {
	seen := map[[3]string]bool{}
	for _, v := range found {
		key := [3]string{v.Host, v.Binary, v.Zone}
		if seen[key] {
			continue // cells may hold a service twice; the label set is the same
		}
		seen[key] = true
		s.Add(serviceUp, exporters.Bool(v.State == "up" && !v.ForcedDown), v.Host, v.Binary, v.Zone)
		s.Add(serviceEnabled, exporters.Bool(v.Status == "enabled"), v.Host, v.Binary, v.Zone)
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

func (c *hostsCollector) addHypervisors(s *exporters.Snapshot, hypers openstack.Listing[hypervisor], err error, names map[string][]string, zones map[string]string) {
	counts := map[[3]string]float64{}
	for _, h := range hypers.Objects {
		zone := c.zone(h, zones)
		counts[[3]string{h.State, h.Status, h.Type}]++
		s.Add(hypervisorUp, exporters.Bool(h.State == "up"), h.Hostname, h.Service.Host, zone)
		s.Add(hypervisorInfo, 1, h.Hostname, h.Service.Host, zone, h.Type, strings.Join(names[h.Service.Host], ","))
	}
	if err != nil {
		return // a count of a part looks like a count of all
	}
	for labels, n := range counts {
		s.Add(hypervisors, n, labels[:]...)
	}
}

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
