package ceph

import (
	"encoding/json"
	"math"
	"sync"

	"mcloud/deploy/sim/model"
)

// Bits of a performance counter's type (ceph/ceph:src/common/perf_counters.h).
const (
	typeTime    = 1
	typeAverage = 4
	typeCounter = 8
)

// recordedSeconds is about how long the daemons had run when they were
// recorded: counters grow from there at the recorded pace.
const recordedSeconds = 120

type perfSchema = map[string]map[string]struct {
	Type int `json:"type"`
}

var schemas = struct {
	sync.Mutex
	of map[string]perfSchema
}{of: map[string]perfSchema{}}

func schemaOf(kind string) perfSchema {
	schemas.Lock()
	defer schemas.Unlock()
	if schemas.of[kind] == nil {
		var schema perfSchema
		if err := json.Unmarshal(recordedBytes()["asok_"+kind+"_perf_schema"], &schema); err != nil {
			panic("ceph: recorded perf schema of " + kind + ": " + err.Error())
		}
		schemas.of[kind] = schema
	}
	return schemas.of[kind]
}

// perfDump is the recorded dump with its counters grown by the work since the
// daemon's start, and the numbers that the model knows put in.
func (s *Sockets) perfDump(d daemon) object {
	dump, schema := recorded("asok_"+d.kind+"_perf_dump", nil), schemaOf(d.kind)
	s.withState(d.cluster, func(st *state) {
		since := st.world.Config.Start
		if d.osd != nil {
			since = d.osd.Booted
		}
		grown := 1 + work(since, st.world.Now)/recordedSeconds
		for group, counters := range dump {
			for name, value := range counters.(object) {
				counters.(object)[name] = grow(value, schema[group][name].Type, grown)
			}
		}
		if d.osd != nil {
			st.osdCounters(d.osd, dump)
		}
	})
	return dump
}

func grow(value any, kind int, factor float64) any {
	switch v := value.(type) {
	case json.Number:
		if kind&typeCounter == 0 {
			return v
		}
		x, err := v.Float64()
		if err != nil {
			return v
		}
		if kind&typeTime != 0 {
			return x * factor
		}
		return int64(x * factor)
	case object: // {avgcount, sum, avgtime}: both parts only grow
		if kind&typeAverage == 0 {
			return v
		}
		for part, n := range v {
			number, isNumber := n.(json.Number)
			if !isNumber || part == "avgtime" {
				continue
			}
			x, err := number.Float64()
			if err != nil {
				continue
			}
			if part == "avgcount" {
				v[part] = int64(x * factor)
			} else {
				v[part] = x * factor
			}
		}
	}
	return value
}

// osdCounters puts in the OSD's part of the cluster's traffic, its latencies
// and its space.
func (s *state) osdCounters(o *model.OSD, dump object) {
	osd, known := dump["osd"].(object)
	if !known {
		return
	}
	seconds := work(o.Booted, s.world.Now)
	l := split(operations[s.DeviceClass()] * seconds / float64(len(s.OSDs)))
	copies := int64(s.layoutCopies())
	set := func(prefix string, n, bytes int64, milliseconds float64) {
		osd[prefix] = n
		osd[prefix+"_latency"] = average(n, milliseconds)
		osd[prefix+"_process_latency"] = average(n, milliseconds*0.9)
		switch prefix {
		case "op_r":
			osd["op_r_out_bytes"] = bytes
		case "op_w":
			osd["op_w_in_bytes"] = bytes
		}
	}
	// One latency for all time: a sum that followed the day would fall at night.
	commit := meanLatency(o)
	set("op_r", l.reads, l.readBytes, commit*0.5)
	set("op_w", l.writes, l.writeBytes, commit*1.4)
	osd["op"], osd["op_latency"] = l.reads+l.writes, average(l.reads+l.writes, commit)
	osd["op_in_bytes"], osd["op_out_bytes"] = l.writeBytes, l.readBytes
	osd["subop_w"], osd["subop_w_in_bytes"] = l.writes*(copies-1), l.writeBytes*(copies-1)
	osd["subop"], osd["subop_in_bytes"] = osd["subop_w"], osd["subop_w_in_bytes"]
	pgs := s.pgsOn()[o.Number]
	osd["numpg"], osd["numpg_primary"], osd["numpg_replica"] = pgs, pgs/int(copies), pgs-pgs/int(copies)
	used := s.usage.OSDUsed[o.Number]
	osd["stat_bytes"], osd["stat_bytes_used"], osd["stat_bytes_avail"] = o.Bytes, used, o.Bytes-used
	if bluestore, has := dump["bluestore"].(object); has {
		bluestore["bluestore_allocated"], bluestore["bluestore_stored"] = used, used-used/200
	}
}

func (s *state) layoutCopies() float64 {
	for _, p := range s.Pools {
		if p.Kind == model.VolumesPool {
			return float64(p.Size)
		}
	}
	return 3
}

// average is a long-run average of n operations of about so many milliseconds.
func average(n int64, milliseconds float64) object {
	each := milliseconds / 1000
	return object{"avgcount": n, "sum": math.Round(float64(n)*each*1e9) / 1e9, "avgtime": each}
}

// only keeps one group, and one counter of it.
func only(dump object, logger string, counter any) object {
	group, known := dump[logger].(object)
	if !known {
		return object{}
	}
	if name, given := counter.(string); given && name != "" {
		return object{logger: object{name: group[name]}}
	}
	return object{logger: group}
}
