// Package trove looks at a cloud's databases.
//
// All projects' instances are told by Trove's management API only, which asks
// for the role admin in its code, not by a policy, and answers 401 without it:
// the account's role is looked at first. Its answer takes Trove a call to Nova,
// and to the guest for the space in use.
//
// Calls per round, trove_instances: 1 for each page of instances.
package trove

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var api = openstack.API{Name: "trove", Types: []string{"database"}, Version: "v1.0"}

// gib is what Trove means by "gb".
const gib = 1 << 30

// Config configures Sources.
type Config struct {
	Period time.Duration // 5 minutes if zero
}

// Sources returns what looks at Trove: trove_instances.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source {
	cfg.Period = cmp.Or(cfg.Period, 5*time.Minute)
	return []exporters.Source{cloud.Source("trove_instances", "trove", cfg.Period, 3*time.Minute,
		func(ctx context.Context) (*exporters.Snapshot, error) { return collect(ctx, cloud) },
		instances, instancesSize, instanceInfo, instanceSize, instanceUsed)}
}

// Calls are the requests of this package.
func Calls() []openstack.Call {
	return []openstack.Call{{
		API: api, Path: "/mgmt/instances", Query: map[string]string{"deleted": "False"}, Rule: "", Role: "admin",
		Gives: "databases of all projects (no policy opens it)", Optional: true,
	}}
}

var (
	ofInstance = []string{"instance_id", "name", "project_id"}

	instances = &exporters.Family{
		Name: "openstack_trove_instances", Type: exporters.Gauge, Labels: []string{"status", "datastore_type", "datastore_version"}, Set: exporters.SetBase, Call: "GET /v1.0/mgmt/instances",
		Help: "Database instances by status and datastore.",
	}
	instancesSize = &exporters.Family{
		Name: "openstack_trove_instances_volume_size_bytes", Unit: "bytes", Type: exporters.Gauge, Labels: []string{"datastore_type"}, Set: exporters.SetBase, Call: "GET /v1.0/mgmt/instances",
		Help: "Sum of the sizes of the database instances' volumes.",
	}
	instanceInfo = &exporters.Family{
		Name: "openstack_trove_instance_info", Type: exporters.Gauge, Set: exporters.SetObjects, Call: "GET /v1.0/mgmt/instances",
		Labels: []string{"instance_id", "name", "project_id", "status", "operating_status", "datastore_type", "datastore_version", "region"},
		Help:   "A database instance with its state; operating_status is what its guest says; always 1.",
	}
	instanceSize = &exporters.Family{
		Name: "openstack_trove_instance_volume_size_bytes", Unit: "bytes", Type: exporters.Gauge, Labels: ofInstance, Set: exporters.SetObjects, Call: "GET /v1.0/mgmt/instances",
		Help: "Size of the database instance's volume; absent where it has none.",
	}
	instanceUsed = &exporters.Family{
		Name: "openstack_trove_instance_volume_used_bytes", Unit: "bytes", Type: exporters.Gauge, Labels: ofInstance, Set: exporters.SetObjects, Call: "GET /v1.0/mgmt/instances",
		Help: "Space in use on the database instance's volume; absent when its guest did not say.",
	}
)

type instance struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Project   string `json:"tenant_id"`
	Status    string `json:"status"`
	Operating string `json:"operating_status"`
	Region    string `json:"region"`
	Datastore struct {
		Type    string `json:"type"`
		Version string `json:"version"`
	} `json:"datastore"`
	Volume struct {
		Size openstack.Float `json:"size"`
		Used openstack.Float `json:"used"`
	} `json:"volume"`
}

func collect(ctx context.Context, cloud *openstack.Cloud) (*exporters.Snapshot, error) {
	// An absent service says so before the account's role is found wanting.
	if _, err := cloud.Endpoint(ctx, api); err != nil {
		return nil, err
	}
	admin, err := cloud.Admin(ctx)
	if err != nil {
		return nil, err
	}
	if !admin {
		return nil, exporters.WithKind(fmt.Errorf("trove: GET /mgmt/instances is not asked for: the account of cloud %q has not the role admin, and no policy of Trove's opens it to others", cloud.Name()), exporters.KindForbidden)
	}
	list, err := openstack.List[instance](ctx, cloud, api, "/mgmt/instances", "instances", url.Values{"include_clustered": {"False"}, "deleted": {"False"}})
	if err != nil && len(list.Objects) == 0 {
		return nil, err
	}
	s := &exporters.Snapshot{}
	list.NoteIn(s)
	var counts, sizes exporters.Tally
	for _, v := range list.Objects {
		counts.Add(1, v.Status, v.Datastore.Type, v.Datastore.Version)
		if v.Volume.Size.Known {
			sizes.Add(v.Volume.Size.Value*gib, v.Datastore.Type)
		}
		if exporters.Wants(ctx, exporters.SetObjects) {
			v.addTo(s)
		}
	}
	if err == nil && len(list.Failed) == 0 {
		counts.AddTo(s, instances)
		sizes.AddTo(s, instancesSize)
	}
	return s, err
}

func (v instance) addTo(s *exporters.Snapshot) {
	s.Add(instanceInfo, 1, v.ID, v.Name, v.Project, v.Status, v.Operating, v.Datastore.Type, v.Datastore.Version, v.Region)
	if v.Volume.Size.Known {
		s.Add(instanceSize, v.Volume.Size.Value*gib, v.ID, v.Name, v.Project)
	}
	if v.Volume.Used.Known {
		s.Add(instanceUsed, v.Volume.Used.Value*gib, v.ID, v.Name, v.Project)
	}
}
