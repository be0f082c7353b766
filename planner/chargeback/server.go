package chargeback

import (
	"encoding/json"
	"strings"
	"time"

	"mcloud"
)

// serverLife is what is known of one server, before it is cut into usages.
type serverLife struct {
	project, name string
	ran           bool // it was active at some time: a failed build is not billed
	created       time.Time
	actions       []action
	events        []serverEvent
	versions      []mcloud.Version
	sights        []seen
}

type action struct {
	id string
	mcloud.ServerAction
}

// serverEvent is a Nova notification, in the parts that bill.
type serverEvent struct {
	id, kind, request string
	at                time.Time
	flavor, state     string
	created, launched time.Time
	deleted           time.Time
}

func foldServers(in Input) []Usage {
	lives := map[string]*serverLife{}
	life := func(id string) *serverLife {
		l := lives[id]
		if l == nil {
			l = &serverLife{}
			lives[id] = l
		}
		return l
	}
	for _, v := range in.Servers {
		var s mcloud.Server
		if json.Unmarshal(v.Attributes, &s) != nil {
			continue
		}
		l := life(v.ID)
		l.project, l.name = v.Project, s.Name
		l.versions = append(l.versions, v)
		if !s.Created.IsZero() {
			l.created = s.Created
		}
		l.ran = l.ran || !s.Launched.IsZero() || s.Status == "ACTIVE"
		l.sights = append(l.sights, seen{at: v.From, sku: s.Flavor, quantity: 1})
	}
	for _, v := range in.Actions {
		var a mcloud.ServerAction
		if json.Unmarshal(v.Attributes, &a) == nil && v.Parent != "" {
			l := life(v.Parent)
			// The id is server/request: one request may make several servers.
			_, request, ok := strings.Cut(v.ID, "/")
			if !ok {
				request = v.ID
			}
			l.actions = append(l.actions, action{id: request, ServerAction: a})
			if l.project == "" {
				l.project = v.Project
			}
		}
	}
	for _, e := range in.Events {
		if e.Source != "nova" || !strings.Contains(e.Kind, "instance.") || e.Resource == "" {
			continue
		}
		ev, name := readServerEvent(e)
		l := life(e.Resource)
		l.events = append(l.events, ev)
		if l.project == "" {
			l.project = e.Project
		}
		if l.name == "" {
			l.name = name
		}
		if !ev.created.IsZero() {
			l.created = ev.created
		}
		l.ran = l.ran || !ev.launched.IsZero()
		if ev.flavor != "" {
			l.sights = append(l.sights, seen{at: sightTime(ev), sku: ev.flavor, quantity: 1})
		}
	}
	var usages []Usage
	for id, l := range lives {
		if !l.ran {
			continue
		}
		for _, s := range stretches(l.marks(), l.sights) {
			usages = append(usages, Usage{Project: l.project, Meter: MeterServer, Resource: id, Name: l.name, SKU: s.sku, Quantity: 1,
				From: s.from, To: s.to, Estimated: s.estimated, Evidence: s.evidence})
		}
	}
	return usages
}

// sightTime dates the flavor in a notification: while a resize is prepared it
// is still the old one, though the resize's action began already.
func sightTime(e serverEvent) time.Time {
	if strings.Contains(e.kind, "instance.resize_prep.") || strings.Contains(e.kind, "instance.resize.prep.") ||
		strings.HasSuffix(e.kind, "instance.resize.start") || strings.HasSuffix(e.kind, "instance.resize.end") {
		return time.Time{}
	}
	return e.at
}

// marks prefers the action log, then notifications, then the inventory, for
// each kind of change by itself: a log that begins late still has the end.
func (l *serverLife) marks() []mark {
	var marks []mark
	add := func(at time.Time, does change, evidence string, estimated bool) {
		marks = append(marks, mark{at: second(at), does: does, evidence: evidence, estimated: estimated})
	}
	offloaded := map[string]bool{} // requests that offloaded the server
	for _, e := range l.events {
		if strings.HasSuffix(e.kind, "instance.shelve_offload.end") {
			offloaded[e.request] = true
		}
	}
	has := map[string]bool{}
	shelfOffloads := l.everOffloaded()
	for _, a := range l.actions {
		if a.Failed && a.Action != "create" {
			continue
		}
		has[a.Action] = true
		switch a.Action {
		case "create":
			add(a.Start, starts, a.id, false)
		case "resize", "migrate", "revertResize", "rebuild":
			add(a.Start, changes, a.id, false)
		case "shelve":
			// With shelved_offload_time = 0 the same request offloads.
			if offloaded[a.id] || shelfOffloads && !l.hasAction("shelveOffload") {
				add(a.Start, pauses, a.id, false)
			}
		case "shelveOffload":
			add(a.Start, pauses, a.id, false)
		case "unshelve":
			add(a.Start, resumes, a.id, false)
		case "delete", "forceDelete":
			add(a.Start, ends, a.id, false)
		}
	}
	l.eventMarks(has, add)
	if !has["create"] && !l.created.IsZero() && !hasMark(marks, starts) {
		add(l.created, starts, "created_at", false)
	}
	l.inventoryMarks(marks, add)
	return marks
}

func (l *serverLife) eventMarks(has map[string]bool, add func(time.Time, change, string, bool)) {
	for _, e := range l.events {
		_, kind, _ := strings.Cut(e.kind, "instance.")
		switch kind {
		case "create.end":
			if !has["create"] {
				add(e.created, starts, e.id, false)
			}
		case "resize_finish.end", "finish_resize.end":
			if !has["resize"] && !has["migrate"] {
				add(e.at, changes, e.id, false)
			}
		case "resize_revert.end", "resize.revert.end":
			if !has["revertResize"] {
				add(e.at, changes, e.id, false)
			}
		case "shelve_offload.end":
			if !has["shelve"] && !has["shelveOffload"] {
				add(e.at, pauses, e.id, false)
			}
		case "unshelve.end":
			if !has["unshelve"] {
				add(e.at, resumes, e.id, false)
			}
		case "delete.end", "soft_delete.end":
			if !has["delete"] && !has["forceDelete"] {
				at := e.deleted
				if at.IsZero() {
					at = e.at
				}
				add(at, ends, e.id, false)
			}
		}
	}
}

// inventoryMarks fills in what neither log nor notification told.
func (l *serverLife) inventoryMarks(known []mark, add func(time.Time, change, string, bool)) {
	if len(l.versions) == 0 {
		return
	}
	first, last := l.versions[0], l.versions[0]
	for _, v := range l.versions {
		if v.From.Before(first.From) {
			first = v
		}
		if v.From.After(last.From) {
			last = v
		}
	}
	if !hasMark(known, starts) && l.created.IsZero() {
		add(first.From, starts, "first seen", true)
	}
	if !last.To.IsZero() && !hasMark(known, ends) {
		add(last.To, ends, "no longer listed", true)
	}
	if hasMark(known, changes) {
		return
	}
	var before string
	for _, v := range l.versions { // ordered by From, as the store returns them
		var s mcloud.Server
		if json.Unmarshal(v.Attributes, &s) != nil {
			continue
		}
		if before != "" && s.Flavor != before {
			add(v.From, changes, "flavor seen changed", true)
		}
		before = s.Flavor
	}
}

func hasMark(marks []mark, does change) bool {
	for _, m := range marks {
		if m.does == does {
			return true
		}
	}
	return false
}

func (l *serverLife) hasAction(name string) bool {
	for _, a := range l.actions {
		if a.Action == name {
			return true
		}
	}
	return false
}

func (l *serverLife) everOffloaded() bool {
	for _, v := range l.versions {
		var s mcloud.Server
		if json.Unmarshal(v.Attributes, &s) == nil && s.Status == "SHELVED_OFFLOADED" {
			return true
		}
	}
	return false
}
