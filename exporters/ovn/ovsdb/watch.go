package ovsdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

const (
	// maxRowBytes bounds one row or update on its way in. The dump at the start is
	// taken row by row, so it needs no bound of its own but maxRows.
	maxRowBytes = 16 << 20
	maxRows     = 4 << 20
	maxAnswer   = 64 << 20 // of any other message
)

// ErrInconsistent says that what a server told does not fit what it told before,
// so that the watch begins anew.
var ErrInconsistent = errors.New("update does not fit the rows before it")

// Fold turns a database's rows, as they come, change and go, into whatever a
// reader wants of them: it is told every change and need keep no rows, for a row
// that goes is told in full. Calls come one at a time. The maps are reused after
// the call; the bytes in them are not.
type Fold interface {
	// Apply takes one row's change. old is nil for a new row, new for one that is
	// gone; both have every column that was asked for and exists. An error ends
	// the connection.
	Apply(table, id string, old, new Row) error
}

// Has tells whether a schema has a table or, with a name, that column of it.
type Has func(table string, column ...string) bool

// Watch follows some columns of a database (RFC 7047 section 4.1.5, "monitor"),
// so that a look costs the server nothing but what has changed since the last.
//
// It connects when Look is called and not before. Between looks it takes the
// server's updates and answers its probes. Nothing outlives a connection: each
// look asks the server whether it is there and part of its cluster, and when it
// is not, what was known is thrown away and another endpoint is read from the
// start.
type Watch struct {
	options Options
	queries func(context.Context) []Query
	start   func(context.Context, Has) Fold

	mu      sync.Mutex
	session *session
	last    string // endpoint
	closed  bool
}

// NewWatch follows the queries' columns; start makes the Fold of a connection.
// Both are called with the ctx of the look that connects.
func NewWatch(options Options, queries func(context.Context) []Query, start func(context.Context, Has) Fold) *Watch {
	return &Watch{options: options, queries: queries, start: start}
}

// State is what the server says of itself at a look.
type State struct {
	Endpoint string
	Has      Has
	// Model is "standalone", "clustered" or "relay"; "" from a server that does not
	// tell, as before 2.9.
	Model             string
	Leader, Connected bool
	// Index is that of the raft log's last entry that the server has applied; -1
	// where there is none.
	Index int64
}

func (s *State) fill(row Row) {
	if row == nil {
		return
	}
	s.Model, s.Leader, s.Connected = row.String("model"), row.Bool("leader"), row.Bool("connected")
	if n, ok := row.Int("index"); ok {
		s.Index = n
	}
}

// Look makes sure that the server is there and that its updates have come in,
// and calls read, which holds up further ones. It connects anew when it must.
// The error is that of the connection or of read.
func (w *Watch) Look(ctx context.Context, read func(State, Fold) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return net.ErrClosed
	}
	if w.session != nil {
		share, cancel := shareOf(ctx, 1)
		state, err := w.session.sync(share)
		cancel()
		if err == nil {
			return w.read(state, read)
		}
		w.drop()
		if ctx.Err() != nil {
			return fmt.Errorf("%s at %s: %w", w.options.Database, w.last, err)
		}
	}
	s, err := w.open(ctx)
	if err != nil {
		return err
	}
	w.session, w.last = s, s.conn.Endpoint
	state, err := s.sync(ctx)
	if err != nil {
		w.drop()
		return fmt.Errorf("%s at %s: %w", w.options.Database, w.last, err)
	}
	return w.read(state, read)
}

func (w *Watch) read(state State, read func(State, Fold) error) error {
	err := w.session.read(state, read)
	if errors.Is(err, ErrInconsistent) {
		w.drop()
	}
	return err
}

// Close ends the connection and waits until nothing runs any more.
func (w *Watch) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.drop()
}

func (w *Watch) drop() {
	if w.session != nil {
		w.session.close()
		w.session = nil
	}
}

// open connects, first to the endpoint that answered last, and takes the dump.
func (w *Watch) open(ctx context.Context) (*session, error) {
	options := w.options
	options.Endpoints = slices.Clone(options.Endpoints)
	if i := slices.Index(options.Endpoints, w.last); i > 0 {
		options.Endpoints = append([]string{w.last}, slices.Delete(options.Endpoints, i, i+1)...)
	}
	var errs []error
	for len(options.Endpoints) > 0 {
		conn, err := Open(ctx, options)
		if err != nil {
			return nil, errors.Join(append(errs, err)...)
		}
		// A connection of a Watch lives longer than the look that opened it; within
		// the look it is bounded by deadlines.
		conn.stop()
		conn.stop = func() bool { return true }
		s := &session{conn: conn, fold: w.start(ctx, conn.Has), answers: make(chan message, 1), done: make(chan struct{})}
		if err = s.dump(ctx, w.queries(ctx)); err == nil {
			go s.follow()
			return s, nil
		}
		conn.Close()
		errs = append(errs, fmt.Errorf("%s at %s: %w", options.Database, conn.Endpoint, err))
		if ctx.Err() != nil {
			break
		}
		i := slices.Index(options.Endpoints, conn.Endpoint)
		options.Endpoints = options.Endpoints[i+1:]
	}
	return nil, errors.Join(errs...)
}

// session is one connection of a Watch and what came through it.
type session struct {
	conn    *Conn
	answers chan message
	done    chan struct{} // closed when follow has returned

	writing sync.Mutex
	mu      sync.Mutex // guards the fields below
	fold    Fold
	err     error
	old     Row // scratch
}

func (s *session) close() {
	s.conn.Close()
	<-s.done
}

func (s *session) read(state State, read func(State, Fold) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return read(state, s.fold)
}

// sync asks the server for its state. Its answer comes after the updates of all
// that was committed before.
func (s *session) sync(ctx context.Context) (State, error) {
	state := State{Endpoint: s.conn.Endpoint, Has: s.conn.Has, Index: -1}
	s.conn.nextID++
	id := s.conn.nextID
	if err := s.write(ctx, map[string]any{"id": id, "method": "transact", "params": []any{"_Server", s.conn.aboutDatabase()}}); err != nil {
		return state, cause(ctx, err)
	}
	for {
		select {
		case m := <-s.answers:
			if string(m.ID) != fmt.Sprint(id) {
				continue // of a call that was given up
			}
			row, err := s.conn.databaseRow(m)
			state.fill(row)
			return state, err
		case <-s.done:
			s.mu.Lock()
			defer s.mu.Unlock()
			return state, s.err
		case <-ctx.Done():
			return state, cause(ctx, context.Cause(ctx))
		}
	}
}

func (s *session) write(ctx context.Context, v any) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(10 * time.Second)
	}
	if err := s.conn.conn.SetWriteDeadline(deadline); err != nil {
		return err
	}
	return json.NewEncoder(s.conn.conn).Encode(v)
}

// dump asks for the rows and folds them as they come.
func (s *session) dump(ctx context.Context, queries []Query) error {
	requests := map[string]any{}
	for _, q := range queries {
		if !s.conn.Has(q.Table) {
			continue
		}
		columns := []string{}
		for _, name := range q.Columns {
			if s.conn.Has(q.Table, name) {
				columns = append(columns, name)
			}
		}
		requests[q.Table] = map[string]any{"columns": columns}
	}
	if len(requests) == 0 {
		return fmt.Errorf("%w: its schema has none of the tables", ErrMalformed)
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(60 * time.Second)
	}
	if err := s.conn.conn.SetDeadline(deadline); err != nil {
		return err
	}
	// Between looks there is no deadline; one that ends early frees the read.
	stop := context.AfterFunc(ctx, func() { s.conn.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	s.conn.nextID++
	id := s.conn.nextID
	if err := s.write(ctx, map[string]any{"id": id, "method": "monitor", "params": []any{s.conn.options.Database, "rows", requests}}); err != nil {
		return cause(ctx, err)
	}
	for {
		m, err := s.receive(true)
		if err != nil {
			return s.conn.readError(ctx, err)
		}
		if m.Method == "echo" {
			if err := s.write(ctx, map[string]any{"id": m.ID, "result": m.Params, "error": nil}); err != nil {
				return cause(ctx, err)
			}
			continue
		}
		if m.Method != "" || string(m.ID) != fmt.Sprint(id) {
			continue
		}
		if len(m.Error) > 0 && string(m.Error) != "null" {
			return m.into(nil)
		}
		if !m.streamed {
			return fmt.Errorf("%w: monitor is answered without rows", ErrMalformed)
		}
		if !stop() {
			return cause(ctx, context.Cause(ctx))
		}
		return s.conn.conn.SetDeadline(time.Time{})
	}
}

// follow takes updates and answers until the connection ends.
func (s *session) follow() {
	defer close(s.done)
	for {
		m, err := s.receive(false)
		if err == nil {
			err = s.take(m)
		}
		if err != nil {
			s.mu.Lock()
			s.err = s.conn.readError(context.Background(), err)
			s.mu.Unlock()
			s.conn.Close()
			return
		}
	}
}

func (s *session) take(m message) error {
	switch m.Method {
	case "echo":
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return s.write(ctx, map[string]any{"id": m.ID, "result": m.Params, "error": nil})
	case "update":
		var params []json.RawMessage
		var tables map[string]map[string]rowUpdate
		if json.Unmarshal(m.Params, &params) != nil || len(params) != 2 || json.Unmarshal(params[1], &tables) != nil {
			return fmt.Errorf("%w: update of another shape", ErrMalformed)
		}
		for table, rows := range tables {
			for id, u := range rows {
				if err := s.apply(table, id, u); err != nil {
					return err
				}
			}
		}
	case "":
		select {
		case s.answers <- m:
		default: // nobody waits for it any more
			<-s.answers
			s.answers <- m
		}
	}
	return nil
}

// rowUpdate is RFC 7047 section 4.1.6: of a changed row, Old has the columns
// that changed and New all of them.
type rowUpdate struct {
	Old Row `json:"old"`
	New Row `json:"new"`
}

func (s *session) apply(table, id string, u rowUpdate) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := u.Old
	if old != nil && u.New != nil {
		if s.old == nil {
			s.old = Row{}
		}
		clear(s.old)
		for column, v := range u.New {
			s.old[column] = v
		}
		for column, v := range u.Old {
			s.old[column] = v
		}
		old = s.old
	}
	return s.fold.Apply(table, id, old, u.New)
}

// receive reads one message. With rows, an answer's result is taken to be the
// rows of a monitor and folded one by one.
func (s *session) receive(rows bool) (message, error) {
	var m message
	d := s.conn.decoder
	s.conn.limited.N = maxAnswer
	if err := s.expect('{'); err != nil {
		return m, err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return m, err
		}
		var raw json.RawMessage
		if key == "result" && rows {
			if m.streamed, err = s.stream(); err != nil {
				return m, err
			}
			s.conn.limited.N = maxAnswer
			continue
		}
		if err := d.Decode(&raw); err != nil {
			return m, err
		}
		switch key {
		case "id":
			m.ID = raw
		case "method":
			if json.Unmarshal(raw, &m.Method) != nil {
				return m, fmt.Errorf("%w: method is no string", ErrMalformed)
			}
		case "params":
			m.Params = raw
		case "result":
			m.Result = raw
		case "error":
			m.Error = raw
		}
	}
	return m, s.expect('}')
}

func (s *session) expect(want json.Delim) error {
	token, err := s.conn.decoder.Token()
	switch {
	case err != nil:
		return err
	case token != want:
		return fmt.Errorf("%w: %v where %v should be", ErrMalformed, token, want)
	}
	return nil
}

// stream folds {table: {uuid: {"new": row}}}; null is no rows at all.
func (s *session) stream() (bool, error) {
	d := s.conn.decoder
	token, err := d.Token()
	if err != nil || token == nil {
		return false, err
	}
	if token != json.Delim('{') {
		return false, fmt.Errorf("%w: rows are %v", ErrMalformed, token)
	}
	n := 0
	var u rowUpdate
	for d.More() {
		table, err := d.Token()
		if err != nil {
			return false, err
		}
		if err := s.expect('{'); err != nil {
			return false, err
		}
		name, _ := table.(string)
		for d.More() {
			if n++; n > maxRows {
				return false, fmt.Errorf("%w: more than %d rows", ErrTooLarge, maxRows)
			}
			s.conn.limited.N = maxRowBytes
			id, err := d.Token()
			if err != nil {
				return false, err
			}
			clear(u.New)
			u.Old = nil
			if err := d.Decode(&u); err != nil {
				return false, err
			}
			text, _ := id.(string)
			if err := s.apply(name, text, u); err != nil {
				return false, err
			}
		}
		if err := s.expect('}'); err != nil {
			return false, err
		}
	}
	return true, s.expect('}')
}
