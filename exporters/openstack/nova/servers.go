package nova

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// overlap is asked for again with each changes-since: clocks have whole seconds,
// and a database's replica may lag.
const overlap = time.Minute

// retryDeleted is the time between two tries to list deleted servers: in a cloud
// where that list is long, its failing must not be the main thing that is asked.
const retryDeleted = 10 * time.Minute

type serversCollector struct {
	cloud   *openstack.Cloud
	cfg     Config
	hosts   *hostIndex
	changed *queue
	touch   func(project string) // says that a project's use changed

	all     map[string]*server   // by id, as of the last look; nil before the first
	gone    map[string]time.Time // deleted servers by id, with the time of their last change
	full    time.Time            // when all were listed last
	since   time.Time            // by Nova's clock, what was seen until
	deleted time.Time            // when the first look's deleted servers were asked for last
	told    bool                 // whether they all came

	groups     []group
	groupsOf   map[string][]string // server group ids by server, sorted
	groupsRead time.Time
}

// Collect takes one look. It is not called concurrently.
func (c *serversCollector) Collect(ctx context.Context) (*exporters.Snapshot, error) {
	start := time.Now().UTC()
	var list openstack.Listing[*server]
	var err, errGroups, errHosts, errDeleted error
	if c.groupsRead.IsZero() || start.Sub(c.groupsRead) >= c.cfg.GroupsEvery {
		errGroups = c.readGroups(ctx, start)
	}
	if c.all == nil || c.full.IsZero() || start.Sub(c.full) >= c.cfg.FullEvery {
		list, err = c.lookAtAll(ctx, start)
	} else {
		list, err = c.list(ctx, url.Values{"changes-since": {c.since.Add(-overlap).Format(time.RFC3339)}})
		c.merge(list.Objects, start)
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
	if !c.told && start.Sub(c.deleted) >= retryDeleted {
		errDeleted = c.lookAtDeleted(ctx, start)
	}
	if refused := c.changed.refused(); refused > 0 {
		s.Failed = append(s.Failed, exporters.ObjectError{Object: "actions of servers", Err: fmt.Errorf("%d servers changed while the queue was full; their actions are not read", refused)})
	}
	errFaults := c.readFaults(ctx)
	c.addSamples(ctx, s)
	s.Inventories = []mcloud.Inventory{c.inventory(start, err == nil && !c.full.IsZero() && len(list.Failed) == 0)}
	return s, errors.Join(err, errGroups, errHosts, errDeleted, errFaults)
}

func (c *serversCollector) list(ctx context.Context, query url.Values) (openstack.Listing[*server], error) {
	query.Set("all_tenants", "1")
	query.Set("limit", "1000")
	return openstack.List[*server](ctx, c.cloud, api, "/servers/detail", "servers", query)
}

// lookAtAll lists all servers. When the list broke off, what
// came is merged into what was known, so that nothing disappears.
func (c *serversCollector) lookAtAll(ctx context.Context, now time.Time) (openstack.Listing[*server], error) {
	list, err := c.list(ctx, url.Values{})
	if err != nil && len(list.Objects) == 0 {
		return list, err
	}
	if err == nil {
		present := make(map[string]bool, len(list.Objects))
		for _, v := range list.Objects {
			present[v.object.ID] = true
		}
		for id, v := range c.all {
			if !present[id] && len(list.Failed) == 0 {
				delete(c.all, id)
				c.changed.add(id, v.object.Project, now, now, true) // deleted while nobody looked
			}
		}
		c.full, c.since = now, list.Time
	}
	c.merge(list.Objects, now)
	return list, err
}

// merge takes over what a list says and queues what changed for its actions.
func (c *serversCollector) merge(list []*server, now time.Time) {
	if c.all == nil && (len(list) > 0 || !c.full.IsZero()) {
		c.all, c.gone = make(map[string]*server, len(list)), map[string]time.Time{}
	}
	for _, v := range list {
		id, project, updated := v.object.ID, v.object.Project, v.updatedAt()
		if v.status.Value() == "DELETED" {
			delete(c.all, id)
			if !c.gone[id].Equal(updated) {
				c.gone[id] = updated
				c.changed.add(id, project, updated, now, true)
				c.touch(project)
			}
			continue
		}
		before := c.all[id]
		if v.status.Value() == "UNKNOWN" && v.shape.Value().flavor == "" {
			c.all[id] = v.behind(before)
			continue
		}
		if before == nil || before.differs(v) {
			c.changed.add(id, project, updated, now, before != nil && before.billsOtherwise(v))
			c.touch(project)
		}
		if before != nil && v.fault == nil && v.status == before.status && v.updated == before.updated {
			v.fault = before.fault
		}
		v.setGroups(c.groupsOf[id])
		c.all[id] = v
	}
	for id, at := range c.gone {
		if c.since.Sub(at) > time.Hour {
			delete(c.gone, id)
		}
	}
}

// lookAtDeleted queues servers that were deleted before the program started.
func (c *serversCollector) lookAtDeleted(ctx context.Context, now time.Time) error {
	type past struct {
		ID      string         `json:"id"`
		Project string         `json:"tenant_id"`
		Updated openstack.Time `json:"updated"`
	}
	c.deleted = now
	list, err := openstack.List[past](ctx, c.cloud, api, "/servers/detail", "servers", url.Values{
		"all_tenants": {"1"}, "limit": {"1000"}, "deleted": {"True"}, "changes-since": {now.Add(-c.cfg.DeletedFor).Format(time.RFC3339)},
	})
	for _, v := range list.Objects {
		c.changed.add(v.ID, v.Project, v.Updated.Time, now, true)
	}
	if err != nil {
		return fmt.Errorf("deleted servers: %w", err)
	}
	c.told = true
	return nil
}

// faultsPerLook bounds the servers that are asked for their fault.
const faultsPerLook = 10

// readFaults asks servers in ERROR, each once, for the fault that the list left
// out: it has none of a server that no host was found for, as its fault lies in
// another cell's database than the one the list looks in (nova.api servers.py,
// fill_faults).
func (c *serversCollector) readFaults(ctx context.Context) error {
	asked := 0
	for id, v := range c.all {
		if v.status.Value() != "ERROR" || v.fault != nil {
			continue
		}
		if asked++; asked > faultsPerLook || ctx.Err() != nil {
			break
		}
		var w struct {
			Fault *wireFault `json:"fault"`
		}
		a, err := c.cloud.Get(ctx, api, "/servers/"+url.PathEscape(id), nil)
		if err == nil {
			err = a.Decode("server", &w)
		}
		switch {
		case exporters.KindOf(err) == exporters.KindNotFound: // deleted in the meantime
		case err != nil:
			return fmt.Errorf("fault of server %s: %w", id, err)
		case w.Fault == nil:
			v.fault = &fault{}
		default:
			v.fault = w.Fault.kept()
		}
	}
	return nil
}

// nameHosts reads the hypervisors' ids itself when nova_hosts has not looked
// yet, so that servers are not stored without a parent first.
func (c *serversCollector) nameHosts(ctx context.Context) error {
	list, err := openstack.List[hypervisor](ctx, c.cloud, hypervisorAPI, "/os-hypervisors/detail", "hypervisors", nil)
	if err != nil {
		return fmt.Errorf("servers' hypervisors: %w", err)
	}
	if !c.hosts.known() {
		c.hosts.set(idsByName(list.Objects), nil)
	}
	return nil
}

// inventory shares the attributes of the servers that did not change with the
// inventory of the look before: they are encoded once.
func (c *serversCollector) inventory(start time.Time, complete bool) mcloud.Inventory {
	inventory := mcloud.Inventory{
		Cloud: c.cloud.Name(), Scope: "nova", Kind: mcloud.KindServer, Time: start, Complete: complete,
		Objects: make([]mcloud.Object, 0, len(c.all)),
	}
	parents := c.hosts.ids()
	for _, v := range c.all {
		if v.hidden {
			inventory.Complete = false
			continue
		}
		o := v.object
		o.Parent = parents[v.hypervisor.Value()]
		inventory.Objects = append(inventory.Objects, o)
	}
	slices.SortFunc(inventory.Objects, func(a, b mcloud.Object) int { return strings.Compare(a.ID, b.ID) })
	return inventory
}

// group is a server group.
type group struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Policy   string   `json:"policy"`   // from 2.64
	Policies []string `json:"policies"` // before
	Project  string   `json:"project_id"`
	Members  []string `json:"members"`
}

func (g group) policy() string {
	if g.Policy == "" && len(g.Policies) > 0 {
		return g.Policies[0]
	}
	return g.Policy
}

// groupsPage is how many groups one call asks for. Nova gives no link to a next
// page of them, and no more than osapi_max_limit, 1000 unless configured.
const groupsPage = 1000

// readGroups keeps the groups that were known when they cannot be read.
func (c *serversCollector) readGroups(ctx context.Context, now time.Time) error {
	var all []group
	for {
		list, err := openstack.List[group](ctx, c.cloud, api, "/os-server-groups", "server_groups", url.Values{
			"all_projects": {"True"}, "limit": {fmt.Sprint(groupsPage)}, "offset": {fmt.Sprint(len(all))},
		})
		for _, failed := range list.Failed {
			err = errors.Join(err, failed)
		}
		if err != nil {
			return fmt.Errorf("server groups: %w", err)
		}
		all = append(all, list.Objects...)
		if len(list.Objects) < groupsPage {
			break
		}
	}
	of := map[string][]string{}
	for _, g := range all {
		for _, member := range g.Members {
			of[member] = append(of[member], g.ID)
		}
	}
	for _, ids := range of {
		slices.Sort(ids)
	}
	c.groups, c.groupsOf, c.groupsRead = all, of, now
	for id, v := range c.all {
		v.setGroups(of[id])
	}
	return nil
}
