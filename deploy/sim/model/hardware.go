package model

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"time"
)

// Zone is an availability zone and the story of its population.
type Zone struct {
	Name  string
	Hosts []*Host

	share       float64 // of all servers at End
	utilisation float64 // of memory, aimed at for End, 0 to 1
	atStart     float64 // population at Start as a fraction of that at End
	population  int     // servers now
}

// Inventory is what a host has of one resource class; as Placement's.
type Inventory struct {
	Total, Reserved, MinUnit, MaxUnit, StepSize int64
	AllocationRatio                             float64
}

// Capacity is int((total − reserved) × ratio), Placement's rule.
func (v Inventory) Capacity() int64 {
	return int64(float64(v.Total-v.Reserved) * v.AllocationRatio)
}

// Resources are amounts by Placement resource class.
type Resources struct {
	VCPU, MemoryMB, DiskGB int64
}

func (r Resources) plus(o Resources) Resources {
	return Resources{r.VCPU + o.VCPU, r.MemoryMB + o.MemoryMB, r.DiskGB + o.DiskGB}
}

func (r Resources) minus(o Resources) Resources {
	return Resources{r.VCPU - o.VCPU, r.MemoryMB - o.MemoryMB, r.DiskGB - o.DiskGB}
}

// The resource classes that every host has, sorted.
var ResourceClasses = []string{"DISK_GB", "MEMORY_MB", "VCPU"}

// Of returns the amount of one class; 0 for a class nobody has.
func (r Resources) Of(class string) int64 {
	switch class {
	case "VCPU":
		return r.VCPU
	case "MEMORY_MB":
		return r.MemoryMB
	case "DISK_GB":
		return r.DiskGB
	}
	return 0
}

// Host is a hypervisor with its compute service, resource provider and OVN
// chassis.
type Host struct {
	UUID, Name string
	Number     int // from 1, os-hypervisors' id below 2.53
	Zone       *Zone
	CPUModel   string
	IP         string
	Booted     time.Time

	ServiceID      string
	ServiceNumber  int
	Up             bool
	Enabled        bool
	DisabledReason string
	ForcedDown     bool
	StateChanged   time.Time // when Up last changed

	// The resource provider.
	Inventories map[string]Inventory // changed by SetInventory
	Generation  int64
	DriverTrait []string // nova-compute's own, sorted
	Custom      []string // custom traits set by people, sorted
	// OtherAggregates are Placement aggregates beside the mirrors of Nova's.
	OtherAggregates []string

	Used    Resources
	Servers map[string]*Server

	capacity Resources // of Inventories, once measured
	total    Resources // likewise
	measured bool
	plain    bool // no minimum, step or maximum that matters below Total

	Chassis *Chassis
}

// Chassis is a host in OVN. A frozen one stops following the configuration.
type Chassis struct {
	UUID, Private, Encap, Name, Hostname, IP string
	Gateway                                  bool
	Frozen                                   bool
	NBCfg                                    int64     // while frozen
	Since                                    time.Time // of Frozen
}

// Free is what may still be allocated; a class may be negative when its ratio
// was lowered.
func (h *Host) Free() Resources {
	if !h.measured {
		h.capacity = Resources{h.Inventories["VCPU"].Capacity(), h.Inventories["MEMORY_MB"].Capacity(), h.Inventories["DISK_GB"].Capacity()}
		h.total = Resources{h.Inventories["VCPU"].Total, h.Inventories["MEMORY_MB"].Total, h.Inventories["DISK_GB"].Total}
		h.plain = true
		for _, v := range h.Inventories {
			h.plain = h.plain && v.MinUnit <= 1 && v.StepSize <= 1 && v.MaxUnit >= v.Total
		}
		h.measured = true
	}
	return h.capacity.minus(h.Used)
}

// SetInventory replaces what the host has of one class.
func (h *Host) SetInventory(class string, v Inventory) { h.Inventories[class], h.measured = v, false }

// Traits are the provider's traits, sorted.
func (h *Host) Traits() []string {
	all := append(slices.Clone(h.DriverTrait), h.Custom...)
	if !h.Enabled {
		all = append(all, "COMPUTE_STATUS_DISABLED")
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Host returns the host of a name, or nil.
func (w *World) Host(name string) *Host {
	for _, h := range w.Hosts {
		if h.Name == name {
			return h
		}
	}
	return nil
}

// HostByUUID returns the host whose hypervisor and provider have the uuid, or nil.
func (w *World) HostByUUID(uuid string) *Host {
	for _, h := range w.Hosts {
		if h.UUID == uuid {
			return h
		}
	}
	return nil
}

// Aggregate is a Nova host aggregate, mirrored in Placement by its UUID.
type Aggregate struct {
	ID               int
	UUID, Name, Zone string
	Hosts            []*Host
	Metadata         map[string]string // without availability_zone
	Created, Updated time.Time
}

// Has says whether the host is a member.
func (a *Aggregate) Has(h *Host) bool { return slices.Contains(a.Hosts, h) }

var cpuModels = []string{"EPYC-Genoa", "Cascadelake-Server", "SapphireRapids", "EPYC-Rome"}

// driverTraits are what nova-compute's libvirt driver reports of each machine.
func driverTraits(model string) []string {
	traits := []string{
		"COMPUTE_ACCELERATORS", "COMPUTE_DEVICE_TAGGING", "COMPUTE_IMAGE_TYPE_QCOW2", "COMPUTE_IMAGE_TYPE_RAW",
		"COMPUTE_NET_ATTACH_INTERFACE", "COMPUTE_NODE", "COMPUTE_RESCUE_BFV", "COMPUTE_TRUSTED_CERTS",
		"COMPUTE_VOLUME_ATTACH_WITH_TAG", "COMPUTE_VOLUME_EXTEND", "COMPUTE_VOLUME_MULTI_ATTACH",
		"HW_CPU_X86_AESNI", "HW_CPU_X86_AVX", "HW_CPU_X86_AVX2", "HW_CPU_X86_SSE42",
	}
	switch model {
	case "EPYC-Genoa", "EPYC-Rome":
		traits = append(traits, "HW_CPU_X86_AMD_SVM", "HW_CPU_X86_SVM")
	default:
		traits = append(traits, "HW_CPU_X86_AVX512F", "HW_CPU_X86_VMX")
	}
	slices.Sort(traits)
	return traits
}

// zoneStory are the zones' shares, utilisations and growth, the first the
// fullest and fastest: it is the one that runs out. Further zones repeat them.
var zoneStory = []Zone{
	{share: 0.40, utilisation: 0.87, atStart: 0.66},
	{share: 0.34, utilisation: 0.70, atStart: 0.80},
	{share: 0.26, utilisation: 0.48, atStart: 0.93},
}

// databaseHosts of a zone are kept for servers that ask for databaseTrait.
const (
	databaseHosts = 2
	databaseTrait = "CUSTOM_DATABASE"
)

// buildHosts sizes each zone's machines so that the population of End fills
// them to the utilisation its story says.
func (w *World) buildHosts() {
	mean := w.meanFlavor()
	var shares float64
	for i := range w.Config.Zones {
		shares += zoneStory[i%len(zoneStory)].share
	}
	for i := range w.Config.Zones {
		z := zoneStory[i%len(zoneStory)]
		z.Name, z.share = "az-"+string(rune('a'+i)), z.share/shares
		w.Zones = append(w.Zones, &z)
	}
	for i := range w.Config.Hosts {
		w.addHost(i, mean)
	}
	for _, z := range w.Zones {
		a := w.AddAggregate("zone-"+z.Name, z.Name, nil)
		a.Hosts = slices.Clone(z.Hosts)
		if len(z.Hosts) > 3*databaseHosts {
			d := w.AddAggregate("database-"+z.Name, "", map[string]string{"trait:" + databaseTrait: "required"})
			for _, h := range z.Hosts[:databaseHosts] {
				h.Custom = append(h.Custom, databaseTrait)
				d.Hosts = append(d.Hosts, h)
			}
		}
	}
	w.Traits[databaseTrait] = true
	w.Gateways = []*Chassis{w.chassis("gw-1", 201, true), w.chassis("gw-2", 202, true)}
}

func (w *World) addHost(i int, mean Resources) {
	z := w.Zones[i%len(w.Zones)]
	n := len(z.Hosts) + 1
	hosts := float64((w.Config.Hosts - i%len(w.Zones) + len(w.Zones) - 1) / len(w.Zones))
	if hosts > 3*databaseHosts {
		hosts -= databaseHosts // which take few of the servers
	}
	servers := z.share * float64(w.Config.Servers) / hosts // on each host at End
	const (
		reservedMB = 8192
		grown      = 1.12 // servers are resized to larger flavors while they live
	)
	size := func(mean int64, utilisation, ratio, unit float64) int64 {
		return int64(max(1, math.Ceil(grown*servers*float64(mean)/utilisation/ratio/unit)) * unit)
	}
	memory := size(mean.MemoryMB, z.utilisation, 1, 32*1024) + reservedMB
	memory = int64(math.Ceil(float64(memory)/(32*1024))) * 32 * 1024
	cpus := size(mean.VCPU, z.utilisation*0.8, 4, 8) + 2
	cpus += cpus % 2
	disk := size(mean.DiskGB, z.utilisation*0.75, 1, 100) + 100

	name := fmt.Sprintf("cmp-%c%02d", z.Name[len(z.Name)-1], n)
	h := &Host{
		UUID: w.uuid(), Name: name, Number: i + 1, Zone: z, CPUModel: cpuModels[(i%len(w.Zones))%len(cpuModels)],
		IP: fmt.Sprintf("172.30.%d.%d", i/250, i%250+1), Booted: w.Config.Start.Add(-w.lifetime(90 * 24 * time.Hour)),
		ServiceID: w.uuid(), ServiceNumber: 100 + i, Up: true, Enabled: true, StateChanged: w.Config.Start,
		Generation: 3, Servers: map[string]*Server{},
		Inventories: map[string]Inventory{
			"VCPU":      {Total: cpus, Reserved: 2, MinUnit: 1, MaxUnit: cpus, StepSize: 1, AllocationRatio: 4},
			"MEMORY_MB": {Total: memory, Reserved: reservedMB, MinUnit: 1, MaxUnit: memory, StepSize: 1, AllocationRatio: 1},
			"DISK_GB":   {Total: disk, Reserved: 50, MinUnit: 1, MaxUnit: disk, StepSize: 1, AllocationRatio: 1},
		},
	}
	h.DriverTrait = driverTraits(h.CPUModel)
	h.Chassis = w.chassis(name, i+1, false)
	z.Hosts = append(z.Hosts, h)
	w.Hosts = append(w.Hosts, h)
}

func (w *World) chassis(name string, number int, gateway bool) *Chassis {
	return &Chassis{
		UUID: w.uuid(), Private: w.uuid(), Encap: w.uuid(), Name: name, Hostname: name,
		IP: fmt.Sprintf("172.31.%d.%d", number/250, number%250+1), Gateway: gateway,
	}
}

// AddAggregate makes an empty host aggregate.
func (w *World) AddAggregate(name, zone string, metadata map[string]string) *Aggregate {
	w.aggregateID++
	a := &Aggregate{ID: w.aggregateID, UUID: w.uuid(), Name: name, Zone: zone, Metadata: metadata, Created: w.Now}
	if a.Metadata == nil {
		a.Metadata = map[string]string{}
	}
	w.Aggregates = append(w.Aggregates, a)
	return a
}

// RemoveAggregate deletes a host aggregate.
func (w *World) RemoveAggregate(a *Aggregate) {
	w.Aggregates = slices.DeleteFunc(w.Aggregates, func(x *Aggregate) bool { return x == a })
}

// AggregatesOf returns the host's aggregates in the order of their ids.
func (w *World) AggregatesOf(h *Host) []*Aggregate {
	var of []*Aggregate
	for _, a := range w.Aggregates {
		if a.Has(h) {
			of = append(of, a)
		}
	}
	sort.Slice(of, func(i, j int) bool { return of[i].ID < of[j].ID })
	return of
}

// AllChassis are the hosts' and then the gateways' chassis.
func (w *World) AllChassis() []*Chassis {
	all := make([]*Chassis, 0, len(w.Hosts)+len(w.Gateways))
	for _, h := range w.Hosts {
		all = append(all, h.Chassis)
	}
	return append(all, w.Gateways...)
}

// ConfigurationOf is the nb_cfg that a chassis has reached.
func (w *World) ConfigurationOf(c *Chassis) int64 {
	if c.Frozen {
		return c.NBCfg
	}
	return w.NBCfg
}
