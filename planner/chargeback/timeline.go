package chargeback

import (
	"slices"
	"time"
)

// mark is a point in a resource's life.
type mark struct {
	at        time.Time
	does      change
	evidence  string
	estimated bool
}

type change int

const (
	starts  change = iota // begins to be billed
	changes               // from here another SKU or quantity counts
	pauses                // holds nothing any more, may come back
	resumes
	ends
)

// seen is what a resource was at one moment.
type seen struct {
	at       time.Time
	sku      string
	quantity int64
}

// stretch is a billed part of a life; a zero to means that it goes on.
type stretch struct {
	from, to  time.Time
	sku       string
	quantity  int64
	estimated bool
	evidence  []string
}

// stretches cuts a life at its marks and says what each part was. Within a part
// the last thing seen counts: an inventory look just after a resize began still
// shows the old flavor. A part in which nothing was seen takes what was seen
// before it, else after it.
func stretches(marks []mark, sights []seen) []stretch {
	slices.SortStableFunc(marks, func(a, b mark) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return int(a.does) - int(b.does)
	})
	slices.SortStableFunc(sights, func(a, b seen) int { return a.at.Compare(b.at) })
	var out []stretch
	var open *stretch
	shut := func(m mark) {
		if open == nil {
			return
		}
		open.to = m.at
		open.estimated = open.estimated || m.estimated
		open.evidence = append(open.evidence, m.evidence)
		out = append(out, *open)
		open = nil
	}
	begin := func(m mark) {
		open = &stretch{from: m.at, estimated: m.estimated, evidence: []string{m.evidence}}
	}
	ended := false
	for _, m := range marks {
		if ended {
			break
		}
		switch m.does {
		case starts, resumes:
			if open == nil {
				begin(m)
			}
		case changes:
			if open != nil {
				shut(m)
				begin(m)
			}
		case pauses:
			shut(m)
		case ends:
			shut(m)
			ended = true
		}
	}
	if open != nil {
		out = append(out, *open)
	}
	for i := range out {
		out[i].sku, out[i].quantity = sightIn(sights, out[i].from, out[i].to)
	}
	return merge(out)
}

func sightIn(sights []seen, from, to time.Time) (string, int64) {
	var before, within, after *seen
	for i := range sights {
		s := &sights[i]
		switch {
		case s.at.Before(from):
			before = s
		case to.IsZero() || s.at.Before(to):
			within = s
		case after == nil:
			after = s
		}
	}
	for _, s := range []*seen{within, before, after} {
		if s != nil {
			return s.sku, s.quantity
		}
	}
	return "", 0
}

// merge joins neighbours that turned out to be the same.
func merge(parts []stretch) []stretch {
	var out []stretch
	for _, p := range parts {
		if n := len(out); n > 0 && out[n-1].to.Equal(p.from) && out[n-1].sku == p.sku && out[n-1].quantity == p.quantity {
			out[n-1].to = p.to
			out[n-1].estimated = out[n-1].estimated || p.estimated
			out[n-1].evidence = append(out[n-1].evidence, p.evidence...)
			continue
		}
		out = append(out, p)
	}
	for i := range out {
		out[i].evidence = slices.Compact(out[i].evidence)
	}
	return out
}
