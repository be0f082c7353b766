package ceph

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"mcloud/exporters"
)

// The size that the design names: a cluster of 1,000 OSDs in three datacentres
// and 33,000 placement groups.
const (
	benchOSDs = 1000
	benchPGs  = 33000
	benchPeer = 12 // heartbeat peers of an OSD: its neighbours in the maps
)

// largeCluster answers as such a cluster, made of the recorded answers of a small
// one, each list's element repeated under other ids.
type largeCluster map[string][]byte

func (c largeCluster) Command(_ context.Context, command map[string]any) ([]byte, error) {
	key := command["prefix"].(string)
	if contents, ok := command["dumpcontents"]; ok {
		key += " " + strings.Join(contents.([]string), " ")
	}
	if b, ok := c[key]; ok {
		return b, nil
	}
	return fakeMon{dir: "testdata/18.2/fast"}.Command(context.Background(), command)
}
func (largeCluster) Close() {}

func newLargeCluster(tb testing.TB) largeCluster {
	tb.Helper()
	c := largeCluster{}
	read := func(prefix string, args map[string]any) map[string]any {
		b, err := (fakeMon{dir: "testdata/18.2/geo"}).Command(context.Background(), merge(map[string]any{"prefix": prefix, "format": "json"}, args))
		if err != nil {
			tb.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(b, &v); err != nil {
			tb.Fatal(err)
		}
		if list, ok := v.([]any); ok {
			return map[string]any{"": list}
		}
		return v.(map[string]any)
	}
	write := func(key string, v any) {
		b, err := json.Marshal(v)
		if err != nil {
			tb.Fatal(err)
		}
		c[key] = b
	}
	repeat := func(from any, n int, change func(element map[string]any, i int)) []any {
		text, err := json.Marshal(from)
		if err != nil {
			tb.Fatal(err)
		}
		list := make([]any, n)
		for i := range list {
			var element map[string]any
			if err := json.Unmarshal(text, &element); err != nil {
				tb.Fatal(err)
			}
			change(element, i)
			list[i] = element
		}
		return list
	}
	first := func(v any) any { return v.([]any)[0] }

	dump := read("osd dump", nil)
	dump["osds"] = repeat(first(dump["osds"]), benchOSDs, func(e map[string]any, i int) { e["osd"] = i })
	upmap := map[string]any{"pgid": "1.0", "mappings": []any{map[string]any{"from": 1, "to": 2}}}
	dump["pg_upmap_items"] = repeat(upmap, benchPGs/3, func(e map[string]any, i int) { e["pgid"] = fmt.Sprintf("1.%x", i) })
	write("osd dump", dump)

	for prefix, args := range map[string]map[string]any{"osd tree": nil, "osd df": {"output_method": "tree"}} {
		tree := read(prefix, args)
		var buckets []any
		var osd any
		for _, n := range tree["nodes"].([]any) {
			if n.(map[string]any)["type"] == "osd" {
				osd = n
			}
		}
		var hosts []any
		for _, n := range tree["nodes"].([]any) {
			switch node := n.(map[string]any); node["type"] {
			case "osd":
			case "host":
				hosts = append(hosts, node)
				node["children"] = []any{}
				buckets = append(buckets, node)
			default:
				buckets = append(buckets, node)
			}
		}
		for i := range benchOSDs {
			host := hosts[i%len(hosts)].(map[string]any)
			host["children"] = append(host["children"].([]any), i)
		}
		tree["nodes"] = append(buckets, repeat(osd, benchOSDs, func(e map[string]any, i int) { e["id"], e["name"] = i, osdName(i) })...)
		write(prefix, tree)
	}
	write("osd metadata", repeat(first(read("osd metadata", nil)[""]), benchOSDs, func(e map[string]any, i int) { e["id"] = i }))
	perf := read("osd perf", nil)
	stats := perf["osdstats"].(map[string]any)
	stats["osd_perf_infos"] = repeat(first(stats["osd_perf_infos"]), benchOSDs, func(e map[string]any, i int) { e["id"] = i })
	write("osd perf", perf)

	pgs := read("pg dump", map[string]any{"dumpcontents": []string{"pgs_brief"}})
	pgs["pg_stats"] = repeat(first(pgs["pg_stats"]), benchPGs, func(e map[string]any, i int) { e["pgid"] = fmt.Sprintf("%d.%x", i%20, i) })
	write("pg dump pgs_brief", pgs)

	reports := read("pg dump", map[string]any{"dumpcontents": []string{"osds"}})
	reports["osd_stats"] = repeat(first(reports["osd_stats"]), benchOSDs, func(e map[string]any, i int) {
		e["osd"] = i
		e["network_ping_times"] = repeat(first(e["network_ping_times"]), benchPeer, func(p map[string]any, j int) { p["osd"] = (i + j + 1) % benchOSDs })
	})
	delete(reports, "pool_statfs")
	write("pg dump osds", reports)
	var ids []int
	for i := range benchOSDs {
		ids = append(ids, i)
	}
	write("osd ls", ids)
	lead := read("pg ls-by-primary", map[string]any{"osd": 0})
	lead["pg_stats"] = repeat(first(lead["pg_stats"]), benchPGs/benchOSDs, func(e map[string]any, i int) { e["pgid"] = fmt.Sprintf("1.%x", i) })
	write("pg ls-by-primary", lead)
	return c
}

func merge(a, b map[string]any) map[string]any {
	for k, v := range b {
		a[k] = v
	}
	return a
}

// BenchmarkLook is one look of each Source at the large cluster: CPU, bytes and
// allocations; bytes/answer is what the monitors send for it.
func BenchmarkLook(b *testing.B) {
	c := newLargeCluster(b)
	all, err := Sources(testConfig(), c)
	if err != nil {
		b.Fatal(err)
	}
	size := map[string][]string{
		"ceph_osd": {"osd dump", "osd tree", "osd df", "osd metadata", "osd perf"}, "ceph_pool": {"osd dump"}, "ceph_pg": {"pg dump pgs_brief"},
		"ceph_heartbeat": {"osd tree", "pg dump osds"}, "ceph_scrub": {"osd ls"},
	}
	for _, s := range all {
		name, _, _ := strings.Cut(s.Name, "/")
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			samples, before := 0, cpuTime(b)
			for b.Loop() {
				snap, err := s.Collector.Collect(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				samples = len(snap.Samples)
			}
			b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N)/1e6, "cpu-ms/op")
			bytes := 0
			for _, key := range size[name] {
				bytes += len(c[key])
			}
			if name == "ceph_scrub" {
				bytes += leastTurn(benchOSDs) * len(c["pg ls-by-primary"])
			}
			b.ReportMetric(float64(bytes), "answer-bytes/op")
			b.ReportMetric(float64(samples), "samples/op")
		})
	}
}

// cpuTime is what the process has used, in nanoseconds: on a busy machine the
// clock on the wall says nothing.
func cpuTime(b *testing.B) int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func leastTurn(osds int) int { return max(leastShare, (osds+scrubRounds-1)/scrubRounds) }

// A look at the large cluster sees all of it, and takes no more calls than at a
// small one.
func TestLargeCluster(t *testing.T) {
	c := newLargeCluster(t)
	for name, s := range sources(t, testConfig(), c) {
		looks := 1
		if name == "ceph_scrub" { // in rotation
			looks = benchOSDs / firstShare
		}
		var snap *exporters.Snapshot
		for range looks {
			var err error
			if snap, err = collect(t, s); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		switch name {
		case "ceph_osd":
			if n := countOf(snap, "ceph_osd_up{"); n != benchOSDs {
				t.Errorf("%d OSDs", n)
			}
			if n := countOf(snap, "ceph_osd_location_info{"); n != benchOSDs {
				t.Errorf("%d OSDs have a place", n)
			}
		case "ceph_pg":
			if snap.Seen != benchPGs {
				t.Errorf("%d placement groups", snap.Seen)
			}
		case "ceph_heartbeat":
			if snap.Seen != benchOSDs || !has(snap, `ceph_heartbeat_rtt_seconds{from_datacenter="dc1",to_datacenter="dc2"`) {
				t.Errorf("%d OSDs report", snap.Seen)
			}
		case "ceph_scrub":
			if !has(snap, "ceph_pool_oldest_scrub_timestamp_seconds") {
				t.Errorf("no scrub age after the first round: %s", render(snap))
			}
		}
	}
}

func countOf(snap *exporters.Snapshot, prefix string) int {
	n := 0
	for _, s := range snap.Samples {
		if strings.HasPrefix(series(s), prefix) {
			n++
		}
	}
	return n
}
