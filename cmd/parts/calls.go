package parts

import (
	"slices"

	"mcloud/exporters/openstack"
)

// Calls are every kind of request that the Sources make to OpenStack.
func Calls() []openstack.Call {
	return slices.Concat[[]openstack.Call]()
}
