package compat

// OpenStackExporter are the families of openstack-exporter that mean what ours
// mean.
func OpenStackExporter() []Rule { return nil }
