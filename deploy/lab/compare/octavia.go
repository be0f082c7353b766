package main

import "context"

func octaviaOurs(p page) readings {
	out := make(readings)
	for _, c := range []struct{ family, thing, label string }{
		{"openstack_loadbalancer_loadbalancers", "load balancers", ""},
		{"openstack_loadbalancer_listeners", "listeners", "protocol"},
		{"openstack_loadbalancer_pools", "pools", "algorithm"},
		{"openstack_loadbalancer_amphorae", "amphorae", "status"},
		{"openstack_loadbalancer_members", "members", "operating_status"},
	} {
		p.each(c.family, func(labels map[string]string, value float64) {
			object := labels[c.label]
			if c.label == "" {
				object = labels["provider"] + " " + labels["provisioning_status"] + " " + labels["operating_status"]
			}
			out.add(c.thing, object, value)
		})
	}
	return out
}

// The lines of the openstack client's lists, as far as they are counted.
type (
	lbBalancer struct {
		Provider     string `json:"provider"`
		Provisioning string `json:"provisioning_status"`
		Operating    string `json:"operating_status"`
	}
	lbListener struct {
		Protocol string `json:"protocol"`
	}
	lbPool struct {
		ID        string `json:"id"`
		Algorithm string `json:"lb_algorithm"`
	}
	lbAmphora struct {
		Status string `json:"status"`
	}
	lbMember struct {
		Operating string `json:"operating_status"`
	}
)

// lbLists are the client's answers of one moment.
type lbLists struct {
	balancers []lbBalancer
	listeners []lbListener
	pools     []lbPool
	amphorae  []lbAmphora
	members   [][]lbMember // by pool
}

func (l lbLists) readings() readings {
	out := make(readings)
	for _, v := range l.balancers {
		out.add("load balancers", v.Provider+" "+v.Provisioning+" "+v.Operating, 1)
	}
	for _, v := range l.listeners {
		out.add("listeners", v.Protocol, 1)
	}
	for _, v := range l.pools {
		out.add("pools", v.Algorithm, 1)
	}
	for _, v := range l.amphorae {
		out.add("amphorae", v.Status, 1)
	}
	for _, list := range l.members {
		for _, v := range list {
			out.add("members", v.Operating, 1)
		}
	}
	return out
}

func octaviaTheirs(ctx context.Context, c *clients) (readings, error) {
	var l lbLists
	err := c.openstack(ctx,
		question{"loadbalancer list", &l.balancers}, question{"loadbalancer listener list", &l.listeners},
		question{"loadbalancer pool list", &l.pools}, question{"loadbalancer amphora list", &l.amphorae})
	if err != nil {
		return nil, err
	}
	l.members = make([][]lbMember, len(l.pools))
	var ofPools []question
	for i, pool := range l.pools {
		ofPools = append(ofPools, question{"loadbalancer member list " + pool.ID, &l.members[i]})
	}
	if len(ofPools) == 0 {
		return l.readings(), nil
	}
	if err := c.openstack(ctx, ofPools...); err != nil {
		return nil, err
	}
	return l.readings(), nil
}
