package cinder

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// sweep is the list of all volumes in parts, a few pages with each look, in the
// order of their ids: what is known between the first and the last id of a part
// and is not in it is gone. 100,000 volumes are 100 pages, 10 s of a look, and
// Cinder's database's time; in parts they are never in anybody's way.
type sweep struct {
	behind string    // the id that the next part begins behind; "" at the beginning
	owed   float64   // pages that should have been asked for by now
	last   time.Time // when owed was reckoned
	failed []exporters.ObjectError
	// apart is by how many volumes Cinder's count differs from what the last whole
	// sweep left known: some services count what they do not list.
	apart int
	// unordered says that the service gives its lists in another order than asked.
	unordered bool
}

// errUnordered says that volumes did not come in the order of their ids.
var errUnordered = errors.New("cinder: GET /volumes/detail?sort=id:asc: the answer is in another order")

// swept is what a part of a sweep brought.
type swept struct {
	changed []string // ids
	gone    int
	whole   bool // the sweep came to its end: all that is known was seen since it began
}

// hurry is how much faster a sweep goes when volumes are missing by Cinder's count.
const hurry = 2.5

// sweepOn lists as many pages as the time since the last look asks for, so that
// all volumes are seen within Config.FullEvery, and sooner when Cinder counts
// fewer than are known.
func (c *volumesCollector) sweepOn(ctx context.Context, now time.Time) (swept, error) {
	there, err := c.count(ctx)
	if err != nil {
		return swept{}, err
	}
	w := &c.sweep
	pages := math.Ceil(float64(max(len(c.all), there, 1)) / perPage)
	pace := pages * float64(now.Sub(w.last)) / float64(c.cfg.FullEvery)
	if there-len(c.all) < min(w.apart, 0) {
		pace *= hurry
	}
	w.owed, w.last = min(w.owed+pace, pages), now
	if w.owed < 1 {
		return swept{}, nil
	}
	asked := int(w.owed)
	part, more, err := c.part(ctx, asked)
	if err != nil && len(part.Objects) == 0 {
		return swept{}, err // still owed
	}
	if len(part.Objects) == 0 && more {
		// Where the next part begins is not known, nor which volumes are there.
		err := errors.New("an empty page links to a further one")
		if len(part.Failed) > 0 {
			err = fmt.Errorf("none of %d volumes could be read, the first: %w", len(part.Failed), part.Failed[0])
		}
		return swept{}, exporters.WithKind(fmt.Errorf("cinder: GET /volumes/detail: %w", err), exporters.KindDecode)
	}
	if errHidden := c.hidden(ctx, part.Objects); errHidden != nil {
		return swept{}, errHidden
	}
	if !ascending(w.behind, part.Objects) {
		w.unordered = true
		return swept{}, errUnordered
	}
	w.owed -= float64(asked)
	w.failed = append(w.failed, part.Failed...)
	s := c.takePart(part, more || err != nil)
	if s.whole {
		c.failed, w.failed, c.full = w.failed, nil, now
		w.apart = there - len(c.all)
	}
	return s, err
}

// part asks for pages behind the volume that the last part ended with, or, when
// that one is gone, behind the one before it.
func (c *volumesCollector) part(ctx context.Context, pages int) (openstack.Listing[volume], bool, error) {
	for tries := 0; ; tries++ {
		query := allProjects(url.Values{"sort": {"id:asc"}})
		if c.sweep.behind != "" {
			query.Set("marker", c.sweep.behind)
		}
		list, more, err := openstack.ListPart[volume](ctx, c.cloud, api, "/volumes/detail", "volumes", query, pages)
		var e *openstack.Error
		if c.sweep.behind == "" || !errors.As(err, &e) || e.Code != http.StatusNotFound || len(list.Objects) > 0 {
			return list, more, err
		}
		c.sweep.behind = c.before(c.sweep.behind)
		if tries == 3 {
			c.sweep.behind = ""
		}
	}
}

// before is the last known id before another; "" without any.
func (c *volumesCollector) before(id string) string {
	last := ""
	for known := range c.all {
		if known < id && known > last {
			last = known
		}
	}
	return last
}

// takePart takes over a part: more says that there are volumes behind it.
func (c *volumesCollector) takePart(part openstack.Listing[volume], more bool) swept {
	s := swept{whole: !more}
	seen := make(map[string]bool, len(part.Objects))
	for i := range part.Objects {
		v := &part.Objects[i]
		seen[v.ID] = true
		if c.merge(v) {
			s.changed = append(s.changed, v.ID)
		}
	}
	first, last := c.sweep.behind, ""
	if more {
		last = part.Objects[len(part.Objects)-1].ID
	}
	c.sweep.behind = last
	for _, f := range part.Failed { // what could not be read is not gone
		id, named := strings.CutPrefix(f.Object, "volume ")
		if !named || strings.Contains(id, " ") {
			return s // without an id: it may be any of them
		}
		seen[id] = true
	}
	for id, v := range c.all {
		if id > first && (last == "" || id <= last) && !seen[id] {
			delete(c.all, id)
			c.changed(v.Project.String())
			s.gone++
		}
	}
	return s
}

// ascending says whether the volumes are in the order of their ids, all behind one.
func ascending(behind string, list []volume) bool {
	for i := range list {
		if list[i].ID <= behind {
			return false
		}
		behind = list[i].ID
	}
	return true
}
