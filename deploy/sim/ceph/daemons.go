package ceph

import (
	"encoding/json"
	"fmt"
)

// release is what the recordings were made with.
const release = "ceph version 16.2.15 (618f440892089921c3e944a991122ddc44e60516) pacific (stable)"

func recordedList(name string) json.RawMessage { return json.RawMessage(recordedBytes()[name]) }

func (s *state) monHost(i int) string {
	return s.Hosts[i%len(s.Hosts)].Name
}

func (s *state) mons() []object {
	list := []object{}
	for i, name := range s.Mons {
		addr := address(int(s.FSID[7]-'0'), i, 6789)
		list = append(list, object{
			"rank": i, "name": name, "public_addrs": object{"addrvec": []object{{"type": "v2", "addr": addr, "nonce": 0}, {"type": "v1", "addr": addr, "nonce": 0}}},
			"addr": addr, "public_addr": addr, "priority": 0, "weight": 0, "crush_location": "{}",
		})
	}
	return list
}

func (s *state) ranks() []int {
	ranks := []int{}
	for i := range s.Mons {
		ranks = append(ranks, i)
	}
	return ranks
}

func quorumStatus(s *state) any {
	doc := recorded("quorum_status", object{"quorum": s.ranks(), "quorum_names": s.Mons, "quorum_leader_name": s.Mons[0], "quorum_age": s.age()})
	monmap := at(doc, "monmap")
	monmap["fsid"], monmap["mons"], monmap["created"], monmap["modified"] = s.FSID, s.mons(), stamp(s.Created), stamp(s.Created)
	return doc
}

func monDump(s *state) any {
	return recorded("mon_dump", object{"fsid": s.FSID, "mons": s.mons(), "quorum": s.ranks(), "created": stamp(s.Created), "modified": stamp(s.Created)})
}

func monMetadata(s *state) any {
	list := []object{}
	for i, name := range s.Mons {
		addr := address(int(s.FSID[7]-'0'), i, 6789)
		list = append(list, recorded("mon_metadata_one", object{"name": name, "hostname": s.monHost(i), "addrs": fmt.Sprintf("[v2:%s,v1:%s]", addr, addr)}))
	}
	return list
}

func mgrMetadata(s *state) any {
	list := []object{}
	for i, name := range s.Mgrs {
		list = append(list, recorded("mgr_metadata_one", object{"name": name, "hostname": s.monHost(i)}))
	}
	return list
}

func mgrDump(s *state) any {
	standbys := []object{}
	for i, name := range s.Mgrs[1:] {
		standbys = append(standbys, object{"gid": 4200 + i, "name": name, "mgr_features": 4540138314316775423, "available_modules": []any{}})
	}
	return recorded("mgr_dump", object{"active_name": s.Mgrs[0], "standbys": standbys, "active_change": stamp(s.Created)})
}

func versions(s *state) any {
	count := func(n int) object { return object{release: n} }
	return object{
		"mon": count(len(s.Mons)), "mgr": count(len(s.Mgrs)), "osd": count(len(s.OSDs)), "mds": object{},
		"overall": count(len(s.Mons) + len(s.Mgrs) + len(s.OSDs)),
	}
}

func features(s *state) any {
	group := func(n int) []object {
		return []object{{"features": "0x3f01cfbdfffdffff", "release": "luminous", "num": n}}
	}
	return object{"mon": group(len(s.Mons)), "osd": group(len(s.OSDs)), "client": group(4), "mgr": group(len(s.Mgrs))}
}

func timeSync(s *state) any {
	skews := object{}
	for i, name := range s.Mons {
		skews[name] = object{"skew": 0, "latency": 0.0004 * float64(i), "health": "HEALTH_OK"}
	}
	return object{"time_skew_status": skews, "timechecks": object{"epoch": 26, "round": 2, "round_status": "finished"}}
}
