package clickhouse

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"mcloud"
)

// maxRows is how many events or objects one insert carries.
const maxRows = 20_000

// MaxEvents bounds the answer to a filter without a Limit.
const MaxEvents = 2_000_000

// WriteEvents stores events; those that are stored already stay as they are.
// Errors wrap mcloud.ErrInvalid or ErrUnavailable where that is the cause.
func (db *DB) WriteEvents(ctx context.Context, events []mcloud.Event) error {
	for i, e := range events {
		if err := e.Validate(); err != nil {
			return fmt.Errorf("events[%d]: %w", i, err)
		}
		if err := storable(e.Time); err != nil {
			return fmt.Errorf("events[%d] %s: %w", i, e.ID, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, db.options.WriteTimeout)
	defer cancel()
	for part := range slices.Chunk(events, maxRows) {
		n := len(part)
		var (
			ts                                                            = make([]time.Time, n)
			cloud, id, source, kind, project, resource, severity, payload = make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
		)
		for i, e := range part {
			ts[i] = e.Time
			cloud[i], id[i], source[i], kind[i] = e.Cloud, e.ID, e.Source, e.Kind
			project[i], resource[i], severity[i], payload[i] = e.Project, e.Resource, string(e.Severity), string(e.Payload)
		}
		err := db.insert(ctx, "events", "", []column{
			{"cloud", "LowCardinality(String)", cloud}, {"ts", "DateTime64(3, 'UTC')", ts}, {"id", "String", id},
			{"source", "LowCardinality(String)", source}, {"kind", "LowCardinality(String)", kind},
			{"project", "String", project}, {"resource", "String", resource},
			{"severity", "LowCardinality(String)", severity}, {"payload", "String", payload},
		})
		if err != nil {
			return err
		}
		db.metrics.events.Add(float64(n))
	}
	return nil
}

// storable refuses times that the tables cannot hold.
func storable(t time.Time) error {
	if ms := t.UnixMilli(); ms < 0 || ms >= maxTime {
		return fmt.Errorf("%w: the time %s is not between 1970 and 2105", mcloud.ErrInvalid, t.UTC().Format(time.RFC3339))
	}
	return nil
}

// EventFilter selects events; what is empty selects all.
type EventFilter struct {
	Cloud          string
	Sources, Kinds []string
	Severities     []string
	Project        string
	Resource       string
	// From is inclusive, To exclusive; a zero one has no bound.
	From, To time.Time
	// Limit is the number of events wanted, the first in time. With 0 all are
	// given, and ErrTooMuch when they are more than MaxEvents.
	Limit int
}

// Events returns the events that pass the filter, in the order of time, then id.
func (db *DB) Events(ctx context.Context, f EventFilter) ([]mcloud.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, db.options.ReadTimeout)
	defer cancel()
	from, to := int64(0), int64(maxTime)
	if !f.From.IsZero() {
		from = max(0, f.From.UnixMilli())
	}
	if !f.To.IsZero() {
		to = min(maxTime, f.To.UnixMilli())
	}
	limit := f.Limit
	if limit <= 0 {
		limit = MaxEvents + 1
	}
	where, args := conditions{}, []any{named("from", from), named("to", to)}
	where.add("ts >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({to:Int64}, 'UTC')")
	for _, c := range []struct {
		column, name, kind string
		value              any
		wanted             bool
	}{
		{"cloud =", "cloud", "String", f.Cloud, f.Cloud != ""},
		{"source IN", "sources", "Array(String)", f.Sources, len(f.Sources) > 0},
		{"kind IN", "kinds", "Array(String)", f.Kinds, len(f.Kinds) > 0},
		{"severity IN", "severities", "Array(String)", f.Severities, len(f.Severities) > 0},
		{"project =", "project", "String", f.Project, f.Project != ""},
		{"resource =", "resource", "String", f.Resource, f.Resource != ""},
	} {
		if c.wanted {
			where.add(c.column + " {" + c.name + ":" + c.kind + "}")
			args = append(args, named(c.name, c.value))
		}
	}
	rows, err := db.conn.Query(ctx, `SELECT id, ts, cloud, source, kind, project, resource, severity, payload
		FROM events FINAL `+where.String()+` ORDER BY ts, id LIMIT 1 BY cloud, id LIMIT `+strconv.Itoa(limit), args...)
	if err != nil {
		return nil, db.wrap(ctx, "reading events", err)
	}
	var events []mcloud.Event
	err = each(rows, func() error {
		var e mcloud.Event
		var severity, payload string
		if err := rows.Scan(&e.ID, &e.Time, &e.Cloud, &e.Source, &e.Kind, &e.Project, &e.Resource, &severity, &payload); err != nil {
			return err
		}
		e.Severity = mcloud.Severity(severity)
		if payload != "" {
			e.Payload = json.RawMessage(payload)
		}
		events = append(events, e)
		return nil
	})
	if err == nil && f.Limit <= 0 && len(events) > MaxEvents {
		return nil, fmt.Errorf("%w: more than %d events, narrow the time or set a limit", ErrTooMuch, MaxEvents)
	}
	return events, db.wrap(ctx, "reading events", err)
}
