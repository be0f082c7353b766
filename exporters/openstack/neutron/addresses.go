package neutron

import (
	"context"
	"net/netip"
	"strconv"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var (
	ipsUsed = &exporters.Family{
		Name: "openstack_neutron_network_ips_used", Type: exporters.Gauge, Labels: []string{"network_id", "name", "ip_version"}, Set: exporters.SetBase, Call: "GET /network-ip-availabilities",
		Help: "Addresses of the network's subnets of the IP version that are taken.",
	}
	ipsCapacity = &exporters.Family{
		Name: "openstack_neutron_network_ips_capacity", Type: exporters.Gauge, Labels: []string{"network_id", "name", "ip_version"}, Set: exporters.SetBase, Call: "GET /network-ip-availabilities",
		Help: "Addresses in the allocation pools of the network's subnets of the IP version, taken or not; a large number for IPv6, beside which one of IPv4 would not be seen.",
	}
	subnetIPsUsed = &exporters.Family{
		Name: "openstack_neutron_subnet_ips_used", Type: exporters.Gauge, Labels: []string{"subnet_id", "network_id", "cidr", "ip_version"}, Set: exporters.SetObjects, Call: "GET /network-ip-availabilities",
		Help: "Addresses of the subnet that are taken.",
	}
	subnetIPsCapacity = &exporters.Family{
		Name: "openstack_neutron_subnet_ips_capacity", Type: exporters.Gauge, Labels: []string{"subnet_id", "network_id", "cidr", "ip_version"}, Set: exporters.SetObjects, Call: "GET /network-ip-availabilities",
		Help: "Addresses of the subnet's allocation pools, taken or not; a large number for IPv6.",
	}
	subnets = &exporters.Family{
		Name: "openstack_neutron_subnets", Type: exporters.Gauge, Labels: []string{"ip_version"}, Set: exporters.SetBase, Call: "GET /subnets",
		Help: "Subnets by IP version (4, 6).",
	}
	subnetInfo = &exporters.Family{
		Name: "openstack_neutron_subnet_info", Type: exporters.Gauge,
		Labels: []string{"id", "name", "project_id", "network_id", "cidr", "ip_version", "gateway_ip", "dhcp", "subnet_pool_id"}, Set: exporters.SetObjects, Call: "GET /subnets",
		Help: "Always 1; says what a subnet is.",
	}
	subnetPools = &exporters.Family{
		Name: "openstack_neutron_subnet_pools", Type: exporters.Gauge, Labels: []string{"ip_version", "shared"}, Set: exporters.SetBase, Call: "GET /subnetpools",
		Help: "Subnet pools by IP version and whether all projects may take from them.",
	}
	subnetPoolInfo = &exporters.Family{
		Name: "openstack_neutron_subnet_pool_info", Type: exporters.Gauge,
		Labels: []string{"id", "name", "project_id", "ip_version", "shared", "default", "address_scope_id"}, Set: exporters.SetBase, Call: "GET /subnetpools",
		Help: "Always 1; says what a subnet pool is.",
	}
	poolCapacity = &exporters.Family{
		Name: "openstack_neutron_subnet_pool_subnets_capacity", Type: exporters.Gauge, Labels: []string{"subnet_pool_id", "prefix", "prefix_length"}, Set: exporters.SetBase, Call: "GET /subnetpools",
		Help: "Subnets of the length that the pool's prefix holds when it is empty.",
	}
	poolUsed = &exporters.Family{
		Name: "openstack_neutron_subnet_pool_subnets_used", Type: exporters.Gauge, Labels: []string{"subnet_pool_id", "prefix", "prefix_length"}, Set: exporters.SetBase, Call: "GET /subnetpools, /subnets",
		Help: "Subnets of exactly the length that are taken from the pool's prefix.",
	}
	poolFree = &exporters.Family{
		Name: "openstack_neutron_subnet_pool_subnets_free", Type: exporters.Gauge, Labels: []string{"subnet_pool_id", "prefix", "prefix_length"}, Set: exporters.SetBase, Call: "GET /subnetpools, /subnets",
		Help: "Subnets of the length that can still be taken from the pool's prefix; those of other lengths take their room, so this is not capacity less used.",
	}
	addressFamilies = []*exporters.Family{
		ipsUsed, ipsCapacity, subnetIPsUsed, subnetIPsCapacity, subnets, subnetInfo, subnetPools, subnetPoolInfo,
		poolCapacity, poolUsed, poolFree, quotaUsed,
	}
)

type subnet struct {
	owned
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	Network   string         `json:"network_id"`
	CIDR      string         `json:"cidr"`
	IPVersion openstack.Int  `json:"ip_version"`
	Gateway   string         `json:"gateway_ip"`
	DHCP      openstack.Bool `json:"enable_dhcp"`
	Pool      string         `json:"subnetpool_id"`
	Created   openstack.Time `json:"created_at"`
}

var subnetFields = []string{"id", "name", "project_id", "tenant_id", "network_id", "cidr", "ip_version", "gateway_ip", "enable_dhcp", "subnetpool_id", "created_at"}

type subnetPool struct {
	owned
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	Prefixes  []netip.Prefix `json:"prefixes"`
	Min       openstack.Int  `json:"min_prefixlen"`
	Max       openstack.Int  `json:"max_prefixlen"`
	IPVersion openstack.Int  `json:"ip_version"`
	Shared    openstack.Bool `json:"shared"`
	Default   openstack.Bool `json:"is_default"`
	Scope     string         `json:"address_scope_id"`
}

// addressesCollector looks at what is taken of the cloud's addresses.
type addressesCollector struct {
	cloud *openstack.Cloud
	use   *usage
}

func (c *addressesCollector) collect(ctx context.Context) (*exporters.Snapshot, error) {
	l := newLook(c.cloud)
	c.availability(ctx, l)
	all, whole := c.subnets(ctx, l)
	c.pools(ctx, l, all, whole)
	return l.end()
}

func (c *addressesCollector) availability(ctx context.Context, l *look) {
	type availability struct {
		ID      string `json:"network_id"`
		Name    string `json:"network_name"`
		Subnets []struct {
			ID        string        `json:"subnet_id"`
			CIDR      string        `json:"cidr"`
			IPVersion openstack.Int `json:"ip_version"`
			Used      float64       `json:"used_ips"`
			Total     float64       `json:"total_ips"` // beyond 64 bits for an IPv6 subnet
		} `json:"subnet_ip_availability"`
	}
	all, _ := list[availability](ctx, l, "/network-ip-availabilities", "network_ip_availabilities", nil)
	perObject := exporters.Wants(ctx, exporters.SetObjects)
	var used, capacity exporters.Tally
	for _, n := range all.Objects {
		for _, v := range n.Subnets {
			version := strconv.FormatInt(int64(v.IPVersion), 10)
			used.Add(v.Used, n.ID, n.Name, version)
			capacity.Add(v.Total, n.ID, n.Name, version)
			if perObject {
				l.s.Add(subnetIPsUsed, v.Used, v.ID, n.ID, v.CIDR, version)
				l.s.Add(subnetIPsCapacity, v.Total, v.ID, n.ID, v.CIDR, version)
			}
		}
	}
	used.AddTo(l.s, ipsUsed)
	capacity.AddTo(l.s, ipsCapacity)
}

func (c *addressesCollector) subnets(ctx context.Context, l *look) (all []subnet, whole bool) {
	found, complete := list[subnet](ctx, l, "/subnets", "subnets", page(subnetFields...))
	whole = complete && len(found.Failed) == 0
	var count exporters.Tally
	byProject := map[string]float64{}
	var objects []mcloud.Object
	perObject := exporters.Wants(ctx, exporters.SetObjects)
	for _, v := range found.Objects {
		version := strconv.FormatInt(int64(v.IPVersion), 10)
		count.Add(1, version)
		byProject[v.project()]++
		if perObject {
			l.s.Add(subnetInfo, 1, v.ID, v.Name, v.project(), v.Network, v.CIDR, version, v.Gateway, strconv.FormatBool(bool(v.DHCP)), v.Pool)
		}
		objects = append(objects, mcloud.NewObject(mcloud.KindSubnet, v.ID, v.Name, v.Network, v.project(), mcloud.Subnet{
			CIDR: v.CIDR, IPVersion: int64(v.IPVersion), Gateway: v.Gateway, DHCP: bool(v.DHCP), Pool: v.Pool, Created: v.Created.Time,
		}))
	}
	l.record(mcloud.KindSubnet, whole, objects)
	if whole {
		count.AddTo(l.s, subnets)
		c.use.add(ctx, l.s, "subnet", byProject)
	}
	return found.Objects, whole
}

// pools says what room subnet pools have, by length of prefix. Without all
// subnets it is not known what is taken.
func (c *addressesCollector) pools(ctx context.Context, l *look, all []subnet, whole bool) {
	found, complete := list[subnetPool](ctx, l, "/subnetpools", "subnetpools", nil)
	taken := map[string][]netip.Prefix{}
	for _, v := range all {
		if v.Pool == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(v.CIDR)
		if err != nil {
			l.s.Failed = append(l.s.Failed, exporters.ObjectError{Object: "subnet " + v.ID, Err: exporters.WithKind(err, exporters.KindDecode)})
			whole = false
			continue
		}
		taken[v.Pool] = append(taken[v.Pool], prefix)
	}
	var count exporters.Tally
	byProject := map[string]float64{}
	for _, p := range found.Objects {
		version, shared := strconv.FormatInt(int64(p.IPVersion), 10), strconv.FormatBool(bool(p.Shared))
		count.Add(1, version, shared)
		byProject[p.project()]++
		l.s.Add(subnetPoolInfo, 1, p.ID, p.Name, p.project(), version, shared, strconv.FormatBool(bool(p.Default)), p.Scope)
		p.room(l.s, taken[p.ID], whole)
	}
	if complete && len(found.Failed) == 0 {
		count.AddTo(l.s, subnetPools)
		c.use.add(ctx, l.s, "subnetpool", byProject)
	}
}

func (p subnetPool) room(s *exporters.Snapshot, taken []netip.Prefix, whole bool) {
	for _, prefix := range p.Prefixes {
		if !prefix.IsValid() {
			continue
		}
		in := within(prefix, taken)
		least, most := max(int(p.Min), prefix.Bits()), min(int(p.Max), prefix.Addr().BitLen())
		for bits := least; bits <= most; bits++ {
			labels := []string{p.ID, prefix.String(), strconv.Itoa(bits)}
			r := roomIn(prefix, in, bits)
			s.Add(poolCapacity, r.capacity, labels...)
			if whole {
				s.Add(poolUsed, r.used, labels...)
				s.Add(poolFree, r.free, labels...)
			}
		}
	}
}
