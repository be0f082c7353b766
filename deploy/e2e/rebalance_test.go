//go:build lab

package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mcloud/planner/placement"
	"mcloud/planner/rebalance"
)

// TestRebalanceSteersNewServersAwayAndBack plans, applies against a generation
// that changed meanwhile, lets Nova place ten servers, and undoes.
func TestRebalanceSteersNewServersAwayAndBack(t *testing.T) {
	p := newProduct(t, root+"/deploy/lab/mcloud.yaml")
	p.start(t)
	var plan rebalance.Plan
	waitFor(t, "a plan", 2*time.Minute, func() (bool, string) {
		out, errs, err := p.plan(t, "rebalance", "plan", "--format", "json")
		if err != nil {
			return false, errs
		}
		if err := json.Unmarshal([]byte(out), &plan); err != nil {
			t.Fatalf("%v in %.300s", err, out)
		}
		return true, ""
	})
	if shown := p.mustPlan(t, "rebalance", "plan"); !strings.Contains(shown, plan.Host.Name) || !strings.Contains(shown, plan.ID) || !strings.Contains(shown, "%") {
		t.Errorf("the table names neither host nor reason:\n%s", shown)
	}
	hottest, share := hottestByHand(t)
	if plan.Host.Name != hottest {
		t.Errorf("plan steers away from %s, by hand the hottest is %s (%.3f)", plan.Host.Name, hottest, share)
	}
	traitsBefore := traits(t, plan.Host.Provider)
	aggregatesBefore := aggregates(t)

	// Somebody else changes the provider between plan and apply.
	other := "CUSTOM_E2E_OTHER"
	client(t, "lab-admin", nil, "--os-placement-api-version", "1.39", "trait", "create", other)
	t.Cleanup(func() {
		client(t, "lab-admin", nil, "--os-placement-api-version", "1.39", "trait", "delete", other)
	})
	setTraits(t, plan.Host.Provider, append(slices.Clone(traitsBefore), other))
	restored := false
	t.Cleanup(func() {
		if !restored {
			setTraits(t, plan.Host.Provider, traitsBefore)
		}
	})

	var record placement.Record
	if out := p.mustPlan(t, "rebalance", "apply", plan.ID, "--yes", "--config", root+"/deploy/lab/mcloud.yaml", "--format", "json"); json.Unmarshal([]byte(out), &record) != nil || len(record.Made) == 0 {
		t.Fatalf("apply printed %.500s", out)
	}
	undone := false
	t.Cleanup(func() {
		if !undone {
			_, _, _ = p.plan(t, "rebalance", "undo", plan.ID, "--yes", "--config", root+"/deploy/lab/mcloud.yaml")
		}
	})
	if got := traits(t, plan.Host.Provider); !slices.Contains(got, plan.Trait) || !slices.Contains(got, other) {
		t.Errorf("traits after apply: %v", got)
	}
	var shown struct {
		Hosts      []string          `json:"hosts"`
		Properties map[string]string `json:"properties"`
	}
	client(t, "lab-admin", &shown, "aggregate", "show", plan.Aggregate)
	if !slices.Contains(shown.Hosts, plan.Host.ServiceHost) || shown.Properties["trait:"+plan.Trait] != "required" {
		t.Errorf("aggregate after apply: %+v", shown)
	}

	name := fmt.Sprintf("e2e-steer-%d", time.Now().Unix())
	client(t, "lab-alice", nil, "server", "create", "--flavor", "m1.tiny", "--image", "cirros-lab", "--network", "acme-net", "--availability-zone", plan.Host.Zone, "--min", "10", "--max", "10", "--wait", name)
	var made []struct {
		ID   string `json:"ID"`
		Name string `json:"Name"`
		Host string `json:"Host"`
	}
	client(t, "lab-admin", &made, "server", "list", "--all-projects", "--long", "--name", name)
	var ids []string
	for _, s := range made {
		ids = append(ids, s.ID)
		if s.Host == plan.Host.Name {
			t.Errorf("%s went to %s all the same", s.Name, s.Host)
		}
	}
	if len(made) != 10 {
		t.Errorf("%d servers made, want 10", len(made))
	}
	client(t, "lab-admin", nil, append([]string{"server", "delete", "--wait"}, ids...)...)

	p.mustPlan(t, "rebalance", "undo", plan.ID, "--yes", "--config", root+"/deploy/lab/mcloud.yaml")
	undone = true
	setTraits(t, plan.Host.Provider, slices.DeleteFunc(traits(t, plan.Host.Provider), func(s string) bool { return s == other }))
	restored = true
	if got := traits(t, plan.Host.Provider); !slices.Equal(got, traitsBefore) {
		t.Errorf("traits after undo %v, before %v", got, traitsBefore)
	}
	if got := aggregates(t); got != aggregatesBefore {
		t.Errorf("aggregates after undo\n%s\nbefore\n%s", got, aggregatesBefore)
	}
	status := p.mustPlan(t, "rebalance", "status", "--format", "json")
	if !strings.Contains(status, plan.ID) || !strings.Contains(status, "undone") {
		t.Errorf("status does not tell: %.500s", status)
	}
}

func traits(t *testing.T, provider string) []string {
	t.Helper()
	var listed []struct {
		Name string `json:"name"`
	}
	client(t, "lab-admin", &listed, "--os-placement-api-version", "1.39", "resource", "provider", "trait", "list", provider)
	var names []string
	for _, l := range listed {
		names = append(names, l.Name)
	}
	slices.Sort(names)
	return names
}

func setTraits(t *testing.T, provider string, names []string) {
	t.Helper()
	args := []string{"--os-placement-api-version", "1.39", "resource", "provider", "trait", "set", provider}
	for _, n := range names {
		args = append(args, "--trait", n)
	}
	client(t, "lab-admin", nil, args...)
}

func aggregates(t *testing.T) string {
	t.Helper()
	var listed []map[string]any
	client(t, "lab-admin", &listed, "aggregate", "list", "--long")
	return fmt.Sprint(listed)
}

// hottestByHand asks Placement with the client: the host with the highest used
// share of any of the three classes.
func hottestByHand(t *testing.T) (string, float64) {
	t.Helper()
	var providers []struct {
		UUID string `json:"uuid"`
		Name string `json:"name"`
	}
	client(t, "lab-admin", &providers, "resource", "provider", "list")
	type inventory struct {
		Class    string  `json:"resource_class"`
		Total    int64   `json:"total"`
		Reserved int64   `json:"reserved"`
		Ratio    float64 `json:"allocation_ratio"`
	}
	type usage struct {
		Class string `json:"resource_class"`
		Usage int64  `json:"usage"`
	}
	inventories, usages := make([][]inventory, len(providers)), make([][]usage, len(providers))
	var commands []command
	for i, p := range providers {
		commands = append(commands,
			command{&inventories[i], []string{"resource", "provider", "inventory", "list", p.UUID}},
			command{&usages[i], []string{"resource", "provider", "usage", "show", p.UUID}})
	}
	clientAll(t, "lab-admin", commands...)
	best, score := "", -1.0
	for at, p := range providers {
		for _, i := range inventories[at] {
			for _, u := range usages[at] {
				if u.Class != i.Class {
					continue
				}
				if s := float64(u.Usage) / float64(int64(float64(i.Total-i.Reserved)*i.Ratio)); s > score {
					best, score = p.Name, s
				}
			}
		}
	}
	return best, score
}
