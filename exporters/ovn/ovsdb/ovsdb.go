// Package ovsdb reads tables of an OVSDB server (RFC 7047): Open connects to
// the first good one of several endpoints, Select reads the columns that are
// asked for and exist. It knows no metric and writes nothing.
//
// libovsdb was weighed and left: it refuses a schema that lacks one column of
// its model, which differs between OVN versions, and its cache goes on
// answering after the server is gone. Here a look is one transaction, and a dead
// server is an error of that look.
package ovsdb

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

// DefaultMaxBytes bounds one answer: 100,000 rows of three columns have about 20 MB.
const DefaultMaxBytes = 64 << 20

var (
	// ErrTooLarge says that an answer went beyond Options.MaxBytes.
	ErrTooLarge = errors.New("answer is too large")
	// ErrMalformed says that the peer does not speak OVSDB.
	ErrMalformed = errors.New("malformed answer")
	// ErrStale says that a member of a cluster is cut off from its leader, so
	// that what it has may be old.
	ErrStale = errors.New("server is disconnected from its cluster")
)

// ServerError is the server's refusal of a request or an operation.
type ServerError struct {
	Class   string // "constraint violation", "not supported", …
	Details string
}

func (e *ServerError) Error() string { return strings.TrimSpace(e.Class + ": " + e.Details) }

// Kind is the word for it in counts of errors.
func (e *ServerError) Kind() string { return "server_error" }

// Options say where a database is.
type Options struct {
	// Database is its name: "OVN_Southbound".
	Database string
	// Endpoints are tried in their order: "tcp:10.0.0.1:6642", "ssl:[fd00::1]:6642",
	// "unix:/run/ovn/ovnsb_db.sock".
	Endpoints []string
	// TLS is for ssl endpoints.
	TLS *tls.Config
	// MaxBytes bounds one answer; 0 means DefaultMaxBytes.
	MaxBytes int64
}

// Parse checks the endpoints before anything is connected.
func (o Options) Parse() error {
	if o.Database == "" || len(o.Endpoints) == 0 {
		return fmt.Errorf("ovsdb: database %q and endpoints %q, want both", o.Database, o.Endpoints)
	}
	for _, e := range o.Endpoints {
		scheme, address, _ := strings.Cut(e, ":")
		switch scheme {
		case "unix":
			if address == "" {
				return fmt.Errorf("ovsdb: endpoint %q has no path", e)
			}
		case "tcp", "ssl":
			if _, _, err := net.SplitHostPort(address); err != nil {
				return fmt.Errorf("ovsdb: endpoint %q: %w; want %s:HOST:PORT", e, err, scheme)
			}
			if scheme == "ssl" && o.TLS == nil {
				return fmt.Errorf("ovsdb: endpoint %q needs a CA certificate, a certificate and a key", e)
			}
		default:
			return fmt.Errorf("ovsdb: endpoint %q, want tcp:HOST:PORT, ssl:HOST:PORT or unix:PATH", e)
		}
	}
	return nil
}

// Conn is a connection to one server. Not safe for concurrent use.
type Conn struct {
	Endpoint string
	conn     net.Conn
	limited  *io.LimitedReader
	decoder  *json.Decoder
	options  Options
	columns  map[string]map[string]bool // by table
	nextID   int
	stop     func() bool
}

// Open connects to the first endpoint that answers, has the database and is not
// cut off from its cluster. Each gets an even share of the time that ctx has
// left, so that a frozen one does not take it all. The error names every
// endpoint and why it was left.
func Open(ctx context.Context, options Options) (*Conn, error) {
	if err := options.Parse(); err != nil {
		return nil, err
	}
	var errs []error
	for i, endpoint := range options.Endpoints {
		share, cancel := shareOf(ctx, len(options.Endpoints)-i)
		c, err := open(ctx, share, endpoint, options)
		cancel()
		if err == nil {
			return c, nil
		}
		errs = append(errs, fmt.Errorf("%s at %s: %w", options.Database, endpoint, err))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(errs...)
}

const longestGreeting = 5 * time.Second

// shareOf is an even part of the time left, for one of n that remain.
func shareOf(ctx context.Context, n int) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithTimeout(ctx, 10*time.Second)
	}
	// One part more than endpoints: the rest is for reading the tables. A server
	// that does not greet in longestGreeting is frozen, however much time is left.
	return context.WithTimeout(ctx, min(longestGreeting, time.Until(deadline)/time.Duration(n+1)))
}

// open greets the server within share; the connection then lives as long as ctx.
func open(ctx, share context.Context, endpoint string, options Options) (*Conn, error) {
	conn, err := dial(share, endpoint, options.TLS)
	if err != nil {
		return nil, err
	}
	c := newConn(ctx, conn, endpoint, options)
	if err := c.greet(share); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// newConn is a connection that ends with ctx.
func newConn(ctx context.Context, conn net.Conn, endpoint string, options Options) *Conn {
	options.MaxBytes = cmp.Or(options.MaxBytes, DefaultMaxBytes)
	c := &Conn{Endpoint: endpoint, conn: conn, options: options}
	c.limited = &io.LimitedReader{R: conn}
	c.decoder = json.NewDecoder(c.limited)
	c.stop = context.AfterFunc(ctx, func() { conn.Close() })
	return c
}

func dial(ctx context.Context, endpoint string, config *tls.Config) (net.Conn, error) {
	scheme, address, _ := strings.Cut(endpoint, ":")
	switch scheme {
	case "unix":
		return (&net.Dialer{}).DialContext(ctx, "unix", address)
	case "ssl":
		return (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", address)
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", address)
}

// Probe asks the server at one endpoint for what it says of itself and its
// database, which takes one request. A State comes with ErrStale too.
func Probe(ctx context.Context, endpoint string, options Options) (State, error) {
	options.Endpoints = []string{endpoint}
	state := State{Endpoint: endpoint, Index: -1}
	if err := options.Parse(); err != nil {
		return state, err
	}
	conn, err := dial(ctx, endpoint, options.TLS)
	if err != nil {
		return state, err
	}
	c := newConn(ctx, conn, endpoint, options)
	defer c.Close()
	rows, err := c.transact(ctx, "_Server", []operation{c.aboutDatabase()})
	row, err := c.judge(rows, err)
	state.fill(row)
	return state, err
}

// Close ends the connection.
func (c *Conn) Close() error {
	c.stop()
	return c.conn.Close()
}

func (c *Conn) greet(ctx context.Context) error {
	if err := c.checkCluster(ctx); err != nil {
		return err
	}
	var schema struct {
		Tables map[string]struct {
			Columns map[string]json.RawMessage `json:"columns"`
		} `json:"tables"`
	}
	if err := c.call(ctx, "get_schema", []any{c.options.Database}, &schema); err != nil {
		return fmt.Errorf("get_schema: %w", err)
	}
	c.columns = map[string]map[string]bool{}
	for table, t := range schema.Tables {
		c.columns[table] = map[string]bool{"_uuid": true}
		for column := range t.Columns {
			c.columns[table][column] = true
		}
	}
	return nil
}

// checkCluster reads the server's own database (ovsdb-server(5), "_Server"),
// which servers before 2.9 lack. A member that lost its leader still answers,
// with what it had then.
func (c *Conn) checkCluster(ctx context.Context) error {
	rows, err := c.transact(ctx, "_Server", []operation{c.aboutDatabase()})
	_, err = c.judge(rows, err)
	return err
}

func (c *Conn) aboutDatabase() operation {
	return operation{
		Op: "select", Table: "Database", Where: []any{[]any{"name", "==", c.options.Database}},
		Columns: []string{"connected", "model", "leader", "index"},
	}
}

// judge says whether the server may be read from. The row is nil where the
// server has no "_Server".
func (c *Conn) judge(rows [][]Row, err error) (Row, error) {
	var refused *ServerError
	switch {
	case errors.As(err, &refused):
		return nil, nil
	case err != nil:
		return nil, err
	case len(rows[0]) == 0:
		return nil, fmt.Errorf("the server has no database %q", c.options.Database)
	case !rows[0][0].Bool("connected"):
		return rows[0][0], ErrStale
	}
	return rows[0][0], nil
}

// databaseRow is judge for an answer that came to a Watch.
func (c *Conn) databaseRow(m message) (Row, error) {
	rows, err := results(m, 1)
	return c.judge(rows, err)
}

// Has reports whether the database's schema has the table or, with a column
// name, that column of it.
func (c *Conn) Has(table string, column ...string) bool {
	columns, ok := c.columns[table]
	for _, name := range column {
		ok = ok && columns[name]
	}
	return ok
}

// Query is the columns of a table to read.
type Query struct {
	Table   string
	Columns []string
}

// Select reads all rows of several tables at one moment, in one transaction, and
// "_uuid" of each beside the columns asked for. Columns that this version's schema lacks are left out of the rows, tables
// that it lacks give no rows; Has tells.
func (c *Conn) Select(ctx context.Context, queries ...Query) ([][]Row, error) {
	var operations []operation
	var places []int
	for i, q := range queries {
		if !c.Has(q.Table) {
			continue
		}
		// ovsdb-server answers equal rows once: without the id, the ports of a
		// chassis would be one.
		columns := []string{"_uuid"}
		for _, name := range q.Columns {
			if name != "_uuid" && c.Has(q.Table, name) {
				columns = append(columns, name)
			}
		}
		operations = append(operations, operation{Op: "select", Table: q.Table, Where: []any{}, Columns: columns})
		places = append(places, i)
	}
	results := make([][]Row, len(queries))
	if len(operations) == 0 {
		return results, nil
	}
	rows, err := c.transact(ctx, c.options.Database, operations)
	if err != nil {
		return nil, fmt.Errorf("%s at %s: %w", c.options.Database, c.Endpoint, err)
	}
	for i, place := range places {
		results[place] = rows[i]
	}
	return results, nil
}

// operation is RFC 7047 section 5.2.2 (select).
type operation struct {
	Op      string   `json:"op"`
	Table   string   `json:"table"`
	Where   []any    `json:"where"`
	Columns []string `json:"columns"`
}

// transact returns the rows of each operation.
func (c *Conn) transact(ctx context.Context, database string, operations []operation) ([][]Row, error) {
	params := []any{database}
	for _, o := range operations {
		params = append(params, o)
	}
	m, err := c.ask(ctx, "transact", params)
	if err != nil {
		return nil, err
	}
	return results(m, len(operations))
}

// results are the rows of each of n operations.
func results(m message, n int) ([][]Row, error) {
	var answers []struct {
		Rows    []Row  `json:"rows"`
		Error   string `json:"error"`
		Details string `json:"details"`
	}
	if err := m.into(&answers); err != nil {
		return nil, err
	}
	rows := make([][]Row, n)
	for i, r := range answers {
		if r.Error != "" {
			return nil, &ServerError{r.Error, r.Details}
		}
		if i < len(rows) {
			rows[i] = r.Rows
		}
	}
	if len(answers) < n {
		return nil, fmt.Errorf("%w: %d results for %d operations", ErrMalformed, len(answers), n)
	}
	return rows, nil
}

// message is RFC 7047 section 4: requests, answers and notifications share it.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
	// streamed says that the result was folded while it was read.
	streamed bool
}

// call asks and decodes the result.
func (c *Conn) call(ctx context.Context, method string, params []any, result any) error {
	m, err := c.ask(ctx, method, params)
	if err != nil {
		return err
	}
	return m.into(result)
}

// ask sends one request and waits for its answer, answering the server's own
// echo requests meanwhile.
func (c *Conn) ask(ctx context.Context, method string, params []any) (message, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(30 * time.Second)
	}
	if err := c.conn.SetDeadline(deadline); err != nil {
		return message{}, cause(ctx, err)
	}
	c.nextID++
	id := c.nextID
	if err := json.NewEncoder(c.conn).Encode(map[string]any{"id": id, "method": method, "params": params}); err != nil {
		return message{}, cause(ctx, err)
	}
	c.limited.N = c.options.MaxBytes
	for {
		var m message
		if err := c.decoder.Decode(&m); err != nil {
			return message{}, c.readError(ctx, err)
		}
		switch {
		case m.Method == "echo":
			if err := json.NewEncoder(c.conn).Encode(map[string]any{"id": m.ID, "result": m.Params, "error": nil}); err != nil {
				return message{}, cause(ctx, err)
			}
		case m.Method == "" && string(m.ID) == fmt.Sprint(id):
			return m, nil
		}
	}
}

func (c *Conn) readError(ctx context.Context, err error) error {
	var netErr net.Error
	switch {
	case errors.Is(err, ErrMalformed), errors.Is(err, ErrTooLarge), errors.Is(err, ErrInconsistent):
		return err
	case c.limited.N <= 0:
		return ErrTooLarge
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the server hung up: %w", io.ErrUnexpectedEOF)
	case errors.Is(err, net.ErrClosed), errors.As(err, &netErr):
		return cause(ctx, err)
	}
	return fmt.Errorf("%w: %w", ErrMalformed, err)
}

// cause says what an error of the connection means: at the deadline it is only
// an "i/o timeout", or a "use of closed network connection".
func cause(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("no answer, the server is frozen or overloaded: %w", context.DeadlineExceeded)
	case ctx.Err() != nil && errors.Is(err, net.ErrClosed):
		return ctx.Err()
	}
	return err
}

func (m message) into(result any) error {
	if len(m.Error) > 0 && string(m.Error) != "null" {
		var refused struct{ Error, Details string }
		if json.Unmarshal(m.Error, &refused) != nil || refused.Error == "" {
			refused.Error = fmt.Sprintf("%.200s", m.Error)
		}
		return &ServerError{refused.Error, refused.Details}
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(m.Result, result); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}
