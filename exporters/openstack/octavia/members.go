package octavia

import (
	"context"
	"fmt"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var (
	members = &exporters.Family{
		Name: "openstack_loadbalancer_members", Type: exporters.Gauge, Labels: []string{"provisioning_status", "operating_status"}, Set: exporters.SetBase, Call: "GET /lbaas/pools/{id}/members",
		Help: "Pools' members by provisioning and operating status (ONLINE, OFFLINE, ERROR, NO_MONITOR, DRAINING); a pool's are read anew when its state changed, else once in 30 minutes.",
	}
	poolMembers = &exporters.Family{
		Name: "openstack_loadbalancer_pool_members", Type: exporters.Gauge, Labels: []string{"pool_id", "operating_status"}, Set: exporters.SetObjects, Call: "GET /lbaas/pools/{id}/members",
		Help: "The pool's members by operating status.",
	}
	memberFamilies = []*exporters.Family{members, poolMembers}
)

type member struct {
	statuses
	ID string `json:"id"`
}

// membersCollector reads the members of pools in turn.
type membersCollector struct {
	cloud *openstack.Cloud
	may   *sight
	of    openstack.Rotation[[]member]
	seen  map[string]string // what a pool's line said at the look before, by id
}

func (c *membersCollector) collect(ctx context.Context) (*exporters.Snapshot, error) {
	if err := c.may.all(ctx); err != nil {
		return nil, err
	}
	type pool struct {
		statuses
		ID      string `json:"id"`
		Updated string `json:"updated_at"`
		Members []ref  `json:"members"`
	}
	all, err := openstack.List[pool](ctx, c.cloud, api, "/lbaas/pools", "pools", page("id", "provisioning_status", "operating_status", "updated_at", "members"))
	if err != nil {
		return nil, err // of half the pools nothing is known in sum
	}
	s := &exporters.Snapshot{}
	all.NoteIn(s)
	var ids []string
	now := make(map[string]string, len(all.Objects))
	for _, p := range all.Objects {
		if len(p.Members) == 0 {
			continue // nothing to ask for
		}
		ids = append(ids, p.ID)
		now[p.ID] = fmt.Sprint(p.Provisioning, p.Operating, p.Updated, len(p.Members))
		if before, ok := c.seen[p.ID]; ok && before != now[p.ID] {
			c.of.Touch(p.ID)
		}
	}
	c.seen = now
	failed, err := c.of.Refresh(ctx, ids, time.Now(), func(ctx context.Context, id string) ([]member, error) {
		list, err := openstack.List[member](ctx, c.cloud, api, "/lbaas/pools/"+id+"/members", "members", page("id", "provisioning_status", "operating_status"))
		if missing(err) {
			return nil, nil // the pool went meanwhile
		}
		if err == nil && len(list.Failed) > 0 {
			err = list.Failed[0]
		}
		return list.Objects, err
	})
	s.Failed = append(s.Failed, failed...)
	var count, byPool exporters.Tally
	known := 0
	for id, list := range c.of.Values() {
		known++
		for _, m := range list {
			count.Add(1, m.Provisioning, m.Operating)
			byPool.Add(1, id, m.Operating)
		}
	}
	if exporters.Wants(ctx, exporters.SetObjects) {
		byPool.AddTo(s, poolMembers)
	}
	if known == len(ids) && len(all.Failed) == 0 {
		count.AddTo(s, members)
	}
	return s, err
}
