package ovs

import (
	"mcloud/exporters"
	"mcloud/exporters/ovn/ovsdb"
)

// flow is what went one way; nil where the driver does not count.
type flow struct{ packets, bytes, errors, dropped *int64 }

// traffic is an interface's, seen from the switch.
type traffic struct{ receive, transmit flow }

func (t *traffic) each(do func(direction string, f flow)) {
	do("receive", t.receive)
	do("transmit", t.transmit)
}

// receiveErrors and common are keys of Interface.statistics that have families.
var (
	receiveErrors = map[string]string{"rx_crc_err": "crc", "rx_frame_err": "frame", "rx_over_err": "overrun", "rx_missed_errors": "missed"}
	common        = map[string]bool{"rx_packets": true, "rx_bytes": true, "rx_errors": true, "rx_dropped": true, "tx_packets": true, "tx_bytes": true, "tx_errors": true, "tx_dropped": true}
)

// trafficOf reads Interface.statistics. A negative number stands for one that
// the driver does not have.
func trafficOf(r ovsdb.Row) (t traffic) {
	places := map[string]**int64{
		"rx_packets": &t.receive.packets, "rx_bytes": &t.receive.bytes, "rx_errors": &t.receive.errors, "rx_dropped": &t.receive.dropped,
		"tx_packets": &t.transmit.packets, "tx_bytes": &t.transmit.bytes, "tx_errors": &t.transmit.errors, "tx_dropped": &t.transmit.dropped,
	}
	for name, v := range r.Ints("statistics") {
		if place := places[name]; place != nil && v >= 0 {
			*place = &v
		}
	}
	return t
}

// totals sum up what passed through interfaces that come and go. A sum of their
// counters would fall when one goes; here each adds what it counted since the
// look before.
type totals struct {
	before map[totalKey]traffic
	sums   map[[2]string]*[2][4]sum // by bridge and class: receive, transmit
}

// sum is known once an interface has counted it.
type sum struct {
	value float64
	known bool
}

type totalKey struct{ bridge, class, id string }

func (s *totals) take(now map[totalKey]traffic) {
	first := s.sums == nil
	if first {
		s.sums = map[[2]string]*[2][4]sum{}
	}
	for key, t := range now {
		sums := s.sums[[2]string{key.bridge, key.class}]
		if sums == nil {
			sums = new([2][4]sum)
			s.sums[[2]string{key.bridge, key.class}] = sums
		}
		was := s.before[key] // none of a new one: all it has counted came since
		if first {
			was = t // what it counted before is not ours
		}
		for i, pair := range [2][2]flow{{was.receive, t.receive}, {was.transmit, t.transmit}} {
			for j, v := range [4][2]*int64{{pair[0].packets, pair[1].packets}, {pair[0].bytes, pair[1].bytes}, {pair[0].errors, pair[1].errors}, {pair[0].dropped, pair[1].dropped}} {
				sums[i][j].value += since(v[0], v[1])
				sums[i][j].known = sums[i][j].known || v[1] != nil
			}
		}
	}
	s.before = now
}

// since is what a counter counted; one that fell began anew.
func since(was, is *int64) float64 {
	switch {
	case is == nil:
		return 0
	case was == nil || *is < *was:
		return float64(*is)
	}
	return float64(*is - *was)
}

func (s *totals) addTo(d *hostDatabase) {
	for key, sums := range s.sums {
		for i, direction := range []string{"receive", "transmit"} {
			for j, f := range []*exporters.Family{classPackets, classBytes, classErrors, classDropped} {
				if sums[i][j].known {
					d.add(f, sums[i][j].value, key[0], key[1], direction)
				}
			}
		}
	}
}
