package model

import (
	"slices"
	"testing"
)

func empty(t *testing.T) *World {
	t.Helper()
	return grown(t, func(c *Config) {
		c.Zones, c.Hosts, c.Servers, c.Projects, c.Volumes, c.Faults = 1, 8, 8, 2, 10, false
		c.Start = end.Add(-day)
	})
}

// where schedules the flavor often and returns the hosts it came to.
func where(w *World, f *Flavor, zone, forced string) []string {
	var names []string
	for range 60 {
		h := w.Schedule(f, false, zone, forced, nil)
		if h == nil {
			return nil
		}
		if !slices.Contains(names, h.Name) {
			names = append(names, h.Name)
		}
	}
	slices.Sort(names)
	return names
}

func TestScheduleRespectsWhatNovaDoes(t *testing.T) {
	w := empty(t)
	small, database := w.mustFlavor("m1.small"), w.mustFlavor("db1.xlarge")
	kept := []string{w.Hosts[0].Name, w.Hosts[1].Name} // by trait and isolated aggregate
	for _, name := range where(w, small, "", "") {
		if slices.Contains(kept, name) {
			t.Errorf("m1.small came to %s, which an aggregate isolates", name)
		}
	}
	for _, name := range where(w, database, "", "") {
		if !slices.Contains(kept, name) {
			t.Errorf("db1.xlarge came to %s, which has not its trait", name)
		}
	}
	if got := where(w, small, "az-z", ""); got != nil {
		t.Errorf("a zone that is not there has hosts %v", got)
	}
	if got := where(w, small, "", w.Hosts[5].Name); !slices.Equal(got, []string{w.Hosts[5].Name}) {
		t.Errorf("forced to %s, came to %v", w.Hosts[5].Name, got)
	}

	// Everything but one host is out in one way or another.
	out := w.Hosts[2:7]
	out[0].Up = false
	out[1].Enabled = false
	out[2].Used.MemoryMB = out[2].Inventories["MEMORY_MB"].Capacity()
	a := w.AddAggregate("kept", "", map[string]string{"trait:CUSTOM_KEPT": "required"})
	a.Hosts = append(a.Hosts, out[3])
	v := out[4].Inventories["VCPU"]
	v.MaxUnit = 0
	out[4].SetInventory("VCPU", v)
	if got := where(w, small, "", ""); !slices.Equal(got, []string{w.Hosts[7].Name}) {
		t.Errorf("came to %v, want only %s", got, w.Hosts[7].Name)
	}
	if h := w.Schedule(small, false, "", "", w.Hosts[7]); h != nil {
		t.Errorf("came to %s although the only host is excepted", h.Name)
	}
}

func TestWeightMultipliersTurnHostsAway(t *testing.T) {
	w := empty(t)
	small := w.mustFlavor("m1.small")
	away := w.Hosts[4]
	for _, h := range w.Hosts { // all alike, so that only the multiplier speaks
		h.Used = Resources{}
	}
	w.Hosts[5].Used = Resources{VCPU: 10, MemoryMB: 20000, DiskGB: 50}
	a := w.AddAggregate("hot", "", map[string]string{"cpu_weight_multiplier": "-1.0", "ram_weight_multiplier": "-1.0", "disk_weight_multiplier": "-1.0"})
	a.Hosts = append(a.Hosts, away)
	if got := where(w, small, "", ""); slices.Contains(got, away.Name) {
		t.Errorf("came to %v, %s among them, although its weights are negative", got, away.Name)
	}
}

func TestNoRoomIsAnError(t *testing.T) {
	w := empty(t)
	var kinds []ChangeKind
	w.OnChange = func(c Change) { kinds = append(kinds, c.Kind) }
	f := &Flavor{ID: "x", Name: "huge", VCPUs: 1 << 20, MemoryMB: 1, DiskGB: 1}
	s := w.CreateServer(Request{Name: "s", Project: w.Customers()[0], User: w.Customers()[0].Users[0], Flavor: f})
	if s.Status != "ERROR" || s.Host != nil || !s.Actions[0].Failed {
		t.Errorf("status %s on %v, action failed %t", s.Status, s.Host, s.Actions[0].Failed)
	}
	if !slices.Equal(kinds, []ChangeKind{ServerCreateStart, ServerCreateError}) {
		t.Errorf("told of %v", kinds)
	}
}
