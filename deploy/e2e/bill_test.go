//go:build lab

package e2e

import (
	"encoding/json"
	"fmt"
	"sort"
	"testing"
	"time"

	"mcloud/planner/chargeback"
)

// TestBillEqualsTheHandComputedOne makes a server and a volume, resizes and
// deletes them, and computes the project's bill by hand from what the openstack
// client shows: the start times of `server event list` and created_at of
// volumes. mCloud's must be equal to the second.
func TestBillEqualsTheHandComputedOne(t *testing.T) {
	p := newProduct(t, root+"/deploy/lab/mcloud.yaml")
	p.start(t)
	from := time.Now().UTC().Add(-30 * time.Minute).Truncate(time.Second)

	server := struct {
		ID string `json:"id"`
	}{}
	volume := struct {
		ID      string `json:"id"`
		Created string `json:"created_at"`
	}{}
	name := fmt.Sprintf("e2e-bill-%d", time.Now().Unix())
	// The volume is made and later deleted while the server is.
	clientAll(t, "lab-alice",
		command{&volume, []string{"volume", "create", "--size", "3", "--type", "sas10k", name}},
		command{&server, []string{"server", "create", "--flavor", "m1.tiny", "--image", "cirros-lab", "--network", "acme-net", "--wait", name}})
	client(t, "lab-alice", nil, "server", "resize", "--flavor", "m1.small", "--wait", server.ID)
	client(t, "lab-alice", nil, "server", "resize", "confirm", server.ID)
	waitFor(t, "the resize is confirmed", time.Minute, func() (bool, string) {
		var shown struct {
			Status string `json:"status"`
		}
		client(t, "lab-alice", &shown, "server", "show", server.ID)
		return shown.Status == "ACTIVE", shown.Status
	})
	waitFor(t, "the volume is made", time.Minute, func() (bool, string) {
		var shown struct {
			Status string `json:"status"`
		}
		client(t, "lab-alice", &shown, "volume", "show", volume.ID)
		return shown.Status == "available", shown.Status
	})
	deleteFrom := time.Now().UTC().Truncate(time.Second)
	client(t, "lab-alice", nil, "volume", "delete", volume.ID)
	client(t, "lab-alice", nil, "server", "delete", "--wait", server.ID)
	waitFor(t, "the volume is deleted", time.Minute, func() (bool, string) {
		var volumes []struct {
			ID string `json:"ID"`
		}
		client(t, "lab-alice", &volumes, "volume", "list")
		for _, v := range volumes {
			if v.ID == volume.ID {
				return false, "still listed"
			}
		}
		return true, ""
	})
	to := time.Now().UTC().Truncate(time.Second).Add(time.Second)

	want := handComputedServers(t, server.ID, from, to)
	wantVolumes := handComputedVolumes(t, from, to)
	var bill chargeback.Bill
	waitFor(t, "the bill has the deletions", 2*time.Minute, func() (bool, string) {
		out, errs, err := p.plan(t, "chargeback", "--project", "acme", "--from", from.Format(time.RFC3339), "--to", to.Format(time.RFC3339), "--format", "json")
		if err != nil {
			return false, errs
		}
		if err := json.Unmarshal([]byte(out), &bill); err != nil {
			t.Fatalf("%v in %.300s", err, out)
		}
		got := lines(bill, chargeback.MeterServer, "")
		return got == want && lines(bill, chargeback.MeterVolume, volume.ID) == wantVolumes, fmt.Sprintf("servers\n%s\nwant\n%s\nvolumes\n%s\nwant\n%s", got, want, lines(bill, chargeback.MeterVolume, volume.ID), wantVolumes)
	})
	if bill.Total == "" || len(bill.Unpriced) > 0 {
		t.Errorf("total %q, without price %v", bill.Total, bill.Unpriced)
	}
	// The client no longer shows a deleted volume, so its end is known to lie
	// between the request and the moment it was gone.
	for _, l := range bill.Lines {
		if l.Resource == volume.ID && (l.From.Format("2006-01-02T15:04:05") != volume.Created[:19] || l.To.Before(deleteFrom) || l.To.After(to) || l.Estimated) {
			t.Errorf("the deleted volume: %+v, created %s, deleted between %s and %s", l, volume.Created, deleteFrom, to)
		}
	}
}

// lines are a bill's stretches as text, without one resource.
func lines(b chargeback.Bill, meter chargeback.Meter, without string) string {
	var all []string
	for _, l := range b.Lines {
		if l.Meter == meter && l.Resource != without {
			all = append(all, fmt.Sprintf("%s %s×%d %s–%s = %d\n", l.Resource, l.SKU, l.Quantity, l.From.Format(time.TimeOnly), l.To.Format(time.TimeOnly), l.UnitSeconds))
		}
	}
	sort.Strings(all)
	return fmt.Sprint(all)
}

func line(resource, sku string, quantity int64, start, end, from, to time.Time) string {
	if start.Before(from) {
		start = from
	}
	if end.After(to) {
		end = to
	}
	return fmt.Sprintf("%s %s×%d %s–%s = %d\n", resource, sku, quantity, start.Format(time.TimeOnly), end.Format(time.TimeOnly), quantity*int64(end.Sub(start)/time.Second))
}

func handComputedServers(t *testing.T, resized string, from, to time.Time) string {
	t.Helper()
	type listed struct {
		ID     string `json:"ID"`
		Flavor string `json:"Flavor"`
		Status string `json:"Status"`
	}
	var servers []listed
	client(t, "lab-alice", &servers, "server", "list")
	servers = append(servers, listed{ID: resized})
	type event struct {
		Action string `json:"Action"`
		Start  string `json:"Start Time"`
	}
	events := make([][]event, len(servers))
	var commands []command
	for i, s := range servers {
		commands = append(commands, command{&events[i], []string{"server", "event", "list", s.ID}})
	}
	clientAll(t, "lab-admin", commands...)
	var all []string
	for i, s := range servers {
		at := map[string]time.Time{}
		for _, e := range events[i] {
			start, err := time.Parse("2006-01-02T15:04:05.999999", e.Start)
			if err != nil {
				t.Fatal(err)
			}
			at[e.Action] = start.Truncate(time.Second)
		}
		switch {
		case s.ID == resized:
			all = append(all, line(s.ID, "m1.tiny", 1, at["create"], at["resize"], from, to), line(s.ID, "m1.small", 1, at["resize"], at["delete"], from, to))
		case s.Status == "ERROR":
		default:
			all = append(all, line(s.ID, s.Flavor, 1, at["create"], to, from, to))
		}
	}
	sort.Strings(all)
	return fmt.Sprint(all)
}

func handComputedVolumes(t *testing.T, from, to time.Time) string {
	t.Helper()
	var volumes []struct {
		ID   string `json:"ID"`
		Size int64  `json:"Size"`
		Type string `json:"Type"`
	}
	client(t, "lab-alice", &volumes, "volume", "list", "--long")
	shown := make([]struct {
		Created string `json:"created_at"`
	}, len(volumes))
	var commands []command
	for i, v := range volumes {
		commands = append(commands, command{&shown[i], []string{"volume", "show", v.ID}})
	}
	clientAll(t, "lab-alice", commands...)
	var all []string
	for i, v := range volumes {
		start, err := time.Parse("2006-01-02T15:04:05.999999", shown[i].Created)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, line(v.ID, v.Type, v.Size, start.Truncate(time.Second), to, from, to))
	}
	sort.Strings(all)
	return fmt.Sprint(all)
}
