//go:build lab

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"mcloud/planner/capacity"
	"mcloud/planner/report"
)

// cephCommand runs one of Ceph's programs as admin of a cluster of the lab.
func cephCommand(t testing.TB, program, cluster string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	lab := os.Getenv("MCLOUD_LAB")
	if lab == "" {
		lab = "/var/lib/mcloud-lab"
	}
	conf := filepath.Join(lab, "ceph", cluster, cluster+".conf")
	command := exec.CommandContext(ctx, program, append([]string{"--conf", conf, "--cluster", cluster}, args...)...)
	var errs strings.Builder
	command.Stderr = &errs
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", program, strings.Join(args, " "), err, out, errs.String())
	}
	return out
}

// cephDF is MAX AVAIL and what is stored of each pool, as `ceph df` says.
func cephDF(t testing.TB, cluster string) map[string]capacity.PoolUse {
	t.Helper()
	var df struct {
		Pools []struct {
			Name  string `json:"name"`
			Stats struct {
				Stored   float64 `json:"stored"`
				MaxAvail float64 `json:"max_avail"`
			} `json:"stats"`
		} `json:"pools"`
	}
	if err := json.Unmarshal(cephCommand(t, "ceph", cluster, "df", "--format", "json"), &df); err != nil {
		t.Fatal(err)
	}
	pools := map[string]capacity.PoolUse{}
	for _, p := range df.Pools {
		pools[cluster+"/"+p.Name] = capacity.PoolUse{Stored: p.Stats.Stored, MaxAvail: p.Stats.MaxAvail}
	}
	return pools
}

// rooms are the pools of all tiers, of a plan that is younger than this call.
func rooms(t testing.TB, p *product) map[string]capacity.PoolRoom {
	t.Helper()
	since := time.Now()
	p.waitForQuery(t, fmt.Sprintf(`min(mcloud_source_last_success_timestamp_seconds{source=~"ceph_(osd|pool)/.*"}) > %d`, since.Unix()), 2*time.Minute)
	all := map[string]capacity.PoolRoom{}
	waitFor(t, "a plan of now", 2*time.Minute, func() (bool, string) {
		out, errs, err := p.plan(t, "report", "--output", "json")
		if err != nil {
			return false, errs
		}
		var d report.Document
		if err := json.Unmarshal([]byte(out), &d); err != nil {
			t.Fatalf("%v in %.300s", err, out)
		}
		// One scrape more than the look, so that its values are in.
		if d.At.Before(since.Add(15 * time.Second)) {
			return false, "the plan is of " + d.At.Format(time.TimeOnly)
		}
		clear(all)
		for _, tier := range d.Tiers {
			for _, r := range tier.Rooms {
				if r.MaxAvailBytes == nil || r.NearfullBytes == nil {
					return false, r.Pool + ": what is free on its OSDs is not known yet"
				}
				all[r.Pool] = r
			}
		}
		return len(all) >= 4, fmt.Sprintf("%d pools", len(all))
	})
	return all
}

func near(t testing.TB, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance*math.Abs(want) {
		t.Errorf("%s is %.0f, want %.0f (%+.2f %%)", what, got, want, 100*(got/want-1))
	} else {
		t.Logf("%s is %.0f, %.0f seen (%+.3f %%)", what, got, want, 100*(got/want-1))
	}
}

// maxAvailEqualsCephDF: for each pool within half a percent.
func maxAvailEqualsCephDF(t *testing.T, p *product) {
	told := cephDF(t, "fast")
	for pool, use := range cephDF(t, "geo") {
		told[pool] = use
	}
	for pool, r := range rooms(t, p) {
		near(t, "MAX AVAIL of "+pool, *r.MaxAvailBytes, told[pool].MaxAvail, 0.005)
	}
}

// TestNearfullIsForeseen writes to a tier until Ceph calls an OSD nearly full. To write
// little, the ratio is lowered first.
func TestNearfullIsForeseen(t *testing.T) {
	slow(t)
	const cluster, pool, ratio = "fast", "nvme", "0.35"
	p := newProduct(t, root+"/deploy/lab/mcloud.yaml")
	p.start(t)
	lab(t, "fault", "nearfull", cluster, ratio)
	t.Cleanup(func() { lab(t, "fault", "restore", "nearfull", cluster) })
	before := cephDF(t, cluster)[cluster+"/"+pool].Stored
	foreseen := *rooms(t, p)[cluster+"/"+pool].NearfullBytes
	if foreseen < 500<<20 {
		t.Fatalf("only %.0f bytes until nearfull at %s: too few to measure", foreseen, ratio)
	}
	const block = 4 << 20
	// Whatever else is left of the objects that rados bench makes goes too.
	t.Cleanup(func() { cephCommand(t, "rados", cluster, "--pool", pool, "cleanup", "--prefix", "benchmark_data") })
	written := 0.0
	write := func(bytes float64) {
		objects := int(bytes) / block
		cephCommand(t, "rados", cluster, "--pool", pool, "bench", "600", "write", "-b", strconv.Itoa(block), "--max-objects", strconv.Itoa(objects), "--no-cleanup", "--run-name", fmt.Sprintf("e2e-%d", time.Now().UnixNano()))
		written += float64(objects * block)
	}
	nearfull := func() bool {
		return strings.Contains(string(cephCommand(t, "ceph", cluster, "health", "detail")), "OSD_NEARFULL")
	}
	write(0.98 * foreseen)
	// Statistics come every few seconds: what is not said in ten of them is not so.
	quiet := time.Now().Add(30 * time.Second)
	waitFor(t, "what was written is counted", 2*time.Minute, func() (bool, string) {
		stored := cephDF(t, cluster)[cluster+"/"+pool].Stored - before
		return stored > 0.97*written && time.Now().After(quiet), fmt.Sprintf("%.0f of %.0f", stored, written)
	})
	if nearfull() {
		t.Errorf("after 98 %% of what was foreseen (%.0f bytes) an OSD is nearly full already", foreseen)
	}
	write(0.04 * foreseen)
	waitFor(t, "an OSD is nearly full after 102 % of what was foreseen", 2*time.Minute, func() (bool, string) {
		return nearfull(), fmt.Sprintf("%.0f bytes were foreseen, %.0f are written", foreseen, written)
	})
}

// TestLostDatacentreIsForeseen stops a datacentre: what Ceph then says is what was
// foreseen.
func TestLostDatacentreIsForeseen(t *testing.T) {
	slow(t)
	const cluster, pool, datacentre = "geo", "geo/geo-nvme", "dc3"
	p := newProduct(t, root+"/deploy/lab/mcloud.yaml")
	p.start(t)
	r := rooms(t, p)[pool]
	foreseen, ok := r.Without["datacenter "+datacentre]
	if !ok {
		t.Fatalf("nothing is foreseen for the loss of %s: %v", datacentre, r.Without)
	}
	var answer report.WhatIf
	if err := json.Unmarshal([]byte(p.mustPlan(t, "whatif", "--lose", "datacenter="+datacentre, "--output", "json")), &answer); err != nil {
		t.Fatal(err)
	}
	lab(t, "fault", "stop", "datacenter", cluster+"."+datacentre)
	t.Cleanup(func() { lab(t, "fault", "restore", "datacenter", cluster+"."+datacentre) })
	var after capacity.PoolUse
	last := -1.0
	waitFor(t, "ceph df without "+datacentre, 3*time.Minute, func() (bool, string) {
		after = cephDF(t, cluster)[pool]
		settled := after.MaxAvail == last && math.Abs(after.MaxAvail-*r.ToldBytes) > 0.01**r.ToldBytes
		last = after.MaxAvail
		return settled, fmt.Sprintf("MAX AVAIL %.0f, before %.0f", after.MaxAvail, *r.ToldBytes)
	})
	near(t, "MAX AVAIL without "+datacentre, foreseen, after.MaxAvail, 0.005)
	// The what-if's limit without any reserve is stored and what may still be written,
	// at the nearfull line instead of the full one; two datacentres hold as much as three.
	for _, row := range answer.Rows {
		if row.Subject.Name == "three-DC NVMe" {
			full := (after.MaxAvail*2/3 + after.Stored) * 0.85 / 0.95 // with all three copies counted
			near(t, "the tier's capacity without "+datacentre, row.After.Capacity, full, 0.02)
		}
	}
}
