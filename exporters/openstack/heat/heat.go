// Package heat looks at a cloud's stacks and engines.
//
// Calls per round: heat_stacks 1, with one more for each further 500 stacks.
// heat_engines 1.
//
// Only stacks that are not nested in others are listed: a nested one is a part of
// the one that a person made, and its state shows there. Templates, parameters and
// outputs are not read, nor the reason of a state, into which they leak.
package heat

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var api = openstack.API{Name: "heat", Types: []string{"orchestration"}, Version: "v1", Markers: true}

// Config configures Sources.
type Config struct {
	Period time.Duration // 2 minutes if zero
	// StuckAfter is how long a stack may be in progress before it counts as stuck;
	// an hour if zero, which is Heat's own limit (stack_action_timeout).
	StuckAfter time.Duration
}

// Sources returns what looks at Heat: heat_stacks, heat_engines.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source {
	cfg.Period = cmp.Or(cfg.Period, 2*time.Minute)
	cfg.StuckAfter = cmp.Or(cfg.StuckAfter, time.Hour)
	stacks := &stacksCollector{cloud: cloud, cfg: cfg}
	engines := &enginesCollector{cloud: cloud}
	return []exporters.Source{
		cloud.Source("heat_stacks", "heat", cfg.Period, 2*time.Minute, stacks.Collect, stackFamilies...),
		cloud.Source("heat_engines", "heat", cfg.Period, time.Minute, engines.Collect, engineFamilies...),
	}
}

// Calls are all kinds of request that this package makes.
func Calls() []openstack.Call {
	return []openstack.Call{
		{API: api, Path: "/stacks", Query: map[string]string{"global_tenant": "true", "limit": "1"}, Rule: "stacks:global_index", Role: "admin", Gives: "stacks of all projects"},
		{API: api, Path: "/services", Rule: "service:index", Role: "admin", Gives: "state of the engines"},
	}
}

// stack is one entry of /stacks.
type stack struct {
	ID      string         `json:"id"`
	Name    string         `json:"stack_name"`
	Status  string         `json:"stack_status"` // "CREATE_COMPLETE"
	Project string         `json:"project"`
	Owner   string         `json:"stack_owner"`
	Parent  string         `json:"parent"`
	Tags    []string       `json:"tags"`
	Created openstack.Time `json:"creation_time"`
	Updated openstack.Time `json:"updated_time"`
}

// state takes "CREATE_IN_PROGRESS" apart: what was begun, and how far it is
// (heat/engine/stack.py, ACTIONS and STATUSES; no action has an underscore).
func (v *stack) state() (action, status string) {
	action, status, _ = strings.Cut(v.Status, "_")
	return action, status
}

func (v *stack) object() mcloud.Object {
	action, status := v.state()
	return mcloud.NewObject(mcloud.KindStack, v.ID, v.Name, v.Parent, v.Project, mcloud.Stack{
		Name: v.Name, Action: action, Status: status, Owner: v.Owner, Tags: slices.Sorted(slices.Values(v.Tags)),
		Created: v.Created.Time, Updated: v.Updated.Time,
	})
}

type stacksCollector struct {
	cloud *openstack.Cloud
	cfg   Config
}

// Collect takes one look. It is not called concurrently.
func (c *stacksCollector) Collect(ctx context.Context) (*exporters.Snapshot, error) {
	start := time.Now().UTC()
	list, err := openstack.List[stack](ctx, c.cloud, api, "/stacks", "stacks", url.Values{"global_tenant": {"true"}, "limit": {"500"}})
	if err != nil && len(list.Objects) == 0 {
		return nil, err
	}
	s := &exporters.Snapshot{}
	list.NoteIn(s)
	inventory := mcloud.Inventory{Cloud: c.cloud.Name(), Scope: "heat", Kind: mcloud.KindStack, Time: start, Complete: err == nil && len(list.Failed) == 0}
	seen := map[string]bool{}
	for _, v := range list.Objects {
		if !seen[v.ID] { // a stack whose place in the list changed between two pages
			seen[v.ID] = true
			inventory.Objects = append(inventory.Objects, v.object())
		}
	}
	s.Inventories = []mcloud.Inventory{inventory}
	if err == nil {
		c.addSamples(ctx, s, list.Objects, start)
	}
	return s, err
}

func (c *stacksCollector) addSamples(ctx context.Context, s *exporters.Snapshot, list []stack, now time.Time) {
	var count, owned exporters.Tally
	stuck, seen := 0.0, map[string]bool{}
	for _, v := range list {
		if seen[v.ID] {
			continue
		}
		seen[v.ID] = true
		action, status := v.state()
		count.Add(1, action, status)
		owned.Add(1, v.Project)
		if begun := cmp.Or(v.Updated.Time, v.Created.Time); status == "IN_PROGRESS" && !begun.IsZero() && now.Sub(begun) > c.cfg.StuckAfter {
			stuck++
		}
		if exporters.Wants(ctx, exporters.SetObjects) {
			s.Add(stackInfo, 1, v.ID, v.Name, v.Project, action, status, v.Owner)
			s.Add(stackCreated, float64(v.Created.Unix()), v.ID, v.Project)
		}
	}
	count.AddTo(s, stacks)
	owned.AddTo(s, projectStacks)
	s.Add(stacksStuck, stuck)
}
