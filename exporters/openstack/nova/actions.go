package nova

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

const (
	// maxQueued bounds the servers that wait for their actions to be read.
	maxQueued = 200_000
	// settle is how long after a change the actions are read, those of urgent
	// changes a second time: Nova writes the end of an action down after it changed
	// the server.
	settle = time.Minute
	// mostDelay bounds how long a server that changes again and again is not read.
	mostDelay = 10 * time.Minute
)

// queue holds servers whose actions are to be read.
type queue struct {
	mu   sync.Mutex
	due  map[string]waiting // by server id
	full int                // servers refused since the last question
}

type waiting struct {
	project string
	changed time.Time // by Nova's clock
	from    time.Time // not to be read before, by ours
	latest  time.Time // from is not moved beyond this, however often the server changes
	urgent  bool      // a bill depends on it
	again   bool      // read once already since the change
}

func newQueue() *queue { return &queue{due: map[string]waiting{}} }

// add queues a server that changed. An urgent one is read at once and once more
// when its action has ended; any other when it has not changed for settle, or
// mostDelay after its first change.
func (q *queue) add(id, project string, changed, now time.Time, urgent bool) {
	w := waiting{project: project, changed: changed, from: now, latest: now.Add(mostDelay), urgent: urgent}
	if !urgent && now.Sub(changed) < settle {
		w.from = now.Add(settle)
	}
	q.mu.Lock()
	before, there := q.due[id]
	q.mu.Unlock()
	if there {
		w.urgent = w.urgent || before.urgent
		w.latest = before.latest
		if !urgent && w.from.After(w.latest) {
			w.from = w.latest
		}
	}
	q.put(id, w)
}

func (q *queue) put(id string, w waiting) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, there := q.due[id]; !there && len(q.due) >= maxQueued {
		q.full++
		return
	}
	q.due[id] = w
}

// back puts a server back unless it has changed again in the meantime.
func (q *queue) back(id string, w waiting) {
	q.mu.Lock()
	_, there := q.due[id]
	q.mu.Unlock()
	if !there {
		q.put(id, w)
	}
}

// take removes up to n servers that are due: the urgent ones first, and of equals
// those that changed last, as what happens now matters more than a backlog.
func (q *queue) take(n int, now time.Time) map[string]waiting {
	q.mu.Lock()
	defer q.mu.Unlock()
	var ids []string
	for id, w := range q.due {
		if !now.Before(w.from) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		wa, wb := q.due[a], q.due[b]
		if wa.urgent != wb.urgent {
			if wa.urgent {
				return -1
			}
			return 1
		}
		return wb.changed.Compare(wa.changed)
	})
	taken := map[string]waiting{}
	for _, id := range ids[:min(n, len(ids))] {
		taken[id] = q.due[id]
		delete(q.due, id)
	}
	return taken
}

func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.due)
}

// refused is how many servers found the queue full since the last call.
func (q *queue) refused() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.full
	q.full = 0
	return n
}

type action struct {
	Action  string         `json:"action"`
	Request string         `json:"request_id"`
	Start   openstack.Time `json:"start_time"`
	Updated openstack.Time `json:"updated_at"`
	Message string         `json:"message"`
}

type actionsCollector struct {
	cloud   *openstack.Cloud
	most    int
	changed *queue
}

// Collect reads the actions of the servers that changed. It is not called
// concurrently.
func (c *actionsCollector) Collect(ctx context.Context) (*exporters.Snapshot, error) {
	start := time.Now().UTC()
	taken := c.changed.take(c.most, start)
	s := &exporters.Snapshot{}
	objects := map[string]mcloud.Object{}
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(2) // leaves half of the API's usual budget to the other sources
	for id, w := range taken {
		group.Go(func() error {
			if ctx.Err() != nil {
				c.changed.back(id, w) // no time left: with the next look
				return nil
			}
			found, err := c.read(ctx, id)
			mu.Lock()
			defer mu.Unlock()
			s.Seen++
			s.Failed = append(s.Failed, found.Failed...)
			for _, a := range found.Objects {
				o := object(a, id, w.project)
				objects[o.ID] = o
			}
			switch {
			case exporters.KindOf(err) == exporters.KindNotFound:
				s.Skipped++ // purged from Nova's database
			case err != nil:
				s.Failed = append(s.Failed, exporters.ObjectError{Object: "actions of server " + id, Err: err})
				w.from = start.Add(settle)
				c.changed.back(id, w)
			case w.urgent && !w.again && start.Sub(w.changed) < settle:
				w.again, w.from = true, start.Add(settle)
				c.changed.back(id, w)
			}
			return nil
		})
	}
	_ = group.Wait() // errors are kept by server
	if len(objects) > 0 {
		s.Inventories = []mcloud.Inventory{{
			Cloud: c.cloud.Name(), Scope: "nova", Kind: mcloud.KindServerAction, Time: start, Objects: sortedObjects(objects),
		}}
	}
	slices.SortFunc(s.Failed, func(a, b exporters.ObjectError) int { return strings.Compare(a.Object, b.Object) })
	s.Add(actionsPending, float64(c.changed.length()))
	return s, nil
}

func (c *actionsCollector) read(ctx context.Context, id string) (openstack.Listing[action], error) {
	return openstack.List[action](ctx, c.cloud, api, "/servers/"+url.PathEscape(id)+"/os-instance-actions", "instanceActions", nil)
}

// object's ID has the server in it because one request that makes or deletes
// several servers has the same request id in each one's log.
func object(a action, server, project string) mcloud.Object {
	return mcloud.NewObject(mcloud.KindServerAction, server+"/"+a.Request, a.Action, server, project, mcloud.ServerAction{
		Action: a.Action, Start: a.Start.Time, Updated: a.Updated.Time, Failed: a.Message == "Error",
	})
}
