package ceph

import (
	"bytes"
	"encoding/json"
	"testing"
)

func ask(t *testing.T, m *Mon, command map[string]any) []byte {
	t.Helper()
	b, err := m.Command(t.Context(), command)
	if err != nil {
		t.Fatalf("%v: %v", command, err)
	}
	return b
}

// TestKeptAnswers: an answer that is kept is another one as soon as the OSD map
// is, and those of other arguments are others.
func TestKeptAnswers(t *testing.T) {
	a := build(t)
	m := NewMon(a, a.w.Tiers[0].Cluster)
	for _, command := range []map[string]any{
		{"prefix": "osd dump"}, {"prefix": "osd tree"}, {"prefix": "pg dump", "dumpcontents": []string{"pgs_brief"}},
	} {
		before := ask(t, m, command)
		if !bytes.Equal(before, ask(t, m, command)) {
			t.Errorf("%v: answered otherwise although nothing changed", command)
		}
		a.w.SetOSDUp(m.cluster, m.cluster.OSDs[2], false)
		if bytes.Equal(before, ask(t, m, command)) {
			t.Errorf("%v: osd.2 is down and the answer is the old one", command)
		}
		a.w.SetOSDUp(m.cluster, m.cluster.OSDs[2], true)
	}
	names := ask(t, m, map[string]any{"prefix": "osd pool ls"})
	if bytes.Equal(names, ask(t, m, map[string]any{"prefix": "osd pool ls", "detail": "detail"})) {
		t.Error("osd pool ls detail is answered as osd pool ls")
	}
}

// TestUsageFollowsVolumes: a volume that was just made larger counts at once.
func TestUsageFollowsVolumes(t *testing.T) {
	a := build(t)
	tier := a.w.Tiers[0]
	m := NewMon(a, tier.Cluster)
	stored := func() int64 { return m.usage(a.w).Stored[2] }
	before := stored()
	v := a.w.CreateVolume("new", a.w.Projects[0], a.w.Projects[0].Users[0], tier, 500)
	made := stored()
	if made <= before {
		t.Errorf("stored %d after a volume was made, before %d", made, before)
	}
	a.w.ExtendVolume(v, 1000)
	if after := stored(); after <= made {
		t.Errorf("stored %d after a volume was made larger, before %d", after, made)
	}
}

// TestEveryPGHasOnePrimary: the lists by primary are together those of pg dump.
func TestEveryPGHasOnePrimary(t *testing.T) {
	a := build(t)
	m := NewMon(a, a.w.Tiers[0].Cluster)
	var osds []int
	if err := json.Unmarshal(ask(t, m, map[string]any{"prefix": "osd ls"}), &osds); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, osd := range osds {
		var doc struct {
			PGs []struct {
				ID      string `json:"pgid"`
				Primary int    `json:"acting_primary"`
				Scrub   string `json:"last_scrub_stamp"`
			} `json:"pg_stats"`
		}
		if err := json.Unmarshal(ask(t, m, map[string]any{"prefix": "pg ls-by-primary", "osd": osd}), &doc); err != nil {
			t.Fatal(err)
		}
		for _, p := range doc.PGs {
			if seen[p.ID] || p.Primary != osd || p.Scrub == "" {
				t.Errorf("osd.%d leads %+v, seen before: %v", osd, p, seen[p.ID])
			}
			seen[p.ID] = true
		}
	}
	if all, _ := m.groups(); len(seen) != len(all) || len(osds) != 12 {
		t.Errorf("%d OSDs lead %d PGs, there are %d", len(osds), len(seen), len(all))
	}
}
