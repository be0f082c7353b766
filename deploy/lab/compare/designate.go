package main

import "context"

func designateOurs(p page) readings {
	out := make(readings)
	p.each("openstack_designate_zones", func(labels map[string]string, value float64) {
		out.add("zones", labels["type"]+" "+labels["status"]+" "+labels["action"], value)
	})
	p.each("openstack_designate_recordsets", func(labels map[string]string, value float64) {
		out.add("recordsets", labels["type"]+" "+labels["status"], value)
	})
	p.each("openstack_designate_service_up", func(labels map[string]string, value float64) {
		out.add("service up", labels["service"]+" "+labels["host"], value)
	})
	return out
}

// The lines of the openstack client's lists, as far as they are counted.
type (
	dnsZone struct {
		Type   string `json:"type"`
		Status string `json:"status"`
		Action string `json:"action"`
	}
	dnsRecordset struct {
		Type   string `json:"type"`
		Status string `json:"status"`
	}
	dnsService struct {
		Host   string `json:"hostname"`
		Name   string `json:"service_name"`
		Status string `json:"status"`
	}
)

// dnsLists are the client's answers of one moment.
type dnsLists struct {
	zones      []dnsZone
	recordsets []dnsRecordset
	services   []dnsService
}

func (l dnsLists) readings() readings {
	out := make(readings)
	for _, v := range l.zones {
		out.add("zones", v.Type+" "+v.Status+" "+v.Action, 1)
	}
	for _, v := range l.recordsets {
		out.add("recordsets", v.Type+" "+v.Status, 1)
	}
	for _, v := range l.services {
		out.add("service up", v.Name+" "+v.Host, truth(v.Status == "UP"))
	}
	return out
}

func designateTheirs(ctx context.Context, c *clients) (readings, error) {
	var l dnsLists
	err := c.openstack(ctx, question{"zone list --all-projects", &l.zones},
		question{"recordset list all --all-projects", &l.recordsets}, question{"dns service list", &l.services})
	if err != nil {
		return nil, err
	}
	return l.readings(), nil
}
