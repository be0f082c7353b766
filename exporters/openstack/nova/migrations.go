package nova

import (
	"context"
	"net/url"
	"slices"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// migrationWindow is how long an ended migration is counted, and how far back
// the first look asks.
const migrationWindow = 24 * time.Hour

// ended are the statuses from which no migration goes on; "finished" is not
// among them, as it is what a resize says until it is confirmed.
var ended = []string{"completed", "confirmed", "reverted", "error", "failed", "cancelled", "done"}

type migration struct {
	ID      openstack.ID   `json:"id"`
	Type    string         `json:"migration_type"`
	Status  string         `json:"status"`
	Created openstack.Time `json:"created_at"`
	Updated openstack.Time `json:"updated_at"` // null before its first change
}

func (m migration) changed() time.Time {
	if m.Updated.IsZero() {
		return m.Created.Time
	}
	return m.Updated.Time
}

type migrationsCollector struct {
	cloud *openstack.Cloud
	known map[string]migration // by id
	since time.Time            // by Nova's clock; zero before the first whole answer
}

// Collect asks for what changed. It is not called concurrently.
func (c *migrationsCollector) Collect(ctx context.Context) (*exporters.Snapshot, error) {
	since := c.since.Add(-overlap)
	if c.since.IsZero() {
		since = time.Now().UTC().Add(-migrationWindow)
	}
	list, err := openstack.List[migration](ctx, c.cloud, api, "/os-migrations", "migrations",
		url.Values{"changes-since": {since.Format(time.RFC3339)}, "limit": {"1000"}})
	if err != nil {
		return nil, err
	}
	if c.known == nil {
		c.known = map[string]migration{}
	}
	for _, m := range list.Objects {
		c.known[string(m.ID)] = m
	}
	c.since = list.Time
	s := &exporters.Snapshot{}
	list.NoteIn(s)
	var counts exporters.Tally
	oldest := map[[2]string]time.Time{}
	for id, m := range c.known {
		over := slices.Contains(ended, m.Status)
		if over && list.Time.Sub(m.changed()) > migrationWindow {
			delete(c.known, id)
			continue
		}
		counts.Add(1, m.Type, m.Status)
		key := [2]string{m.Type, m.Status}
		if at, ok := oldest[key]; !over && (!ok || m.Created.Before(at)) {
			oldest[key] = m.Created.Time
		}
	}
	counts.AddTo(s, migrationCount)
	for key, at := range oldest {
		s.Add(migrationOldest, float64(at.Unix()), key[:]...)
	}
	return s, nil
}
