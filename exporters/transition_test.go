package exporters

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mcloud"
)

func TestTransitions(t *testing.T) {
	var all Transitions
	for i, look := range []struct {
		states   map[string]string
		complete bool
		want     []Transition
	}{
		{map[string]string{"a": "up", "b": "up"}, true, nil}, // the first look knows no before
		{map[string]string{"a": "up", "b": "up"}, true, nil},
		{map[string]string{"b": "down", "a": "up", "c": "up"}, true, []Transition{{"b", "up", "down"}, {"c", "", "up"}}},
		{map[string]string{"a": "up"}, false, nil}, // b and c were not seen: that says nothing
		{nil, false, nil},
		{map[string]string{"a": "up", "b": "down"}, true, []Transition{{"c", "up", ""}}},
		{map[string]string{"a": "up", "b": "up"}, true, []Transition{{"b", "down", "up"}}},
		{nil, true, []Transition{{"a", "up", ""}, {"b", "up", ""}}},
	} {
		if diff := cmp.Diff(look.want, all.Observe(look.states, look.complete)); diff != "" {
			t.Errorf("look %d: %s", i, diff)
		}
	}
}

func TestTransitionsOfAnEmptyBeginning(t *testing.T) {
	var all Transitions
	all.Observe(nil, true)
	if got := all.Observe(map[string]string{"a": "up"}, true); len(got) != 1 {
		t.Errorf("a thing that came after an empty first look: %v", got)
	}
}

func TestTransitionEvent(t *testing.T) {
	at := time.Date(2026, 11, 25, 12, 0, 0, 123456789, time.FixedZone("", 3600))
	tr := Transition{"nova-compute on cmp-a1", "up", "down"}
	e := tr.Event("lab", "nova", "service.state", "7", mcloud.SeverityWarning, at, map[string]any{"host": "cmp-a1"})
	if err := e.Validate(); err != nil {
		t.Fatal(err)
	}
	if got, want := string(e.Payload), `{"from":"up","host":"cmp-a1","name":"nova-compute on cmp-a1","to":"down"}`; got != want {
		t.Errorf("payload %s, want %s", got, want)
	}
	if again := tr.Event("lab", "nova", "service.state", "7", mcloud.SeverityWarning, at, nil); again.ID != e.ID || e.Time.Location() != time.UTC {
		t.Error("the same transition has another id, or no UTC time")
	}
	if other := tr.Event("lab", "nova", "service.state", "7", mcloud.SeverityWarning, at.Add(time.Millisecond), nil); other.ID == e.ID {
		t.Error("a later transition has the same id")
	}
}
