package masakari

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// segment is one entry of /segments. Its key is the uuid; id is a row's number.
type segment struct {
	ID             string          `json:"uuid"`
	Name           string          `json:"name"`
	ServiceType    string          `json:"service_type"`
	RecoveryMethod string          `json:"recovery_method"`
	Enabled        *openstack.Bool `json:"enabled"` // from microversion 1.2 on
}

type host struct {
	ID                string         `json:"uuid"`
	Name              string         `json:"name"`
	Type              string         `json:"type"`
	ControlAttributes string         `json:"control_attributes"`
	Reserved          openstack.Bool `json:"reserved"`
	OnMaintenance     openstack.Bool `json:"on_maintenance"`
}

type segmentLook struct {
	cloud *openstack.Cloud
	hosts exporters.Transitions
}

func page() url.Values { return url.Values{"limit": {"1000"}} }

func (l *segmentLook) collect(ctx context.Context) (*exporters.Snapshot, error) {
	start := time.Now().UTC()
	list, err := openstack.List[segment](ctx, l.cloud, api, "/segments", "segments", page())
	if err != nil && len(list.Objects) == 0 {
		return nil, err
	}
	s := &exporters.Snapshot{}
	list.NoteIn(s)
	whole := err == nil && len(list.Failed) == 0
	inventory := func(kind mcloud.Kind) mcloud.Inventory {
		return mcloud.Inventory{Cloud: l.cloud.Name(), Scope: "masakari", Kind: kind, Time: start, Complete: whole}
	}
	found, members := inventory(mcloud.KindFailoverSegment), inventory(mcloud.KindFailoverHost)
	states, ids := map[string]string{}, map[string]string{}
	var counts exporters.Tally
	for _, v := range list.Objects {
		counts.Add(1, v.ServiceType, v.RecoveryMethod)
		s.Add(segmentInfo, 1, v.ID, v.Name, v.ServiceType, v.RecoveryMethod)
		if v.Enabled != nil {
			s.Add(segmentEnabled, exporters.Bool(bool(*v.Enabled)), v.ID)
		}
		found.Objects = append(found.Objects, v.object())
		hosts, err := openstack.List[host](ctx, l.cloud, api, "/segments/"+url.PathEscape(v.ID)+"/hosts", "hosts", page())
		hosts.NoteIn(s)
		if err != nil {
			s.Failed = append(s.Failed, exporters.ObjectError{Object: "hosts of segment " + v.ID, Err: err})
		}
		if err != nil || len(hosts.Failed) > 0 {
			members.Complete = false
		} else {
			addCounts(s, v.ID, hosts.Objects)
		}
		for _, h := range hosts.Objects {
			h.addTo(s, v.ID)
			members.Objects = append(members.Objects, h.object(v.ID))
			states[h.Name], ids[h.Name] = h.state(), h.ID
		}
		if ctx.Err() != nil {
			return s, fmt.Errorf("masakari: no time left for the hosts of all segments: %w", ctx.Err())
		}
	}
	if whole {
		counts.AddTo(s, segments)
	}
	s.Inventories = []mcloud.Inventory{found, members}
	for _, t := range l.hosts.Observe(states, members.Complete) {
		s.Events = append(s.Events, t.Event(l.cloud.Name(), "masakari", "failover_host.state", ids[t.Name], mcloud.SeverityInfo, start, nil))
	}
	return s, err
}

func addCounts(s *exporters.Snapshot, segment string, all []host) {
	maintained, reserved := 0, 0
	for _, h := range all {
		maintained += int(exporters.Bool(bool(h.OnMaintenance)))
		reserved += int(exporters.Bool(bool(h.Reserved)))
	}
	s.Add(segmentHosts, float64(len(all)), segment)
	s.Add(segmentMaintenance, float64(maintained), segment)
	s.Add(segmentReserved, float64(reserved), segment)
}

func (h host) addTo(s *exporters.Snapshot, segment string) {
	s.Add(hostInfo, 1, h.Name, segment, h.ID, h.Type, h.ControlAttributes)
	s.Add(hostMaintenance, exporters.Bool(bool(h.OnMaintenance)), h.Name, segment)
	s.Add(hostReserved, exporters.Bool(bool(h.Reserved)), h.Name, segment)
}

// state is what Masakari would do with the host.
func (h host) state() string {
	switch {
	case bool(h.OnMaintenance):
		return "on maintenance"
	case bool(h.Reserved):
		return "reserved"
	}
	return "in service"
}

func (v segment) object() mcloud.Object {
	return mcloud.NewObject(mcloud.KindFailoverSegment, v.ID, v.Name, "", "", mcloud.FailoverSegment{
		ServiceType: v.ServiceType, RecoveryMethod: v.RecoveryMethod, Enabled: (*bool)(v.Enabled),
	})
}

func (h host) object(segment string) mcloud.Object {
	return mcloud.NewObject(mcloud.KindFailoverHost, h.ID, h.Name, segment, "", mcloud.FailoverHost{
		Host: h.Name, Type: h.Type, ControlAttributes: h.ControlAttributes, Reserved: bool(h.Reserved), OnMaintenance: bool(h.OnMaintenance),
	})
}
