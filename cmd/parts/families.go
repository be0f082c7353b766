package parts

import (
	"slices"

	"mcloud/exporters"
	"mcloud/exporters/ceph"
	"mcloud/exporters/openstack"
	"mcloud/exporters/openstack/barbican"
	"mcloud/exporters/openstack/cinder"
	"mcloud/exporters/openstack/designate"
	"mcloud/exporters/openstack/glance"
	"mcloud/exporters/openstack/gnocchi"
	"mcloud/exporters/openstack/heat"
	"mcloud/exporters/openstack/horizon"
	"mcloud/exporters/openstack/ironic"
	"mcloud/exporters/openstack/keystone"
	"mcloud/exporters/openstack/magnum"
	"mcloud/exporters/openstack/manila"
	"mcloud/exporters/openstack/masakari"
	"mcloud/exporters/openstack/neutron"
	"mcloud/exporters/openstack/nova"
	"mcloud/exporters/openstack/octavia"
	"mcloud/exporters/openstack/placement"
	"mcloud/exporters/openstack/swift"
	"mcloud/exporters/openstack/trove"
	"mcloud/exporters/ovn"
	"mcloud/exporters/ovs"
)

// Families are all metrics that any Source may serve, and the runner's own, by
// name, with the labels that the page has. (The runner's mcloud_source_* carry
// the label cloud or cluster of their Source besides.)
func Families() []exporters.Family {
	// Declaring needs no cloud: these Sources are never run.
	none := new(openstack.Cloud)
	return exporters.List(slices.Concat(
		[]exporters.Source{openstack.UpSource(none, openstack.UpConfig{})},
		keystone.Sources(none, keystone.Config{}), placement.Sources(none, placement.Config{}), nova.Sources(none, nova.Config{}),
		cinder.Sources(none, cinder.Config{}), neutron.Sources(none, neutron.Config{}),
		glance.Sources(none, glance.Config{}), heat.Sources(none, heat.Config{}), octavia.Sources(none, octavia.Config{}),
		barbican.Sources(none, barbican.Config{}), designate.Sources(none, designate.Config{}), masakari.Sources(none, masakari.Config{}),
		horizon.Sources(none, horizon.Config{}), gnocchi.Sources(none, gnocchi.Config{}), ironic.Sources(none, ironic.Config{}),
		magnum.Sources(none, magnum.Config{}), manila.Sources(none, manila.Config{}), swift.Sources(none, swift.Config{}), trove.Sources(none, trove.Config{}),
		[]exporters.Source{
			{Const: map[string]string{"cluster": ""}, Families: ceph.Families()},
			{Const: map[string]string{"cloud": ""}, Families: ovn.Families()},
			{Const: map[string]string{"cloud": ""}, Families: ovs.Families()},
		}))
}
