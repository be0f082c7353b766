package neutron

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// sight says whether the account sees all projects' objects. Neutron answers one
// that does not with its own project's and the shared ones. What tells is that it
// does not get a network's provider attributes either: the rules that open them
// (get_network:provider:network_type) are the administrator's like the others.
type sight struct {
	cloud *openstack.Cloud
	mu    sync.Mutex // guards until
	until time.Time
}

// sightLife is how long a right is believed to last.
const sightLife = time.Hour

func (v *sight) all(ctx context.Context) error {
	if admin, err := v.cloud.Admin(ctx); admin || err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if time.Now().Before(v.until) {
		return nil
	}
	type provided struct {
		Type *string `json:"provider:network_type"`
	}
	list, err := openstack.Each(ctx, v.cloud, api, "/networks", "networks", url.Values{"fields": {"id", "provider:network_type"}, "limit": {"1000"}}, func(n provided) {
		if n.Type != nil {
			v.until = time.Now().Add(sightLife)
		}
	})
	if err == nil && len(list.Failed) > 0 {
		err = list.Failed[0]
	}
	if err != nil || time.Now().Before(v.until) {
		return err
	}
	return exporters.WithKind(fmt.Errorf("neutron: GET /networks: the account of cloud %q sees only its own project's networks: it needs the role admin, "+
		"or policies for get_network, get_network:provider:network_type and the like, and context_is_advsvc", v.cloud.Name()), exporters.KindForbidden)
}
