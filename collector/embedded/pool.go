package embedded

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// pool holds the connections that requests take turns on, and one more with
// which running statements are stopped.
type pool struct {
	arguments []string
	base      settings // of every statement, unless the request says otherwise
	idle      chan *connection
	wait      time.Duration
	last      atomic.Int64

	killer struct {
		sync.Mutex
		*connection
	}
}

func newPool(arguments []string, base settings, size int, wait time.Duration) (*pool, error) {
	p := &pool{arguments: arguments, base: base, idle: make(chan *connection, size), wait: wait}
	killer, err := connect(arguments)
	if err != nil {
		return nil, err
	}
	p.killer.connection = killer
	for range size {
		c, err := p.open()
		if err != nil {
			p.close()
			return nil, err
		}
		p.idle <- c
	}
	return p, nil
}

func (p *pool) open() (*connection, error) {
	c, err := connect(p.arguments)
	if err != nil {
		return nil, err
	}
	c.comment = fmt.Sprintf("mcloud-%d", p.last.Add(1))
	if _, err := c.exec(append(p.base[:len(p.base):len(p.base)], setting{"log_comment", c.comment}).set()); err != nil {
		c.close()
		return nil, fmt.Errorf("settings: %w", err)
	}
	return c, nil
}

// close closes all idle connections and the killer; none may be in use.
func (p *pool) close() {
	for {
		select {
		case c := <-p.idle:
			c.close()
			continue
		default:
		}
		break
	}
	p.killer.Lock()
	defer p.killer.Unlock()
	if p.killer.connection != nil {
		p.killer.close()
	}
}

// lease is one statement's hold on a connection.
type lease struct {
	*connection
	pool    *pool
	lasting bool // the statement changes the connection
	watch   chan struct{}
	watched chan struct{}
}

// take waits for a connection, selects the database and applies the settings.
// While it is held, the end of ctx stops the statement that runs on it.
func (p *pool) take(ctx context.Context, database string, set settings) (*lease, error) {
	wait := time.NewTimer(p.wait)
	defer wait.Stop()
	var c *connection
	select {
	case c = <-p.idle:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-wait.C:
		return nil, exceptionf(codeTooMany, "TOO_MANY_SIMULTANEOUS_QUERIES", "all %d connections of the embedded store were busy for %s", cap(p.idle), p.wait)
	}
	l := &lease{connection: c, pool: p, watch: make(chan struct{}), watched: make(chan struct{})}
	if c.database != database {
		c.database = ""
		if _, err := c.exec("USE " + quoteName(database)); err != nil {
			p.idle <- c
			return nil, err
		}
		c.database = database
	}
	if err := c.apply(set, p.base); err != nil {
		p.renew(c)
		return nil, err
	}
	go l.guard(ctx)
	return l, nil
}

// guard stops the statement when ctx ends before the lease does. The engine
// looks at its queries' state between blocks; a statement that has not begun
// yet is not in the list, so the order is repeated until release.
func (l *lease) guard(ctx context.Context) {
	defer close(l.watched)
	select {
	case <-l.watch:
		return
	case <-ctx.Done():
	}
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		l.pool.kill(l.comment)
		select {
		case <-l.watch:
			return
		case <-again.C:
		}
	}
}

// kill stops the statement that runs under a comment. ASYNC, because the
// library's KILL QUERY … SYNC never returns.
func (p *pool) kill(comment string) {
	p.killer.Lock()
	defer p.killer.Unlock()
	if r, err := p.killer.run("KILL QUERY WHERE Settings['log_comment'] = "+quote(comment)+" ASYNC", "Null"); err == nil {
		r.free()
	}
}

// release gives the connection back. Its settings stay until a request has others: most
// have the same ones, and a SET costs about as much as a small question.
func (l *lease) release() {
	close(l.watch)
	<-l.watched
	if !l.lasting {
		l.pool.idle <- l.connection
		return
	}
	// SET, USE and temporary tables end with their request, as in a server's
	// HTTP interface without a session: the connection is replaced.
	l.pool.renew(l.connection)
}

// renew puts a fresh connection in the place of one whose state is not known.
func (p *pool) renew(c *connection) {
	fresh, err := p.open()
	if err != nil {
		fresh = c // better a used one than one fewer for ever
	} else {
		c.close()
	}
	p.idle <- fresh
}

// apply makes the connection's settings those of base and, over them, set.
func (c *connection) apply(set, base settings) error {
	var changes []string
	for _, s := range set {
		if value, is := c.applied.of(s.name); !is || value != s.value {
			changes = append(changes, s.name+" = "+quote(s.value))
		}
	}
	for _, s := range c.applied {
		if _, is := set.of(s.name); is {
			continue
		}
		if value, is := base.of(s.name); is {
			changes = append(changes, s.name+" = "+quote(value))
		} else {
			changes = append(changes, s.name+" = DEFAULT")
		}
	}
	if len(changes) == 0 {
		return nil
	}
	_, err := c.exec("SET " + strings.Join(changes, ", "))
	if err == nil {
		c.applied = set
	}
	return err
}

// setting is one of the engine's settings; its value is text as in a URL.
type setting struct{ name, value string }

type settings []setting

// of is the value of a setting, and whether it is there.
func (s settings) of(name string) (value string, is bool) {
	for _, one := range s {
		if one.name == name {
			return one.value, true
		}
	}
	return "", false
}

func (s settings) set() string {
	var b strings.Builder
	b.WriteString("SET ")
	for i, one := range s {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(one.name + " = " + quote(one.value))
	}
	return b.String()
}

var escapes = strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\x00", `\0`)

func quote(s string) string { return "'" + escapes.Replace(s) + "'" }

func quoteName(s string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(s) + "`"
}
