package nova

import (
	"context"
	"strconv"
	"time"
	"unique"

	"mcloud/exporters"
)

// powers are Nova's power states (nova/compute/power_state.py).
var powers = map[int8]string{0: "none", 1: "running", 3: "paused", 4: "shutdown", 6: "crashed", 7: "suspended"}

// ages are what servers_stuck counts by.
var ages = []struct {
	name string
	is   time.Duration
}{{"10m", 10 * time.Minute}, {"1h", time.Hour}, {"1d", 24 * time.Hour}}

// sum is what several servers have together.
type sum struct{ servers, vcpus, memory, disk float64 }

func (s *sum) add(v shape) {
	s.servers++
	s.vcpus += float64(v.vcpus)
	s.memory += float64(v.memoryMiB) * mib
	s.disk += v.diskBytes()
}

// task is what the servers of one status and task state have in common.
type task struct {
	servers float64
	stuck   []float64 // by ages
	oldest  int64
}

// counts are of all servers, by words that are compared without being read.
type counts struct {
	byZone, byProject, byPower, byHostProject map[[2]word]float64
	projects                                  map[word]*sum
	shapes                                    map[unique.Handle[shape]]*sum
	projectShapes                             map[projectShape]float64
	hosts                                     map[word]float64
	zoneOf                                    map[word]word // of hosts
	tasks                                     map[[2]word]*task
	faults                                    map[string]float64
}

type projectShape struct {
	project word
	shape   unique.Handle[shape]
}

func (c *serversCollector) count() counts {
	n := counts{
		byZone: map[[2]word]float64{}, byProject: map[[2]word]float64{}, byPower: map[[2]word]float64{}, byHostProject: map[[2]word]float64{},
		projects: map[word]*sum{}, shapes: map[unique.Handle[shape]]*sum{}, projectShapes: map[projectShape]float64{},
		hosts: map[word]float64{}, zoneOf: map[word]word{}, tasks: map[[2]word]*task{}, faults: map[string]float64{},
	}
	none := unique.Make("")
	building, failed := unique.Make("BUILD"), unique.Make("ERROR")
	power := map[int8]word{}
	for _, v := range c.all {
		p, ok := power[v.power]
		if !ok {
			name, known := powers[v.power]
			if !known {
				name = strconv.Itoa(int(v.power))
			}
			p = unique.Make(name)
			power[v.power] = p
		}
		n.byZone[[2]word{v.status, v.zone}]++
		n.byProject[[2]word{v.project, v.status}]++
		if v.hidden {
			continue
		}
		n.byPower[[2]word{v.status, p}]++
		n.projectShapes[projectShape{v.project, v.shape}]++
		has := v.shape.Value()
		of(n.projects, v.project).add(has)
		of(n.shapes, v.shape).add(has)
		if v.host != none {
			n.hosts[v.host]++
			n.byHostProject[[2]word{v.host, v.project}]++
			if _, ok := n.zoneOf[v.host]; !ok {
				n.zoneOf[v.host] = v.zone
			}
		}
		if v.status == building || v.task != none {
			of(n.tasks, [2]word{v.status, v.task}).add(v, v.status == building, c.since)
		}
		if v.status == failed {
			code := ""
			if v.fault != nil && v.fault.code != 0 {
				code = strconv.Itoa(v.fault.code)
			}
			n.faults[code]++
		}
	}
	return n
}

// of gives what m has under key, which is made if it is not there.
func of[K comparable, V any](m map[K]*V, key K) *V {
	v := m[key]
	if v == nil {
		v = new(V)
		m[key] = v
	}
	return v
}

func (t *task) add(v *server, building bool, now time.Time) {
	if t.stuck == nil {
		t.stuck = make([]float64, len(ages))
	}
	t.servers++
	began := v.updated
	if building {
		began = v.created
	}
	if began == 0 {
		return
	}
	if t.oldest == 0 || began < t.oldest {
		t.oldest = began
	}
	for i, age := range ages {
		if now.Sub(time.Unix(began, 0)) > age.is {
			t.stuck[i]++
		}
	}
}

func (c *serversCollector) addSamples(ctx context.Context, s *exporters.Snapshot) {
	if !c.groupsRead.IsZero() {
		c.addGroups(ctx, s)
	}
	if exporters.Wants(ctx, exporters.SetObjects) {
		c.addServers(s)
	}
	if c.full.IsZero() {
		return // a count of a part looks like a count of all
	}
	n := c.count()
	pairs := func(f *exporters.Family, by map[[2]word]float64) {
		for words, count := range by {
			s.Add(f, count, words[0].Value(), words[1].Value())
		}
	}
	pairs(servers, n.byZone)
	pairs(projectServers, n.byProject)
	pairs(powerStates, n.byPower)
	c.addHosts(s, n)
	for project, has := range n.projects {
		s.Add(projectVCPUs, has.vcpus, project.Value())
		s.Add(projectMemory, has.memory, project.Value())
		s.Add(projectDisk, has.disk, project.Value())
	}
	addFlavors(s, n.shapes)
	addTasks(s, n.tasks)
	for code, count := range n.faults {
		s.Add(serverFaults, count, code)
	}
	if exporters.Wants(ctx, exporters.SetObjects) {
		pairs(hostProject, n.byHostProject)
		var byFlavor exporters.Tally // a flavor may have had several shapes
		for key, count := range n.projectShapes {
			byFlavor.Add(count, key.project.Value(), key.shape.Value().flavor)
		}
		byFlavor.AddTo(s, projectFlavor)
	}
}

// addHosts gives the hosts without servers a zero.
func (c *serversCollector) addHosts(s *exporters.Snapshot, n counts) {
	zones := c.hosts.zonesByHost()
	for host, zone := range zones {
		if _, ok := n.hosts[unique.Make(host)]; !ok {
			s.Add(hostServers, 0, host, zone)
		}
	}
	for host, count := range n.hosts {
		zone, ok := zones[host.Value()]
		if !ok {
			zone = n.zoneOf[host].Value()
		}
		s.Add(hostServers, count, host.Value(), zone)
	}
}

func addFlavors(s *exporters.Snapshot, shapes map[unique.Handle[shape]]*sum) {
	byName := map[string]*sum{}
	for key, has := range shapes {
		all := of(byName, key.Value().flavor)
		all.servers += has.servers
		all.vcpus += has.vcpus
		all.memory += has.memory
		all.disk += has.disk
	}
	for name, has := range byName {
		s.Add(flavorServers, has.servers, name)
		s.Add(flavorVCPUs, has.vcpus, name)
		s.Add(flavorMemory, has.memory, name)
		s.Add(flavorDisk, has.disk, name)
	}
}

func addTasks(s *exporters.Snapshot, tasks map[[2]word]*task) {
	for words, t := range tasks {
		status, state := words[0].Value(), words[1].Value()
		s.Add(serverTasks, t.servers, status, state)
		if t.oldest != 0 {
			s.Add(taskOldest, float64(t.oldest), status, state)
		}
		for i, age := range ages {
			s.Add(serversStuck, t.stuck[i], status, state, age.name)
		}
	}
}

func (c *serversCollector) addServers(s *exporters.Snapshot) {
	for id, v := range c.all {
		if v.hidden {
			continue
		}
		has := v.shape.Value()
		s.Add(serverInfo, 1, id, v.object.Name, v.status.Value(), v.object.Project, v.user.Value(), v.host.Value(), v.hypervisor.Value(),
			v.zone.Value(), has.flavor, v.instance)
		s.Add(serverVCPUs, float64(has.vcpus), id)
		s.Add(serverMemory, float64(has.memoryMiB)*mib, id)
		s.Add(serverDisk, has.diskBytes(), id)
		if v.fault != nil && v.fault.code != 0 {
			s.Add(serverFault, 1, id, strconv.Itoa(v.fault.code), v.fault.message)
		}
	}
}

func (c *serversCollector) addGroups(ctx context.Context, s *exporters.Snapshot) {
	var count, members exporters.Tally
	each := exporters.Wants(ctx, exporters.SetObjects)
	for _, g := range c.groups {
		count.Add(1, g.policy())
		members.Add(float64(len(g.Members)), g.policy())
		if each {
			s.Add(groupInfo, 1, g.ID, g.Name, g.policy(), g.Project)
			s.Add(groupServers, float64(len(g.Members)), g.ID)
		}
	}
	count.AddTo(s, groupCount)
	members.AddTo(s, groupMembers)
}
