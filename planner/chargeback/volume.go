package chargeback

import (
	"encoding/json"
	"strings"
	"time"

	"mcloud"
)

// cinderData has the fields of Cinder's volume notifications
// (cinder/volume/volume_utils.py, _usage_from_volume).
type cinderData struct {
	Name       string   `json:"display_name"`
	Size       int64    `json:"size"`
	VolumeType string   `json:"volume_type"` // an id
	Status     string   `json:"status"`
	CreatedAt  flexTime `json:"created_at"`
	LaunchedAt flexTime `json:"launched_at"`
}

type volumeLife struct {
	project, name string
	made          bool // it could be used at some time: a failed create is not billed
	created       time.Time
	marks         []mark
	sights        []seen
	versions      []mcloud.Version
	resized       bool // a notification told when
	retyped       bool
	deleted       bool
}

func foldVolumes(in Input) []Usage {
	lives := map[string]*volumeLife{}
	life := func(id string) *volumeLife {
		l := lives[id]
		if l == nil {
			l = &volumeLife{}
			lives[id] = l
		}
		return l
	}
	for _, v := range in.Volumes {
		var a mcloud.Volume
		if json.Unmarshal(v.Attributes, &a) != nil {
			continue
		}
		l := life(v.ID)
		l.project, l.name = v.Project, a.Name
		l.versions = append(l.versions, v)
		if !a.Created.IsZero() {
			l.created = a.Created
		}
		switch a.Status {
		case "creating", "error", "error_deleting", "downloading":
		default:
			l.made = true
		}
		l.sights = append(l.sights, seen{at: v.From, sku: a.Type, quantity: a.SizeGiB})
	}
	for _, e := range in.Events {
		if e.Source != "cinder" || !strings.HasPrefix(e.Kind, "volume.") || e.Resource == "" {
			continue
		}
		life(e.Resource).take(e, in.VolumeTypes)
	}
	var usages []Usage
	for id, l := range lives {
		if !l.made {
			continue
		}
		l.finish()
		for _, s := range stretches(l.marks, l.sights) {
			usages = append(usages, Usage{Project: l.project, Meter: MeterVolume, Resource: id, Name: l.name, SKU: s.sku, Quantity: s.quantity,
				From: s.from, To: s.to, Estimated: s.estimated, Evidence: s.evidence})
		}
	}
	return usages
}

func (l *volumeLife) take(e mcloud.Event, types map[string]string) {
	var n notification
	var d cinderData
	if json.Unmarshal(e.Payload, &n) == nil {
		_ = json.Unmarshal(n.Data, &d) // a payload of another shape leaves the fields empty
	}
	if l.project == "" {
		l.project = e.Project
	}
	if l.name == "" {
		l.name = d.Name
	}
	if t := time.Time(d.CreatedAt); !t.IsZero() {
		l.created = t
	}
	l.made = l.made || !time.Time(d.LaunchedAt).IsZero()
	sku := d.VolumeType
	if name, ok := types[sku]; ok {
		sku = name
	}
	add := func(does change) {
		l.marks = append(l.marks, mark{at: second(e.Time), does: does, evidence: e.ID})
	}
	switch e.Kind {
	case "volume.resize.end":
		l.resized = true
		add(changes)
	case "volume.retype", "volume.retype.end":
		l.retyped = true
		add(changes)
	case "volume.delete.end":
		l.deleted = true
		add(ends)
	}
	// The .start of a change shows the old value, its .end the new one.
	if d.Size > 0 && sku != "" && !strings.HasSuffix(e.Kind, ".start") {
		l.sights = append(l.sights, seen{at: e.Time, sku: sku, quantity: d.Size})
	}
}

// finish adds what only the inventory knows.
func (l *volumeLife) finish() {
	if !l.created.IsZero() {
		l.marks = append(l.marks, mark{at: second(l.created), does: starts, evidence: "created_at"})
	}
	var before mcloud.Volume
	for i, v := range l.versions { // ordered by From, as the store returns them
		var a mcloud.Volume
		if json.Unmarshal(v.Attributes, &a) != nil {
			continue
		}
		switch {
		case i == 0:
			if l.created.IsZero() {
				l.marks = append(l.marks, mark{at: second(v.From), does: starts, evidence: "first seen", estimated: true})
			}
		case a.SizeGiB != before.SizeGiB && !l.resized, a.Type != before.Type && !l.retyped:
			l.marks = append(l.marks, mark{at: second(v.From), does: changes, evidence: "seen changed", estimated: true})
		}
		before = a
		if i == len(l.versions)-1 && !v.To.IsZero() && !l.deleted {
			l.marks = append(l.marks, mark{at: second(v.To), does: ends, evidence: "no longer listed", estimated: true})
		}
	}
}
