package exporters

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mcloud"
)

// Transitions remembers the states of things from one look to the next and says
// which changed: agents, services, daemons, chassis. The zero value has seen
// nothing. It is not safe for concurrent use.
type Transitions struct {
	seen   bool
	states map[string]string
}

// Transition is one thing's change. From is "" for what was not there before, To
// is "" for what is gone.
type Transition struct{ Name, From, To string }

// Observe takes the states of all things by name, and returns what is otherwise
// than at the call before, by name; the first call returns nothing. Of a look
// that is not complete, what is missing has not gone: it keeps its state.
func (t *Transitions) Observe(states map[string]string, complete bool) []Transition {
	before, first := t.states, !t.seen
	t.seen = true
	t.states = maps.Clone(states)
	if t.states == nil {
		t.states = map[string]string{}
	}
	var changed []Transition
	for name, from := range before {
		to, there := states[name]
		switch {
		case !there && !complete:
			t.states[name] = from
		case to != from:
			changed = append(changed, Transition{name, from, to})
		}
	}
	for name, to := range states {
		if _, there := before[name]; !there && !first {
			changed = append(changed, Transition{name, "", to})
		}
	}
	slices.SortFunc(changed, func(a, b Transition) int { return strings.Compare(a.Name, b.Name) })
	return changed
}

// Event makes an Event of the transition as seen at the time at: kind names what
// changed ("service.state"), resource is its id where it has one, more goes into
// the payload beside name, from and to.
func (t Transition) Event(cloud, source, kind, resource string, severity mcloud.Severity, at time.Time, more map[string]any) mcloud.Event {
	at = at.UTC().Truncate(time.Millisecond)
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\xff%s\xff%s\xff%s\xff%s\xff%s\xff%d", cloud, source, kind, t.Name, t.From, t.To, at.UnixMilli()))
	payload := map[string]any{}
	maps.Copy(payload, more)
	payload["name"], payload["from"], payload["to"] = t.Name, t.From, t.To
	text, err := json.Marshal(payload)
	if err != nil {
		panic("exporters: payload of " + kind + ": " + err.Error()) // a programming error
	}
	return mcloud.Event{
		ID: "transition-" + hex.EncodeToString(sum[:16]), Time: at, Cloud: cloud, Source: source, Kind: kind,
		Resource: resource, Severity: severity, Payload: text,
	}
}
