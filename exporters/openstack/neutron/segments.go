package neutron

import (
	"context"
	"fmt"
	"strconv"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var (
	segments = &exporters.Family{
		Name: "openstack_neutron_segments", Type: exporters.Gauge, Labels: []string{"type", "physical_network"}, Set: exporters.SetBase, Call: "GET /segments",
		Help: "Network segments by type (vlan, geneve, vxlan, flat, …) and physical network.",
	}
	rangeCapacity = &exporters.Family{
		Name: "openstack_neutron_segment_range_ids_capacity", Type: exporters.Gauge, Labels: []string{"id", "name", "type", "physical_network", "shared"}, Set: exporters.SetBase, Call: "GET /network-segment-ranges",
		Help: "VLAN or tunnel ids in the network segment range, taken or not. Absent without Neutron's extension network-segment-range.",
	}
	rangeUsed = &exporters.Family{
		Name: "openstack_neutron_segment_range_ids_used", Type: exporters.Gauge, Labels: []string{"id", "name", "type", "physical_network", "shared"}, Set: exporters.SetBase, Call: "GET /network-segment-ranges, /segments",
		Help: "VLAN or tunnel ids in the network segment range that a segment has.",
	}
	segmentFamilies = []*exporters.Family{segments, rangeCapacity, rangeUsed}
)

type segment struct {
	Type     string        `json:"network_type"`
	Physical string        `json:"physical_network"`
	ID       openstack.Int `json:"segmentation_id"`
}

// segments counts network segments, and what they take of the ranges that VLAN
// and tunnel ids come from. A range's own list of what is free has millions of
// entries and is not asked for.
func (c *policiesCollector) segments(ctx context.Context, l *look) {
	if !c.extras.has("segment") {
		l.s.Skipped += 2
		return
	}
	all, complete := list[segment](ctx, l, "/segments", "segments", page("id", "network_type", "physical_network", "segmentation_id"))
	whole := complete && len(all.Failed) == 0
	if whole {
		var count exporters.Tally
		for _, v := range all.Objects {
			count.Add(1, v.Type, v.Physical)
		}
		count.AddTo(l.s, segments)
	}
	if !c.extras.has("network-segment-range") {
		l.s.Skipped++
		return
	}
	type segmentRange struct {
		ID       string         `json:"id"`
		Name     string         `json:"name"`
		Type     string         `json:"network_type"`
		Physical string         `json:"physical_network"`
		Min      openstack.Int  `json:"minimum"`
		Max      openstack.Int  `json:"maximum"`
		Shared   openstack.Bool `json:"shared"`
	}
	ranges, _ := list[segmentRange](ctx, l, "/network-segment-ranges", "network_segment_ranges", page("id", "name", "network_type", "physical_network", "minimum", "maximum", "shared"))
	for _, r := range ranges.Objects {
		if r.Max < r.Min {
			l.s.Failed = append(l.s.Failed, exporters.ObjectError{Object: "network segment range " + r.ID,
				Err: exporters.WithKind(fmt.Errorf("it goes from %d to %d", r.Min, r.Max), exporters.KindDecode)})
			continue
		}
		labels := []string{r.ID, r.Name, r.Type, r.Physical, strconv.FormatBool(bool(r.Shared))}
		l.s.Add(rangeCapacity, float64(r.Max-r.Min)+1, labels...)
		if !whole {
			continue
		}
		used := 0.0
		for _, v := range all.Objects {
			if v.Type == r.Type && v.Physical == r.Physical && v.ID >= r.Min && v.ID <= r.Max {
				used++
			}
		}
		l.s.Add(rangeUsed, used, labels...)
	}
}
