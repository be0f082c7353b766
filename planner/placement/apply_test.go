package placement

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"mcloud"
	"mcloud/planner/rebalance"
)

// memory is a Cloud with Placement's and Nova's rules. before runs ahead of
// each write, to let somebody else be quicker.
type memory struct {
	traits     map[string]bool
	provider   Provider
	aggregates map[string]Aggregate
	before     func(write string)
	failAt     string
	writes     []string
}

func (m *memory) write(what string) error {
	if m.before != nil {
		m.before(what)
	}
	m.writes = append(m.writes, what)
	if what == m.failAt {
		return errors.New("the API is away")
	}
	return nil
}

func (m *memory) HasTrait(_ context.Context, t string) (bool, error) { return m.traits[t], nil }
func (m *memory) CreateTrait(_ context.Context, t string) error {
	m.traits[t] = true
	return m.write("create trait")
}
func (m *memory) DeleteTrait(_ context.Context, t string) error {
	if slices.Contains(m.provider.Traits, t) {
		return ErrConflict
	}
	if !m.traits[t] {
		return ErrNotFound
	}
	delete(m.traits, t)
	return m.write("delete trait")
}
func (m *memory) Provider(context.Context, string) (Provider, error) {
	return Provider{m.provider.Generation, slices.Clone(m.provider.Traits)}, nil
}
func (m *memory) SetTraits(_ context.Context, _ string, p Provider) error {
	if err := m.write("set traits"); err != nil {
		return err
	}
	if p.Generation != m.provider.Generation {
		return ErrConflict
	}
	m.provider = Provider{p.Generation + 1, p.Traits}
	return nil
}
func (m *memory) Aggregate(_ context.Context, name string) (Aggregate, error) {
	if a, ok := m.aggregates[name]; ok {
		a.Metadata = maps.Clone(a.Metadata)
		return a, nil
	}
	return Aggregate{}, ErrNotFound
}
func (m *memory) CreateAggregate(_ context.Context, name string) (Aggregate, error) {
	m.aggregates[name] = Aggregate{ID: name, Metadata: map[string]string{}}
	return m.aggregates[name], m.write("create aggregate")
}
func (m *memory) SetMetadata(_ context.Context, id string, metadata map[string]string) error {
	for k, v := range metadata {
		if v == "" {
			delete(m.aggregates[id].Metadata, k)
		} else {
			m.aggregates[id].Metadata[k] = v
		}
	}
	return m.write("set metadata")
}
func (m *memory) AddHost(_ context.Context, id, host string) error {
	if err := m.write("add host"); err != nil {
		return err
	}
	a := m.aggregates[id]
	a.Hosts = append(a.Hosts, host)
	m.aggregates[id] = a
	return nil
}
func (m *memory) RemoveHost(_ context.Context, id, host string) error {
	a := m.aggregates[id]
	a.Hosts = slices.DeleteFunc(slices.Clone(a.Hosts), func(h string) bool { return h == host })
	m.aggregates[id] = a
	return m.write("remove host")
}
func (m *memory) DeleteAggregate(_ context.Context, id string) error {
	delete(m.aggregates, id)
	return m.write("delete aggregate")
}

func (m *memory) state() string {
	return fmt.Sprint(m.traits, m.provider.Traits, m.aggregates)
}

func newMemory() *memory {
	return &memory{traits: map[string]bool{"CUSTOM_RACK": true}, provider: Provider{7, []string{"COMPUTE_NODE", "CUSTOM_RACK"}}, aggregates: map[string]Aggregate{}}
}

func testPlan(t *testing.T) rebalance.Plan {
	t.Helper()
	host := func(name string, used int64) rebalance.Host {
		return rebalance.Host{ID: "uuid-" + name, Nova: mcloud.Host{Name: name, ServiceHost: name, Zone: "a", State: "up", Status: "enabled"},
			Placement: mcloud.Provider{Generation: 7, Usages: map[string]int64{"VCPU": used},
				Inventories: map[string]mcloud.ProviderInventory{"VCPU": {Total: 100, AllocationRatio: 1}}}}
	}
	p, err := rebalance.New("lab", time.Now(), []rebalance.Host{host("a1", 50), host("a2", 10)}, rebalance.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func holds(context.Context) error { return nil }

func TestApplyAndUndoLeaveTheCloudAsItWas(t *testing.T) {
	cloud, plan := newMemory(), testPlan(t)
	before := cloud.state()
	record, err := Apply(t.Context(), cloud, plan, holds)
	if err != nil || len(record.Made) != 5 {
		t.Fatalf("made %d of 5: %v", len(record.Made), err)
	}
	if !slices.Contains(cloud.provider.Traits, rebalance.Trait) || !reflect.DeepEqual(cloud.aggregates[plan.Aggregate].Hosts, []string{"a1"}) {
		t.Fatalf("applied, but %s", cloud.state())
	}
	again, err := Apply(t.Context(), cloud, plan, holds)
	if err != nil || len(again.Made) != 0 || len(again.Notes) != 5 {
		t.Errorf("a second apply made %v, notes %v: %v", again.Made, again.Notes, err)
	}
	if _, err := Undo(t.Context(), cloud, record.Made); err != nil {
		t.Fatal(err)
	}
	if after := cloud.state(); after != before {
		t.Errorf("after undo\n%s, before\n%s", after, before)
	}
	notes, err := Undo(t.Context(), cloud, record.Made)
	if err != nil || len(notes) != 5 {
		t.Errorf("a second undo: %v, notes %v", err, notes)
	}
}

func TestApplyReadsAgainAfterAConflict(t *testing.T) {
	cloud, plan := newMemory(), testPlan(t)
	conflicts := 2
	cloud.before = func(write string) {
		if write == "set traits" && conflicts > 0 {
			conflicts--
			cloud.provider.Generation++
			cloud.provider.Traits = append(cloud.provider.Traits, fmt.Sprintf("CUSTOM_OTHER_%d", conflicts))
		}
	}
	checks := 0
	record, err := Apply(t.Context(), cloud, plan, func(context.Context) error { checks++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	if checks != 3 {
		t.Errorf("the reason was checked %d times, want before the start and after both conflicts", checks)
	}
	for _, trait := range []string{"CUSTOM_OTHER_0", "CUSTOM_OTHER_1", "CUSTOM_RACK", rebalance.Trait} {
		if !slices.Contains(cloud.provider.Traits, trait) {
			t.Errorf("%s was lost: %v", trait, cloud.provider.Traits)
		}
	}
	if _, err := Undo(t.Context(), cloud, record.Made); err != nil {
		t.Fatal(err)
	}
	if slices.Contains(cloud.provider.Traits, rebalance.Trait) || !slices.Contains(cloud.provider.Traits, "CUSTOM_OTHER_0") {
		t.Errorf("undo takes back ours and only ours: %v", cloud.provider.Traits)
	}
}

func TestApplyStopsWhenTheReasonIsGone(t *testing.T) {
	cloud, plan := newMemory(), testPlan(t)
	before := cloud.state()
	_, err := Apply(t.Context(), cloud, plan, func(context.Context) error { return errors.New("cooled down") })
	if !errors.Is(err, ErrStale) || !strings.Contains(err.Error(), "cooled down") {
		t.Errorf("error %v", err)
	}
	if cloud.state() != before || len(cloud.writes) != 0 {
		t.Errorf("it wrote %v", cloud.writes)
	}
	conflict := errors.New("not yet")
	cloud.before = func(write string) {
		if write == "set traits" {
			cloud.provider.Generation++
			conflict = nil
		}
	}
	_, err = Apply(t.Context(), cloud, plan, func(context.Context) error {
		if conflict == nil {
			return errors.New("cooled down meanwhile")
		}
		return nil
	})
	if !errors.Is(err, ErrStale) {
		t.Errorf("after a conflict: %v", err)
	}
}

func TestAFailedApplyCanBeUndone(t *testing.T) {
	cloud, plan := newMemory(), testPlan(t)
	before := cloud.state()
	cloud.failAt = "add host"
	record, err := Apply(t.Context(), cloud, plan, holds)
	if err == nil || !strings.Contains(err.Error(), "step 5") || len(record.Made) != 4 {
		t.Fatalf("made %d: %v", len(record.Made), err)
	}
	cloud.failAt = ""
	if _, err := Undo(t.Context(), cloud, record.Made); err != nil {
		t.Fatal(err)
	}
	if after := cloud.state(); after != before {
		t.Errorf("after undo\n%s, before\n%s", after, before)
	}
}

func TestConflictsEnd(t *testing.T) {
	cloud, plan := newMemory(), testPlan(t)
	cloud.before = func(write string) {
		if write == "set traits" {
			cloud.provider.Generation++
		}
	}
	if _, err := Apply(t.Context(), cloud, plan, holds); !errors.Is(err, ErrConflict) {
		t.Errorf("endless conflicts: %v", err)
	}
	if len(cloud.writes) != 1+maxTries {
		t.Errorf("%d writes, want one trait and %d tries", len(cloud.writes), maxTries)
	}
}
