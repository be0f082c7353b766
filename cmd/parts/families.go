package parts

import (
	"slices"
	"strings"

	"mcloud/exporters"
	"mcloud/exporters/ceph"
	"mcloud/exporters/openstack"
	"mcloud/exporters/openstack/cinder"
	"mcloud/exporters/openstack/keystone"
	"mcloud/exporters/openstack/neutron"
	"mcloud/exporters/openstack/nova"
	"mcloud/exporters/openstack/placement"
	"mcloud/exporters/ovn"
	"mcloud/exporters/ovs"
)

// Families are all metrics that any Source may serve, and the exporter's own,
// by name.
func Families() []exporters.Family {
	// Declaring needs no cloud: these Sources are never run.
	none := new(openstack.Cloud)
	declared := exporters.List(slices.Concat([]exporters.Source{openstack.UpSource(none, openstack.UpConfig{})},
		keystone.Sources(none, keystone.Config{}), placement.Sources(none, placement.Config{}), nova.Sources(none, nova.Config{}),
		cinder.Sources(none, cinder.Config{}), neutron.Sources(none, neutron.Config{})))
	for _, list := range [][]*exporters.Family{exporters.SelfFamilies(), ceph.Families(), ovn.Families(), ovs.Families()} {
		for _, f := range list {
			declared = append(declared, *f)
		}
	}
	slices.SortFunc(declared, func(a, b exporters.Family) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(declared, func(a, b exporters.Family) bool { return a.Name == b.Name })
}
