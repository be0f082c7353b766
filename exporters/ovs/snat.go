package ovs

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"mcloud/exporters"
)

const (
	// Counting a zone makes ovs-vswitchd walk all connections: a few at a look.
	zonesPerLook = 4
	// zoneMaxAge is how old a count may be that is served.
	zoneMaxAge = 10 * time.Minute
)

// snatZones remembers the counts of SNAT zones from look to look.
type snatZones struct {
	next  string // name after which to go on
	known map[string]zoneCount
}

type zoneCount struct {
	at         time.Time
	byProtocol map[string]float64
}

// addSNAT reads some SNAT zones of a host that has a gateway, when the set perf
// is wanted, and serves what it knows. ovn-controller tells the zones' numbers,
// ovs-vswitchd counts the connections in them.
func (k *looker) addSNAT(ctx context.Context, snap *exporters.Snapshot, outcomes []outcome) {
	if !exporters.Wants(ctx, exporters.SetPerf) {
		return
	}
	var zones map[string]string
	var vswitchd *outcome
	for i, o := range outcomes {
		if len(o.zones) > 0 {
			zones = o.zones
		}
		if o.alive && strings.HasPrefix(o.daemon, "ovs-vswitchd") && len(o.failed) == 0 {
			vswitchd = &outcomes[i]
		}
	}
	if vswitchd == nil || !slices.ContainsFunc(slices.Collect(maps.Keys(zones)), isGateway) {
		k.snat = snatZones{}
		return
	}
	var names []string
	for name := range zones {
		if strings.HasSuffix(name, "_snat") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	k.snat.read(ctx, vswitchd, names, zones, k.now())
	for name, count := range k.snat.known {
		if _, there := zones[name]; !there || k.now().Sub(count.at) > zoneMaxAge {
			delete(k.snat.known, name)
			continue
		}
		for _, protocol := range slices.Sorted(maps.Keys(count.byProtocol)) {
			snap.Add(snatUse, count.byProtocol[protocol], k.host.Name, strings.TrimSuffix(name, "_snat"), protocol)
		}
	}
}

// isGateway knows the zone of a gateway port that is here.
func isGateway(zone string) bool { return strings.HasPrefix(zone, "cr-") }

func (s *snatZones) read(ctx context.Context, vswitchd *outcome, names []string, zones map[string]string, now time.Time) {
	if s.known == nil {
		s.known = map[string]zoneCount{}
	}
	from, _ := slices.BinarySearchFunc(names, s.next, func(name, next string) int { return cmp.Or(strings.Compare(name, next), -1) })
	for i := range min(zonesPerLook, len(names)) {
		name := names[(from+i)%len(names)]
		text, err := vswitchd.call(ctx, "dpctl/ct-stats-show", "zone="+zones[name])
		if err != nil {
			return // the next look asks again
		}
		s.next = name
		if byProtocol, ok := connectionsOf(text); ok {
			if len(byProtocol) == 0 {
				byProtocol = map[string]float64{"tcp": 0, "udp": 0}
			}
			s.known[name] = zoneCount{now, byProtocol}
		}
	}
}
