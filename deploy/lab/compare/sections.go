package main

import (
	"context"
	"errors"
	"slices"
)

// section is one system as both sides see it.
type section struct {
	name string
	// sources are the exporter's that make the section's families, without the
	// cluster in their name ("ceph_osd" for ceph_osd/fast).
	sources []string
	ours    func(page) readings
	theirs  func(context.Context, *clients) (readings, error)
}

// allSections in the order of the table.
func allSections() []section {
	mgr := &mgrModules{families: make(map[string]bool), pages: make(map[string]string)}
	return []section{
		{"nova", []string{"nova_hosts", "nova_servers", "nova_flavors", "nova_quotas"}, novaOurs, novaTheirs},
		{"placement", []string{"placement_providers"}, placementOurs, placementTheirs},
		{"keystone", []string{"keystone_projects", "keystone_catalog"}, keystoneOurs, keystoneTheirs},
		{"cinder", []string{"cinder_services", "cinder_pools", "cinder_types", "cinder_volumes", "cinder_snapshots", "cinder_quotas"}, cinderOurs, cinderTheirs},
		{"glance", []string{"glance_images"}, glanceOurs, glanceTheirs},
		{"heat", []string{"heat_stacks", "heat_engines"}, heatOurs, heatTheirs},
		{"neutron", []string{"neutron_agents"}, neutronOurs, neutronTheirs},
		{"networks", []string{"neutron_networks", "neutron_routers", "neutron_addresses"}, networksOurs, networksTheirs},
		{"policies", []string{"neutron_policies"}, policiesOurs, policiesTheirs},
		{"octavia", []string{"octavia_loadbalancers", "octavia_amphorae", "octavia_members"}, octaviaOurs, octaviaTheirs},
		{"designate", []string{"designate_services", "designate_zones", "designate_recordsets"}, designateOurs, designateTheirs},
		{"barbican", []string{"barbican_secrets"}, barbicanOurs, barbicanTheirs},
		{"masakari", []string{"masakari_segments", "masakari_notifications"}, masakariOurs, masakariTheirs},
		{"horizon", []string{"horizon_login"}, horizonOurs, horizonTheirs},
		{"ceph", []string{"ceph_osd", "ceph_pool"}, cephOurs, cephTheirs},
		{mgrSection, []string{"ceph_health", "ceph_osd", "ceph_pool", "ceph_pg", "ceph_service", "ceph_daemon"}, mgr.ours, mgr.theirs},
		{"ovn", []string{"ovn_southbound"}, ovnOurs, ovnTheirs},
		{"ovn_tables", []string{"ovn_southbound", "ovn_northbound"}, ovnTablesOurs, ovnTablesTheirs},
		{"ovs", []string{"ovs", "ovs_database"}, ovsOurs, ovsTheirs},
	}
}

func namesOf(list []section) []string {
	names := make([]string, len(list))
	for i, s := range list {
		names[i] = s.name
	}
	return names
}

// chooseSections gives all when no name is given.
func chooseSections(names []string) []section {
	return slices.DeleteFunc(allSections(), func(s section) bool {
		return len(names) > 0 && !slices.Contains(names, s.name)
	})
}

// readClient asks the clients of a section.
func readClient(ctx context.Context, c *clients, s section) (readings, error) {
	read, err := s.theirs(ctx, c)
	if err == nil && len(read) == 0 {
		// An empty table would be equal to a blind exporter.
		err = errors.New("it lists nothing at all; is the lab up and seeded?")
	}
	return read, err
}

func compareOne(s section, p page, before, after readings) []row {
	rows := compareSection(s.name, s.ours(p), before, after)
	if s.name == mgrSection {
		forgiveDrift(rows)
	}
	return rows
}
