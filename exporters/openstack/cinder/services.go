package cinder

import (
	"context"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// service is one entry of /os-services. The members of a backend are those of
// cinder-volume only, and backend_state came with 3.49.
type service struct {
	Binary         string          `json:"binary"`
	Host           string          `json:"host"`
	Zone           string          `json:"zone"`
	Status         string          `json:"status"`
	State          string          `json:"state"`
	Updated        openstack.Time  `json:"updated_at"`
	DisabledReason string          `json:"disabled_reason"`
	Cluster        string          `json:"cluster"`
	BackendState   string          `json:"backend_state"`
	Replication    string          `json:"replication_status"`
	ActiveBackend  string          `json:"active_backend_id"`
	Frozen         *openstack.Bool `json:"frozen"`
}

type servicesCollector struct {
	cloud  *openstack.Cloud
	states exporters.Transitions
}

// Collect takes one look. It is not called concurrently.
func (c *servicesCollector) Collect(ctx context.Context) (*exporters.Snapshot, error) {
	start := time.Now().UTC()
	list, err := openstack.List[service](ctx, c.cloud, api, "/os-services", "services", nil)
	if err != nil && len(list.Objects) == 0 {
		return nil, err
	}
	s := &exporters.Snapshot{}
	list.NoteIn(s)
	states := map[string]string{}
	for _, v := range list.Objects {
		name := v.Binary + " on " + v.Host
		if _, twice := states[name]; twice {
			continue // the label set would be the same
		}
		states[name] = v.State + ", " + v.Status
		v.addTo(s)
	}
	for _, t := range c.states.Observe(states, err == nil && len(list.Failed) == 0) {
		s.Events = append(s.Events, t.Event(c.cloud.Name(), "cinder", "service.state", t.Name, severityOf(t.To == "up, enabled"), start, nil))
	}
	return s, err
}

// severityOf makes a change for the better information, any other a warning.
func severityOf(well bool) mcloud.Severity {
	if well {
		return mcloud.SeverityInfo
	}
	return mcloud.SeverityWarning
}

func (v service) addTo(s *exporters.Snapshot) {
	s.Add(serviceUp, exporters.Bool(v.State == "up"), v.Host, v.Binary, v.Zone)
	s.Add(serviceEnabled, exporters.Bool(v.Status == "enabled"), v.Host, v.Binary, v.Zone)
	s.Add(serviceInfo, 1, v.Host, v.Binary, v.Zone, v.DisabledReason, v.Cluster, v.Replication, v.ActiveBackend)
	if !v.Updated.IsZero() {
		s.Add(serviceSeen, float64(v.Updated.Unix()), v.Host, v.Binary, v.Zone)
	}
	if v.Frozen != nil {
		s.Add(serviceFrozen, exporters.Bool(bool(*v.Frozen)), v.Host, v.Zone)
	}
	if v.BackendState != "" {
		s.Add(serviceBackendUp, exporters.Bool(v.BackendState == "up"), v.Host, v.Zone)
	}
}
