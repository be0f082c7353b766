package parts

import (
	"slices"

	"mcloud/exporters/openstack"
	"mcloud/exporters/openstack/barbican"
	"mcloud/exporters/openstack/cinder"
	"mcloud/exporters/openstack/designate"
	"mcloud/exporters/openstack/glance"
	"mcloud/exporters/openstack/gnocchi"
	"mcloud/exporters/openstack/heat"
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
)

// Calls are every kind of request that the Sources make to OpenStack.
func Calls() []openstack.Call {
	return slices.Concat(
		keystone.Calls(), placement.Calls(), nova.Calls(), cinder.Calls(), neutron.Calls(), glance.Calls(),
		heat.Calls(), octavia.Calls(), designate.Calls(), barbican.Calls(), masakari.Calls(), ironic.Calls(),
		magnum.Calls(), manila.Calls(), trove.Calls(), swift.Calls(), gnocchi.Calls(),
	)
}
