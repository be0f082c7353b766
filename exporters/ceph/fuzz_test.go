package ceph

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// seed adds recorded answers.
func seed(f *testing.F, names ...string) {
	f.Helper()
	for _, name := range names {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

// What is read as a stream is what json.Unmarshal reads, or an error.
func FuzzEachElement(f *testing.F) {
	f.Add([]byte(`{"pg_ready":true,"pg_stats":[{"pgid":"1.0","state":"active+clean"}]}`))
	f.Add([]byte(`{"pg_ready":false,"pg_stats":[]}`))
	f.Add([]byte(`{"pg_stats":[1`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var got []pgBrief
		err := eachElement(b, "pg_stats", func(pg *pgBrief) { got = append(got, *pg) })
		var whole struct {
			Stats []pgBrief `json:"pg_stats"`
		}
		if err != nil || json.Unmarshal(b, &whole) != nil {
			return
		}
		if bytes.Count(b, []byte("pg_stats")) == 1 && len(got) != len(whole.Stats) {
			t.Errorf("%d elements, want %d", len(got), len(whole.Stats))
		}
	})
}

func FuzzPerfGroups(f *testing.F) {
	seed(f, "18.2/asok/mds/counter_schema.json", "18.2/asok/mon/counter_dump.json", "16.2/asok/mon/perf_dump.json")
	f.Fuzz(func(t *testing.T, b []byte) {
		var schema perfGroups[description]
		var dump perfValues
		if decodeJSON(b, &schema) == nil {
			newSchema(schema)
		}
		if decodeJSON(b, &dump) != nil {
			return
		}
		s := newSchema(schema)
		counters, _, _ := s.join(dump, 0)
		s.lacks(dump)
		for _, c := range counters {
			if name := metricName(c.group, c.name); !strings.HasPrefix(name, "ceph_") {
				t.Errorf("%q", name)
			}
		}
	})
}

// FuzzAnswers reads anything as the answer to each command.
func FuzzAnswers(f *testing.F) {
	seed(f, "18.2/geo/osd_dump.json", "18.2/osd-down/health_detail.json", "18.2/fast/service_dump.json", "16.2/fast/osd_blocklist_ls.json", "18.2/geo/pg_dump_osds.json",
		"16.2/geo/pg_ls_by_primary_0.json", "18.2/fast/balancer_status.json", "18.2/geo/status.json", "18.2/geo/osd_df_tree.json", "16.2/fast/log_last.json")
	f.Fuzz(func(t *testing.T, b []byte) {
		l := (&cluster{cfg: testConfig()}).look(t.Context())
		var health healthAnswer
		if decodeJSON(b, &health) == nil {
			newHealth(l.cluster).addChecks(l, health)
			for kind := range reportChecks {
				l.addReports(health, kind, []string{"osd.0", "mon.a"})
			}
		}
		var services serviceMap
		if decodeJSON(b, &services) == nil {
			services.gatewayIDs()
			l.addGateways(services)
		}
		var status statusAnswer
		if decodeJSON(b, &status) == nil {
			l.addState(status)
		}
		var dump osdDump
		var tree crushTree
		if decodeJSON(b, &dump) == nil && decodeJSON(b, &tree) == nil {
			places, sizes := tree.places(), sizesOf(tree)
			l.addOSDMap(dump)
			l.addClasses(dump, places, sizes)
			l.osdObjects(dump, places, sizes, nil)
			l.addPoolLayout(dump)
			l.addPoolPlaces(dump, nil)
		}
		var entries []logEntry
		if decodeJSON(b, &entries) == nil {
			c := newClusterLog(l.cluster)
			for _, e := range entries {
				if event, err := c.event(e, c.id(e)); err == nil && event.Validate() != nil {
					t.Errorf("%+v: %v", event, event.Validate())
				}
			}
		}
		var balancer balancerStatus
		if decodeJSON(b, &balancer) == nil {
			pythonDuration(balancer.Duration)
		}
		countEntries(b)
		var a ages
		eachElement(b, "pg_stats", func(pg *pgTimes) { a.take(pg) })
		eachElement(b, "osd_stats", func(*osdReport) {})
	})
}
