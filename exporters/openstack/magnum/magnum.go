// Package magnum looks at a cloud's container clusters.
//
// Magnum shows all projects' clusters to what its policy context_is_admin lets
// pass, and to others their own project's without a word; then nothing is counted.
//
// Calls per round, magnum_clusters: 1 for each thousand clusters.
package magnum

import (
	"cmp"
	"context"
	"net/url"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var api = openstack.API{
	Name: "magnum", Types: []string{"container-infrastructure-management", "container-infra"}, Version: "v1", Header: "container-infra",
	Min: openstack.Microversion{Major: 1, Minor: 1}, Max: openstack.Microversion{Major: 1, Minor: 11},
}

// Config configures Sources.
type Config struct {
	Period time.Duration // 2 minutes if zero
}

// Sources returns what looks at Magnum: magnum_clusters.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source {
	cfg.Period = cmp.Or(cfg.Period, 2*time.Minute)
	return []exporters.Source{cloud.Source("magnum_clusters", "magnum", cfg.Period, 2*time.Minute,
		func(ctx context.Context) (*exporters.Snapshot, error) { return collect(ctx, cloud) },
		clusters, nodes, clusterInfo, clusterMasters, clusterNodes)}
}

// Calls are the requests of this package.
func Calls() []openstack.Call {
	return []openstack.Call{{
		API: api, Path: "/clusters/detail", Query: map[string]string{"limit": "1"}, Rule: "cluster:detail_all_projects", Role: "admin",
		Gives: "container clusters of all projects", Optional: true,
	}}
}

var (
	ofCluster = []string{"cluster_id", "name", "project_id"}

	clusters = &exporters.Family{
		Name: "openstack_container_infra_clusters", Type: exporters.Gauge, Labels: []string{"status", "health_status"}, Set: exporters.SetBase, Call: "GET /v1/clusters/detail",
		Help: "Container clusters by status and, where Magnum watches it, health.",
	}
	nodes = &exporters.Family{
		Name: "openstack_container_infra_nodes", Type: exporters.Gauge, Labels: []string{"role"}, Set: exporters.SetBase, Call: "GET /v1/clusters/detail",
		Help: "Nodes that all container clusters together should have, by role (master, worker).",
	}
	clusterInfo = &exporters.Family{
		Name: "openstack_container_infra_cluster_info", Type: exporters.Gauge, Set: exporters.SetObjects, Call: "GET /v1/clusters/detail",
		Labels: []string{"cluster_id", "name", "project_id", "stack_id", "status", "health_status", "coe_version"},
		Help:   "A container cluster with its state; always 1.",
	}
	clusterMasters = &exporters.Family{
		Name: "openstack_container_infra_cluster_masters", Type: exporters.Gauge, Labels: ofCluster, Set: exporters.SetObjects, Call: "GET /v1/clusters/detail",
		Help: "Masters that the cluster should have.",
	}
	clusterNodes = &exporters.Family{
		Name: "openstack_container_infra_cluster_nodes", Type: exporters.Gauge, Labels: ofCluster, Set: exporters.SetObjects, Call: "GET /v1/clusters/detail",
		Help: "Workers that the cluster should have.",
	}
)

type cluster struct {
	ID      string        `json:"uuid"`
	Name    string        `json:"name"`
	Project string        `json:"project_id"`
	Stack   string        `json:"stack_id"`
	Status  string        `json:"status"`
	Health  string        `json:"health_status"`
	Version string        `json:"coe_version"`
	Masters openstack.Int `json:"master_count"`
	Nodes   openstack.Int `json:"node_count"`
}

func collect(ctx context.Context, cloud *openstack.Cloud) (*exporters.Snapshot, error) {
	list, err := openstack.List[cluster](ctx, cloud, api, "/clusters/detail", "clusters", url.Values{"limit": {"1000"}})
	if err != nil && len(list.Objects) == 0 {
		return nil, err
	}
	s := &exporters.Snapshot{}
	list.NoteIn(s)
	if exporters.Wants(ctx, exporters.SetObjects) {
		for _, v := range list.Objects {
			s.Add(clusterInfo, 1, v.ID, v.Name, v.Project, v.Stack, v.Status, v.Health, v.Version)
			s.Add(clusterMasters, float64(v.Masters), v.ID, v.Name, v.Project)
			s.Add(clusterNodes, float64(v.Nodes), v.ID, v.Name, v.Project)
		}
	}
	if err != nil || len(list.Failed) > 0 {
		return s, err
	}
	var owners []string
	var counts exporters.Tally
	masters, workers := 0.0, 0.0
	for _, v := range list.Objects {
		owners = append(owners, v.Project)
		counts.Add(1, v.Status, v.Health)
		masters, workers = masters+float64(v.Masters), workers+float64(v.Nodes)
	}
	if err := cloud.SeesAll(ctx, api, "/clusters/detail", "context_is_admin and cluster:detail_all_projects", owners); err != nil {
		return s, err // a part that looks like the whole is not counted
	}
	counts.AddTo(s, clusters)
	s.Add(nodes, masters, "master")
	s.Add(nodes, workers, "worker")
	return s, nil
}
