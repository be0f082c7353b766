package glance

import (
	"context"
	"net/url"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

type store struct {
	ID       string         `json:"id"`
	Type     string         `json:"type"`
	Default  openstack.Bool `json:"default"`
	ReadOnly openstack.Bool `json:"read-only"`
}

// collectStores names the stores; their kind only where the account may read it.
// A Glance with one store has no list of them.
func collectStores(ctx context.Context, cloud *openstack.Cloud) (*exporters.Snapshot, error) {
	list, err := openstack.List[store](ctx, cloud, api, "/info/stores/detail", "stores", nil)
	if kind := exporters.KindOf(err); kind == exporters.KindForbidden || kind == exporters.KindNotFound {
		list, err = openstack.List[store](ctx, cloud, api, "/info/stores", "stores", nil)
	}
	if exporters.KindOf(err) == exporters.KindNotFound {
		return &exporters.Snapshot{Skipped: 1}, nil
	}
	if err != nil {
		return nil, err
	}
	s := &exporters.Snapshot{}
	list.NoteIn(s)
	s.Add(stores, float64(len(list.Objects)+len(list.Failed)))
	for _, v := range list.Objects {
		s.Add(storeInfo, 1, v.ID, v.Type, yesNo(bool(v.Default)), yesNo(bool(v.ReadOnly)))
	}
	return s, nil
}

type task struct {
	ID     string `json:"id"`
	Type   string `json:"type"`
	Status string `json:"status"`
}

// collectTasks counts imports and exports. Glance forgets those that are done
// after some days. An account that may not list them does without: the rule that
// would let it, tasks_api_access, lets it make tasks too.
func collectTasks(ctx context.Context, cloud *openstack.Cloud) (*exporters.Snapshot, error) {
	list, err := openstack.List[task](ctx, cloud, api, "/tasks", "tasks", url.Values{"limit": {"1000"}})
	if kind := exporters.KindOf(err); kind == exporters.KindNotFound || kind == exporters.KindForbidden {
		return &exporters.Snapshot{Skipped: 1}, nil
	}
	if err != nil {
		return nil, err
	}
	s := &exporters.Snapshot{}
	list.NoteIn(s)
	var count exporters.Tally
	for _, v := range list.Objects {
		count.Add(1, v.Type, v.Status)
	}
	count.AddTo(s, tasks)
	return s, nil
}
