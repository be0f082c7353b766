package main

import "context"

func masakariOurs(p page) readings {
	out := make(readings)
	names := make(map[string]string) // of segments, by id
	p.each("openstack_masakari_segment_info", func(l map[string]string, _ float64) {
		names[l["segment_id"]] = l["name"]
		out.add("segment "+l["recovery_method"], l["name"], 1)
	})
	p.each("openstack_masakari_segment_enabled", func(l map[string]string, v float64) {
		out.add("segment enabled", names[l["segment_id"]], v)
	})
	p.each("openstack_masakari_host_on_maintenance", func(l map[string]string, v float64) { out.add("host on maintenance", l["host"], v) })
	p.each("openstack_masakari_host_reserved", func(l map[string]string, v float64) { out.add("host reserved", l["host"], v) })
	p.each("openstack_masakari_notifications", func(l map[string]string, v float64) { out.add("notifications", l["type"]+" "+l["status"], v) })
	return out
}

// failoverSegment is a line of `openstack segment list`.
type failoverSegment struct {
	Name           string `json:"name"`
	RecoveryMethod string `json:"recovery_method"`
	Enabled        bool   `json:"is_enabled"`
}

// failoverHost is a line of `openstack segment host list`.
type failoverHost struct {
	Name        string `json:"name"`
	Reserved    bool   `json:"reserved"`
	Maintenance bool   `json:"on_maintenance"`
}

// failureNotification is a line of `openstack notification list`.
type failureNotification struct {
	Type   string `json:"type"`
	Status string `json:"status"`
}

func masakariReadings(segments []failoverSegment, hosts []failoverHost, notifications []failureNotification) readings {
	out := make(readings)
	for _, s := range segments {
		out.add("segment "+s.RecoveryMethod, s.Name, 1)
		out.add("segment enabled", s.Name, truth(s.Enabled))
	}
	for _, h := range hosts {
		out.add("host on maintenance", h.Name, truth(h.Maintenance))
		out.add("host reserved", h.Name, truth(h.Reserved))
	}
	for _, n := range notifications {
		out.add("notifications", n.Type+" "+n.Status, 1)
	}
	return out
}

func masakariTheirs(ctx context.Context, c *clients) (readings, error) {
	var segments []failoverSegment
	var notifications []failureNotification
	if err := c.openstack(ctx, question{"segment list", &segments}, question{"notification list", &notifications}); err != nil {
		return nil, err
	}
	var hosts []failoverHost
	for _, s := range segments {
		var of []failoverHost
		if err := c.openstack(ctx, question{"segment host list " + s.Name, &of}); err != nil {
			return nil, err
		}
		hosts = append(hosts, of...)
	}
	return masakariReadings(segments, hosts, notifications), nil
}
