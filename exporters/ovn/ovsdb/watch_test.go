package ovsdb

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"testing"
)

// rowFold keeps rows, to see that old and new fit.
type rowFold struct {
	t    *testing.T
	rows map[string]Row
}

func (f *rowFold) Apply(table, id string, old, new Row) error {
	if f.t != nil {
		if before := f.rows[table+id]; !maps.EqualFunc(before, old, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
			f.t.Errorf("%s %s was %s, told is %s", table, id, before, old)
		}
	}
	if delete(f.rows, table+id); new != nil {
		f.rows[table+id] = maps.Clone(new)
	}
	return nil
}

// sessionOf reads b as what a server sends.
func sessionOf(b []byte, fold Fold) *session {
	c := &Conn{limited: &io.LimitedReader{R: bytes.NewReader(b)}}
	c.decoder = json.NewDecoder(c.limited)
	return &session{conn: c, fold: fold, answers: make(chan message, 1), done: make(chan struct{})}
}

// Of a changed row a server tells the columns that changed; the fold is told the
// whole row before.
func TestUpdatesToldInFull(t *testing.T) {
	fold := &rowFold{t: t, rows: map[string]Row{}}
	s := sessionOf([]byte(`{"id":1,"result":{"T":{"a":{"new":{"x":1,"y":"p"}},"b":{"new":{"x":2,"y":"q"}}}},"error":null}
		{"id":null,"method":"update","params":["rows",{"T":{"a":{"old":{"x":1},"new":{"x":5,"y":"p"}},"b":{"old":{"x":2,"y":"q"}},"c":{"new":{"x":3,"y":"r"}}}}]}
		{"id":null,"method":"update","params":["rows",{"T":{"a":{"old":{"x":5,"y":"p"}}}}]}`), fold)
	if m, err := s.receive(true); err != nil || !m.streamed || len(fold.rows) != 2 {
		t.Fatal(err, fold.rows)
	}
	for range 2 {
		m, err := s.receive(false)
		if err == nil {
			err = s.take(m)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if keys := slices.Collect(maps.Keys(fold.rows)); len(keys) != 1 || keys[0] != "Tc" {
		t.Errorf("left are %q", keys)
	}
}

// No bytes from a server panic.
func FuzzReceive(f *testing.F) {
	f.Add([]byte(`{"id":1,"result":{"T":{"a":{"new":{"x":1}}}},"error":null}{"method":"update","params":["rows",{"T":{"a":{"old":{"x":1}}}}],"id":null}`))
	f.Add([]byte(`{"id":1,"result":null,"error":{"error":"x"}}`))
	f.Add([]byte(`{"result":{"T":{"a":{"new":{"x":[`))
	f.Add([]byte(`{"method":"update","params":[1,2]}{"id":7,"result":[{"rows":[{"connected":true}]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := sessionOf(b, &rowFold{rows: map[string]Row{}})
		for i := range 8 {
			m, err := s.receive(i == 0)
			if err != nil {
				return
			}
			if m.Method == "echo" {
				continue // there is no connection to answer on
			}
			if s.take(m) != nil {
				return
			}
			select {
			case m := <-s.answers:
				_, _ = (&Conn{}).databaseRow(m)
			default:
			}
		}
	})
}
