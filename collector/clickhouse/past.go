package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mcloud"
)

// WriteVersions stores stretches of objects' lives that are known otherwise
// than by looking: an import, or a simulated past. scope is the part of the
// cloud that later looks at the same kind will name. Writing the same versions
// again changes nothing; they should lie before the scope's first look. Errors
// wrap mcloud.ErrInvalid or ErrUnavailable where that is the cause.
func (db *DB) WriteVersions(ctx context.Context, scope string, versions []mcloud.Version) error {
	rows := make([]versionRow, 0, 2*len(versions))
	for _, v := range versions {
		if v.Cloud == "" || scope == "" || v.Kind == "" || v.ID == "" || len(v.Attributes) == 0 || v.From.IsZero() || !v.To.IsZero() && !v.To.After(v.From) {
			return fmt.Errorf("%w: version of %s %q in cloud %q, scope %q, from %s to %s", mcloud.ErrInvalid, v.Kind, v.ID, v.Cloud, scope, v.From, v.To)
		}
		if err := storable(v.From); err != nil {
			return fmt.Errorf("version of %s %s: %w", v.Kind, v.ID, err)
		}
		rows = append(rows, versionRow{v: v, at: v.From})
		if !v.To.IsZero() {
			rows = append(rows, versionRow{v: v, at: v.To, gone: 1})
		}
	}
	slices.SortStableFunc(rows, func(a, b versionRow) int {
		if c := strings.Compare(a.v.ID, b.v.ID); c != 0 {
			return c
		}
		return a.at.Compare(b.at)
	})
	ctx, cancel := context.WithTimeout(ctx, db.options.WriteTimeout)
	defer cancel()
	for part := range slices.Chunk(rows, maxRows) {
		if err := db.insertVersions(ctx, scope, part); err != nil {
			return err
		}
	}
	return nil
}

type versionRow struct {
	v    mcloud.Version
	at   time.Time
	gone uint8
}

func (db *DB) insertVersions(ctx context.Context, scope string, rows []versionRow) error {
	var (
		cloud, kind, scopes, id, name, parent, project, attributes []string
		at                                                         []time.Time
		gone                                                       []uint8
		written                                                    []uint64
	)
	for _, r := range rows {
		cloud, kind, scopes = append(cloud, r.v.Cloud), append(kind, string(r.v.Kind)), append(scopes, scope)
		id, at, gone = append(id, r.v.ID), append(at, r.at.UTC().Truncate(time.Millisecond)), append(gone, r.gone)
		if r.gone == 1 {
			name, parent, project, attributes = append(name, ""), append(parent, ""), append(project, ""), append(attributes, "")
		} else {
			name, parent, project, attributes = append(name, r.v.Name), append(parent, r.v.Parent), append(project, r.v.Project), append(attributes, string(compact(r.v.Attributes)))
		}
		// One version's end is the next one's beginning: the beginning counts.
		written = append(written, 2-uint64(r.gone))
	}
	return db.insert(ctx, "objects", "", []column{
		{"cloud", "LowCardinality(String)", cloud},
		{"kind", "LowCardinality(String)", kind},
		{"scope", "LowCardinality(String)", scopes},
		{"id", "String", id},
		{"at", "DateTime64(3, 'UTC')", at},
		{"gone", "UInt8", gone},
		{"name", "String", name},
		{"parent", "String", parent},
		{"project", "String", project},
		{"attributes", "String", attributes},
		{"written", "UInt64", written},
	})
}
