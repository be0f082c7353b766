// Package ironic looks at a cloud's bare-metal nodes and conductors.
//
// Ironic shows all nodes to what its policy baremetal:node:list_all lets pass (a
// reader of the system by default), and to others those that they own or lease,
// without a word. Conductors are told by the same right only and refused
// otherwise, so that an account that may not list them is believed no count of
// nodes either.
//
// A node's driver_info, which has the credentials of its management controller
// (masked), is in the answer and is not read.
//
// Calls per round, ironic_nodes: 1, and 1 for each thousand nodes.
package ironic

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// api needs 1.61, which tells what is retired (Ussuri).
var api = openstack.API{
	Name: "ironic", Types: []string{"baremetal"}, Version: "v1", Header: "baremetal", OwnHeader: "X-OpenStack-Ironic-API-Version",
	Min: openstack.Microversion{Major: 1, Minor: 61}, Max: openstack.Microversion{Major: 1, Minor: 96},
}

// Config configures Sources.
type Config struct {
	Period time.Duration // 2 minutes if zero
}

// Sources returns what looks at Ironic: ironic_nodes.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source {
	cfg.Period = cmp.Or(cfg.Period, 2*time.Minute)
	return []exporters.Source{cloud.Source("ironic_nodes", "ironic", cfg.Period, 2*time.Minute,
		func(ctx context.Context) (*exporters.Snapshot, error) { return collect(ctx, cloud) },
		conductorUp, nodes, nodesMaintenance, nodesRetired, nodesOldest,
		nodeInfo, nodeState, nodeMaintenance, nodeConsole, nodeRetired, nodeUpdated, nodeProvisioned)}
}

// Calls are the requests of this package.
func Calls() []openstack.Call {
	page := map[string]string{"limit": "1"}
	return []openstack.Call{
		{API: api, Path: "/conductors", Rule: "baremetal:conductor:get", Role: "reader on the system", Gives: "conductors, and whether all nodes are seen", Optional: true},
		{API: api, Path: "/nodes/detail", Query: page, Rule: "baremetal:node:list_all", Role: "reader on the system", Gives: "bare-metal nodes", Optional: true},
	}
}

type node struct {
	ID            string         `json:"uuid"`
	Name          string         `json:"name"`
	Driver        string         `json:"driver"`
	ResourceClass string         `json:"resource_class"`
	Owner         string         `json:"owner"`
	Provision     string         `json:"provision_state"`
	Power         string         `json:"power_state"`
	Fault         string         `json:"fault"`
	Maintenance   openstack.Bool `json:"maintenance"`
	Console       openstack.Bool `json:"console_enabled"`
	Retired       openstack.Bool `json:"retired"`
	Updated       openstack.Time `json:"updated_at"`
	Provisioned   openstack.Time `json:"provision_updated_at"`
}

func collect(ctx context.Context, cloud *openstack.Cloud) (*exporters.Snapshot, error) {
	s := &exporters.Snapshot{}
	errConductors := addConductors(ctx, cloud, s)
	if errors.Is(errConductors, exporters.ErrAbsent) {
		return nil, errConductors
	}
	list, err := openstack.List[node](ctx, cloud, api, "/nodes/detail", "nodes", url.Values{"limit": {"1000"}})
	list.NoteIn(s)
	if exporters.Wants(ctx, exporters.SetObjects) {
		for _, v := range list.Objects {
			v.addTo(s)
		}
	}
	if err == nil && errConductors == nil && len(list.Failed) == 0 {
		addCounts(s, list.Objects)
	}
	err = errors.Join(errConductors, err)
	if err != nil && s.Seen == 0 {
		return nil, err
	}
	return s, err
}

func addConductors(ctx context.Context, cloud *openstack.Cloud, s *exporters.Snapshot) error {
	list, err := openstack.List[struct {
		Host  string         `json:"hostname"`
		Group string         `json:"conductor_group"`
		Alive openstack.Bool `json:"alive"`
	}](ctx, cloud, api, "/conductors", "conductors", url.Values{"limit": {"1000"}})
	list.NoteIn(s)
	for _, v := range list.Objects {
		s.Add(conductorUp, exporters.Bool(bool(v.Alive)), v.Host, v.Group)
	}
	return err
}

func (v node) addTo(s *exporters.Snapshot) {
	s.Add(nodeInfo, 1, v.ID, v.Name, v.Driver, v.ResourceClass, v.Owner)
	s.Add(nodeState, 1, v.ID, v.Provision, v.Power)
	s.Add(nodeMaintenance, exporters.Bool(bool(v.Maintenance)), v.ID, v.Fault)
	s.Add(nodeConsole, exporters.Bool(bool(v.Console)), v.ID)
	s.Add(nodeRetired, exporters.Bool(bool(v.Retired)), v.ID)
	if !v.Updated.IsZero() {
		s.Add(nodeUpdated, float64(v.Updated.Unix()), v.ID)
	}
	if !v.Provisioned.IsZero() {
		s.Add(nodeProvisioned, float64(v.Provisioned.Unix()), v.ID)
	}
}

func addCounts(s *exporters.Snapshot, all []node) {
	var counts, maintained, retired exporters.Tally
	oldest := map[string]time.Time{}
	for _, v := range all {
		counts.Add(1, v.ResourceClass, v.Provision, v.Power)
		maintained.Add(exporters.Bool(bool(v.Maintenance)), v.ResourceClass, strconv.FormatBool(v.Fault != ""))
		retired.Add(exporters.Bool(bool(v.Retired)), v.ResourceClass)
		if at := oldest[v.Provision]; !v.Provisioned.IsZero() && (at.IsZero() || v.Provisioned.Before(at)) {
			oldest[v.Provision] = v.Provisioned.Time
		}
	}
	counts.AddTo(s, nodes)
	maintained.AddTo(s, nodesMaintenance)
	retired.AddTo(s, nodesRetired)
	for _, state := range slices.Sorted(maps.Keys(oldest)) {
		s.Add(nodesOldest, float64(oldest[state].Unix()), state)
	}
}
