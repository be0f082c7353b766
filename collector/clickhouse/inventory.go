package clickhouse

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"mcloud"
)

// InventoryResult says what a look changed.
type InventoryResult struct {
	Added, Changed, Gone int
	// Stale says that a later look is stored already and this one was ignored.
	Stale bool
}

// scope is what one look covers.
type scope struct{ cloud, scope, kind string }

// digest stands for everything of an object but its id.
type digest [16]byte

func digestOf(o mcloud.Object) digest {
	h := sha256.New()
	field := func(b []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	field([]byte(o.Name))
	field([]byte(o.Parent))
	field([]byte(o.Project))
	field(compact(o.Attributes))
	return digest(h.Sum(nil)[:16])
}

// compact drops the blanks of JSON, which mean nothing.
func compact(b []byte) []byte {
	var out bytes.Buffer
	if json.Compact(&out, b) != nil {
		return b
	}
	return out.Bytes()
}

// inventories remembers what the store holds of each scope that was looked at,
// so that a look is compared without asking it. It grows with the objects that
// exist: 16 bytes and the id for each.
type inventories struct {
	sync.Mutex
	byScope map[scope]*inventory
}

func (v *inventories) init() { v.byScope = map[scope]*inventory{} }

func (v *inventories) of(s scope) *inventory {
	v.Lock()
	defer v.Unlock()
	if v.byScope[s] == nil {
		v.byScope[s] = &inventory{}
	}
	return v.byScope[s]
}

// inventory is the newest stored state of one scope.
type inventory struct {
	sync.Mutex
	loaded  bool
	last    time.Time // of the last look, zero before the first
	objects map[string]digest
}

// difference says which objects of a look are new or changed, and which ids
// are known and not in it. An incomplete look removes nothing.
func difference(known map[string]digest, look mcloud.Inventory) (added, changed []mcloud.Object, gone []string) {
	seen := make(map[string]struct{}, len(look.Objects))
	for _, o := range look.Objects {
		seen[o.ID] = struct{}{}
		switch was, is := known[o.ID]; {
		case !is:
			added = append(added, o)
		case was != digestOf(o):
			changed = append(changed, o)
		}
	}
	for _, id := range look.Gone {
		if _, is := known[id]; is {
			gone = append(gone, id)
		}
	}
	if look.Complete {
		for id := range known {
			if _, is := seen[id]; !is {
				gone = append(gone, id)
			}
		}
		slices.Sort(gone)
	}
	return added, changed, gone
}

// WriteInventory stores what a look changed. The same look again changes
// nothing; a look older than the last one stored is ignored, counted and marked
// Stale. A difference to another look than the last one stored is refused.
// Several collectors may write the same scope, as when an exporter goes over from one to
// the other; two looks at once may store a change twice, at the time of each. Errors wrap mcloud.ErrInvalid,
// mcloud.ErrOutdated or ErrUnavailable where that is the cause.
func (db *DB) WriteInventory(ctx context.Context, look mcloud.Inventory) (InventoryResult, error) {
	if err := look.Validate(); err != nil {
		return InventoryResult{}, err
	}
	if err := storable(look.Time); err != nil {
		return InventoryResult{}, fmt.Errorf("inventory of %s in %s: %w", look.Kind, look.Scope, err)
	}
	look.Time = look.Time.UTC().Truncate(time.Millisecond)
	ctx, cancel := context.WithTimeout(ctx, db.options.WriteTimeout)
	defer cancel()
	s := scope{look.Cloud, look.Scope, string(look.Kind)}
	state := db.inventories.of(s)
	state.Lock()
	defer state.Unlock()
	// Another collector may have written looks at the scope since the last one from here.
	at, err := db.lastLook(ctx, s)
	if err != nil {
		return InventoryResult{}, err
	}
	if !state.loaded || !at.Equal(state.last) {
		if err := db.loadInventory(ctx, s, state); err != nil {
			return InventoryResult{}, err
		}
	}
	if look.Time.Before(state.last) {
		db.metrics.staleLooks.Inc()
		return InventoryResult{Stale: true}, nil
	}
	if since := look.Since.UTC().Truncate(time.Millisecond); !look.Since.IsZero() && !since.Equal(state.last) {
		if look.Time.Equal(state.last) {
			return InventoryResult{}, nil // the same look again
		}
		return InventoryResult{}, fmt.Errorf("inventory of %s in %s: %w", look.Kind, look.Scope, mcloud.ErrOutdated)
	}
	added, changed, gone := difference(state.objects, look)
	// What a failed write left behind is unknown: read it again next time.
	state.loaded = false
	rows := objectRows{scope: s, at: look.Time, written: uint64(time.Now().UnixNano())}
	rows.add(added, false)
	rows.add(changed, false)
	for _, id := range gone {
		rows.add([]mcloud.Object{{ID: id}}, true)
	}
	if err := db.writeObjects(ctx, &rows); err != nil {
		return InventoryResult{}, err
	}
	if err := db.writeLook(ctx, look); err != nil {
		return InventoryResult{}, err
	}
	for _, objects := range [][]mcloud.Object{added, changed} {
		for _, o := range objects {
			state.objects[o.ID] = digestOf(o)
		}
	}
	for _, id := range gone {
		delete(state.objects, id)
	}
	state.last, state.loaded = look.Time, true
	for change, n := range map[string]int{"added": len(added), "changed": len(changed), "gone": len(gone)} {
		db.metrics.objects.WithLabelValues(change).Add(float64(n))
	}
	return InventoryResult{Added: len(added), Changed: len(changed), Gone: len(gone)}, nil
}

// loadInventory reads what the store holds of a scope now.
func (db *DB) loadInventory(ctx context.Context, s scope, state *inventory) error {
	state.objects, state.last = map[string]digest{}, time.Time{}
	args := []any{named("cloud", s.cloud), named("scope", s.scope), named("kind", s.kind)}
	const where = " WHERE cloud = {cloud:String} AND scope = {scope:String} AND kind = {kind:String}"
	rows, err := db.conn.Query(ctx, `SELECT id, argMax((gone, name, parent, project, attributes), (at, written)) AS newest,
		newest.1, newest.2, newest.3, newest.4, newest.5 FROM objects`+where+` GROUP BY id HAVING newest.1 = 0`, args...)
	if err != nil {
		return db.wrap(ctx, "reading objects", err)
	}
	err = each(rows, func() error {
		var (
			o          mcloud.Object
			newest     []any
			gone       uint8
			attributes string
		)
		if err := rows.Scan(&o.ID, &newest, &gone, &o.Name, &o.Parent, &o.Project, &attributes); err != nil {
			return err
		}
		o.Attributes = json.RawMessage(attributes)
		state.objects[o.ID] = digestOf(o)
		return nil
	})
	if err != nil {
		return db.wrap(ctx, "reading objects", err)
	}
	if state.last, err = db.lastLook(ctx, s); err != nil {
		return err
	}
	state.loaded = true
	return nil
}

// lastLook is the time of the newest look at a scope in the store, zero before the first.
func (db *DB) lastLook(ctx context.Context, s scope) (time.Time, error) {
	var at time.Time
	var n uint64
	err := db.conn.QueryRow(ctx, "SELECT max(at), count() FROM looks WHERE cloud = {cloud:String} AND scope = {scope:String} AND kind = {kind:String}",
		named("cloud", s.cloud), named("scope", s.scope), named("kind", s.kind)).Scan(&at, &n)
	if err != nil {
		return time.Time{}, db.wrap(ctx, "reading the last look", err)
	}
	if n == 0 {
		return time.Time{}, nil
	}
	return at.UTC(), nil
}

// objectRows are changes of one look, in columns.
type objectRows struct {
	scope   scope
	at      time.Time
	written uint64

	gone                                  []uint8
	id, name, parent, project, attributes []string
}

func (r *objectRows) add(objects []mcloud.Object, gone bool) {
	for _, o := range objects {
		flag := uint8(0)
		if gone {
			flag = 1
		}
		r.gone = append(r.gone, flag)
		r.id, r.name, r.parent, r.project = append(r.id, o.ID), append(r.name, o.Name), append(r.parent, o.Parent), append(r.project, o.Project)
		r.attributes = append(r.attributes, string(compact(o.Attributes)))
	}
}

func (db *DB) writeObjects(ctx context.Context, r *objectRows) error {
	for from := 0; from < len(r.id); from += maxRows {
		to := min(from+maxRows, len(r.id))
		n := to - from
		err := db.insert(ctx, "objects", "", []column{
			{"cloud", "LowCardinality(String)", slices.Repeat([]string{r.scope.cloud}, n)},
			{"kind", "LowCardinality(String)", slices.Repeat([]string{r.scope.kind}, n)},
			{"scope", "LowCardinality(String)", slices.Repeat([]string{r.scope.scope}, n)},
			{"id", "String", r.id[from:to]},
			{"at", "DateTime64(3, 'UTC')", slices.Repeat([]time.Time{r.at}, n)},
			{"gone", "UInt8", r.gone[from:to]},
			{"name", "String", r.name[from:to]},
			{"parent", "String", r.parent[from:to]},
			{"project", "String", r.project[from:to]},
			{"attributes", "String", r.attributes[from:to]},
			{"written", "UInt64", slices.Repeat([]uint64{r.written}, n)},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) writeLook(ctx context.Context, look mcloud.Inventory) error {
	complete, count := uint8(0), len(look.Objects)
	if look.Complete || !look.Since.IsZero() {
		complete = 1
	}
	if !look.Since.IsZero() {
		count = look.Count
	}
	return db.insert(ctx, "looks", "", []column{
		{"cloud", "LowCardinality(String)", []string{look.Cloud}},
		{"scope", "LowCardinality(String)", []string{look.Scope}},
		{"kind", "LowCardinality(String)", []string{string(look.Kind)}},
		{"at", "DateTime64(3, 'UTC')", []time.Time{look.Time}},
		{"complete", "UInt8", []uint8{complete}},
		{"count", "UInt64", []uint64{uint64(count)}},
	})
}

// Objects returns what existed of a kind at one moment, by id; a zero time
// means what the last look found.
func (db *DB) Objects(ctx context.Context, cloud string, kind mcloud.Kind, at time.Time) ([]mcloud.Version, error) {
	if at.IsZero() {
		return db.versions(ctx, cloud, kind, "next = 0")
	}
	ms := at.UnixMilli()
	return db.versions(ctx, cloud, kind, overlap, named("from", ms), named("to", ms+1))
}

// Versions returns the stretches of the lives of a kind's objects that overlap
// [from, to), by id, then time. They are whole: a Version may begin before from
// and end after to.
func (db *DB) Versions(ctx context.Context, cloud string, kind mcloud.Kind, from, to time.Time) ([]mcloud.Version, error) {
	return db.versions(ctx, cloud, kind, overlap, named("from", from.UnixMilli()), named("to", to.UnixMilli()))
}

const overlap = "toUnixTimestamp64Milli(at) < {to:Int64} AND (next = 0 OR toUnixTimestamp64Milli(next) > {from:Int64})"

func (db *DB) versions(ctx context.Context, cloud string, kind mcloud.Kind, condition string, args ...any) ([]mcloud.Version, error) {
	ctx, cancel := context.WithTimeout(ctx, db.options.ReadTimeout)
	defer cancel()
	rows, err := db.conn.Query(ctx, `SELECT id, name, parent, project, attributes, at, next FROM (
			SELECT *, leadInFrame(at) OVER (PARTITION BY scope, id ORDER BY at ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS next
			FROM objects FINAL WHERE cloud = {cloud:String} AND kind = {kind:String}
		) WHERE gone = 0 AND `+condition+` ORDER BY id, at, scope`,
		append(args, named("cloud", cloud), named("kind", string(kind)))...)
	if err != nil {
		return nil, db.wrap(ctx, "reading objects", err)
	}
	var versions []mcloud.Version
	err = each(rows, func() error {
		v := mcloud.Version{Cloud: cloud, Object: mcloud.Object{Kind: kind}}
		var attributes string
		var next time.Time
		if err := rows.Scan(&v.ID, &v.Name, &v.Parent, &v.Project, &attributes, &v.From, &next); err != nil {
			return err
		}
		v.Attributes = json.RawMessage(attributes)
		if next.UnixMilli() != 0 {
			v.To = next
		}
		versions = append(versions, v)
		return nil
	})
	return versions, db.wrap(ctx, "reading objects", err)
}

// Look is the last look at one part of a cloud.
type Look struct {
	Cloud, Scope string
	Kind         mcloud.Kind
	At           time.Time
	Complete     bool
	// Count is how many objects the look saw.
	Count uint64
}

// Looks returns when each part of a cloud was looked at last, by scope and
// kind; an empty cloud means all.
func (db *DB) Looks(ctx context.Context, cloud string) ([]Look, error) {
	ctx, cancel := context.WithTimeout(ctx, db.options.ReadTimeout)
	defer cancel()
	rows, err := db.conn.Query(ctx, `SELECT cloud, scope, kind, at, complete, count FROM looks FINAL
		WHERE {cloud:String} IN ('', cloud) ORDER BY cloud, scope, kind`, named("cloud", cloud))
	if err != nil {
		return nil, db.wrap(ctx, "reading looks", err)
	}
	var looks []Look
	err = each(rows, func() error {
		var l Look
		var kind string
		var complete uint8
		if err := rows.Scan(&l.Cloud, &l.Scope, &kind, &l.At, &complete, &l.Count); err != nil {
			return err
		}
		l.Kind, l.Complete = mcloud.Kind(kind), complete == 1
		looks = append(looks, l)
		return nil
	})
	return looks, db.wrap(ctx, "reading looks", err)
}

// Clouds returns the names of all clouds that have objects or events, sorted.
func (db *DB) Clouds(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, db.options.ReadTimeout)
	defer cancel()
	rows, err := db.conn.Query(ctx, "SELECT DISTINCT toString(cloud) AS name FROM (SELECT cloud FROM looks UNION ALL SELECT DISTINCT cloud FROM events) ORDER BY name")
	if err != nil {
		return nil, db.wrap(ctx, "reading clouds", err)
	}
	var clouds []string
	err = each(rows, func() error {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		clouds = append(clouds, strings.Clone(name))
		return nil
	})
	return clouds, db.wrap(ctx, "reading clouds", err)
}
