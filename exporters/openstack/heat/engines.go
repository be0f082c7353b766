package heat

import (
	"context"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// engine is one entry of /services: a process of heat-engine. One that was started
// anew is a new entry, and the old one stays for a while, down.
type engine struct {
	Host     string         `json:"host"`
	Binary   string         `json:"binary"`
	EngineID string         `json:"engine_id"`
	Status   string         `json:"status"`
	Updated  openstack.Time `json:"updated_at"`
}

type enginesCollector struct {
	cloud  *openstack.Cloud
	states exporters.Transitions
}

// onHost is what a host's engines come to.
type onHost struct {
	up, down float64
	seen     time.Time
}

func (h onHost) state() string {
	if h.up > 0 {
		return "up"
	}
	return "down"
}

// Collect takes one look. It is not called concurrently.
func (c *enginesCollector) Collect(ctx context.Context) (*exporters.Snapshot, error) {
	start := time.Now().UTC()
	list, err := openstack.List[engine](ctx, c.cloud, api, "/services", "services", nil)
	if err != nil {
		return nil, err
	}
	s := &exporters.Snapshot{}
	list.NoteIn(s)
	hosts := map[string]*onHost{}
	for _, v := range list.Objects {
		h := hosts[v.Host]
		if h == nil {
			h = &onHost{}
			hosts[v.Host] = h
		}
		if v.Status == "up" {
			h.up++
		} else {
			h.down++
		}
		if v.Updated.After(h.seen) {
			h.seen = v.Updated.Time
		}
	}
	states := map[string]string{}
	for host, h := range hosts {
		states[host] = h.state()
		s.Add(serviceUp, exporters.Bool(h.up > 0), host)
		s.Add(engines, h.up, host, "up")
		s.Add(engines, h.down, host, "down")
		if !h.seen.IsZero() {
			s.Add(serviceSeen, float64(h.seen.Unix()), host)
		}
	}
	for _, t := range c.states.Observe(states, len(list.Failed) == 0) {
		severity := mcloud.SeverityWarning
		if t.To == "up" {
			severity = mcloud.SeverityInfo
		}
		s.Events = append(s.Events, t.Event(c.cloud.Name(), "heat", "service.state", t.Name, severity, start, nil))
	}
	return s, nil
}
