package oslo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"mcloud"
)

// Poster stores a batch before it returns nil. An error that wraps
// mcloud.ErrInvalid, or whose Permanent() is true, says that this batch will
// never be taken.
type Poster interface {
	Post(ctx context.Context, batch mcloud.Batch) error
}

// Options say where to read and how much at once.
type Options struct {
	Cloud string
	// URL is amqp:// or amqps://, with user and password.
	URL string
	// Topics are oslo's notification topics; the queues are topic.priority.
	// Nova's versioned ones come on a topic of their own.
	Topics []string
	// Queue is a durable queue of our own. It is made and bound to Exchanges, so
	// that it gets every message of Topics, whoever else reads the topics' queues,
	// and keeps what it has when the broker restarts. Empty to read the topics'
	// queues, which the services make.
	Queue string
	// Exchanges are where services publish, their control_exchange; those of
	// DefaultExchanges if empty. Only of use with Queue.
	Exchanges []string
	// Batch is the most messages stored at once (default 200), Linger the longest
	// a message waits for others (default 500 ms).
	Batch  int
	Linger time.Duration
	Logger *slog.Logger
}

// DefaultExchanges are the services' own names for where they publish; Cinder's is
// "openstack".
var DefaultExchanges = []string{
	"nova", "neutron", "glance", "keystone", "openstack", "cinder", "heat", "designate", "octavia", "masakari", "barbican", "manila", "ironic", "magnum", "trove",
}

// priorities are the queue suffixes that oslo's notifiers use.
var priorities = []string{"debug", "info", "warn", "error", "critical", "sample", "audit"}

// Consumer reads one broker's notification queues.
type Consumer struct {
	opts   Options
	poster Poster
	stats  stats
}

type stats struct {
	connected                                atomic.Bool
	received, stored, malformed, refused     atomic.Int64
	storeErrors, connectErrors, missingQueue atomic.Int64
	lastStored                               atomic.Int64 // unix milliseconds
}

// New checks the options. The error names the one at fault.
func New(opts Options, poster Poster) (*Consumer, error) {
	u, err := url.Parse(opts.URL)
	if err != nil || (u.Scheme != "amqp" && u.Scheme != "amqps") || u.Host == "" {
		return nil, errors.New("notifications: url must be amqp://user:password@host:port/vhost or amqps://…")
	}
	if opts.Cloud == "" {
		return nil, errors.New("notifications: no cloud name")
	}
	if len(opts.Topics) == 0 {
		opts.Topics = []string{"notifications", "versioned_notifications"}
	}
	if len(opts.Exchanges) == 0 {
		opts.Exchanges = DefaultExchanges
	}
	if opts.Batch <= 0 {
		opts.Batch = 200
	}
	if opts.Linger <= 0 {
		opts.Linger = 500 * time.Millisecond
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	opts.Logger = opts.Logger.With("part", "notifications", "broker", u.Host)
	return &Consumer{opts: opts, poster: poster}, nil
}

const (
	minBackoff = time.Second
	maxBackoff = 30 * time.Second
	// maxDial is the same for the broker: from its restart until our queue is bound
	// again, what services publish is not kept for us.
	maxDial = 5 * time.Second
	// startTime is what a collector and its store may take to start: a shorter
	// absence is no news, since the broker keeps what it has.
	startTime = 10 * time.Second
	// repeatAfter is how long a fault that lasts stays quiet in the log.
	repeatAfter = 10 * time.Minute
	// queueRefresh is how often queues that did not exist are looked for again:
	// the publishers make them, not we.
	queueRefresh = 30 * time.Second
	// leastBind and mostBind are the same for exchanges that our own queue is to be
	// bound to: until then what they get is not kept for us. See pace.
	leastBind   = 2 * time.Second
	mostBind    = 30 * time.Second
	postTimeout = 30 * time.Second
	dialTimeout = 10 * time.Second
)

// Run reads until ctx ends, dialling again with back-off whenever the broker
// goes. It returns nil then.
func (c *Consumer) Run(ctx context.Context) error {
	backoff := minBackoff
	var said time.Time
	for ctx.Err() == nil {
		began := time.Now()
		err := c.session(ctx)
		c.stats.connected.Store(false)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > time.Minute {
			backoff, said = minBackoff, time.Time{}
		}
		if err != nil {
			c.stats.connectErrors.Add(1)
			if time.Since(said) > repeatAfter {
				said = time.Now()
				c.opts.Logger.Error("no notifications: the broker cannot be read and is dialled again; what it holds is read then", "error", err,
					"cure", "is RabbitMQ up, and may this user read the queues of its vhost?")
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, maxDial)
	}
	return nil
}

// session is the life of one connection. A nil error means that ctx has ended.
func (c *Consumer) session(ctx context.Context) error {
	conn, err := amqp.DialConfig(c.opts.URL, amqp.Config{
		Heartbeat:  10 * time.Second,
		Dial:       amqp.DefaultDial(dialTimeout),
		Properties: amqp.Table{"connection_name": "mcloud exporter"},
	})
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	defer conn.Close()
	c.stats.connected.Store(true)

	ch, err := conn.Channel()
	if err != nil {
		return fmt.Errorf("open a channel: %w", err)
	}
	if err := ch.Qos(2*c.opts.Batch, 0, false); err != nil {
		return fmt.Errorf("set prefetch: %w", err)
	}
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	sessionCtx, cancel := context.WithCancel(ctx)
	var others sync.WaitGroup
	defer func() {
		cancel()
		conn.Close() // ends the library's delivery channels, and so the forwarders
		others.Wait()
	}()

	deliveries, ended := make(chan amqp.Delivery), make(chan string)
	consuming := map[string]bool{}
	consume := func(queue string) error {
		in, err := ch.Consume(queue, "", false, false, false, false, nil)
		if err != nil {
			return fmt.Errorf("consume %s: %w", queue, err)
		}
		consuming[queue] = true
		others.Go(func() {
			for d := range in {
				select {
				case deliveries <- d:
				case <-sessionCtx.Done():
					return
				}
			}
			select {
			case ended <- queue:
			case <-sessionCtx.Done():
			}
		})
		return nil
	}
	next := pace{least: queueRefresh, most: queueRefresh}
	if c.opts.Queue != "" {
		next = pace{least: leastBind, most: mostBind}
	}
	attach := func() error {
		missing, found := 0, []string(nil)
		if c.opts.Queue != "" {
			bound, err := c.bind(conn)
			if err != nil {
				return err
			}
			missing = len(c.opts.Exchanges) - len(bound)
			next.saw(strings.Join(bound, " "))
			if !consuming[c.opts.Queue] {
				found = []string{c.opts.Queue}
			}
		} else {
			for _, queue := range c.queues() {
				if consuming[queue] {
					continue
				}
				there, err := exists(conn, queue)
				if err != nil {
					return err
				}
				if there {
					found = append(found, queue)
				} else {
					missing++
				}
			}
		}
		for _, queue := range found {
			if err := consume(queue); err != nil {
				return err
			}
		}
		if len(found) > 0 {
			c.opts.Logger.Info("reading notifications", "queues", strings.Join(found, " "))
		}
		c.stats.missingQueue.Store(int64(missing))
		return nil
	}
	if err := attach(); err != nil {
		return err
	}
	refresh := time.NewTimer(next.wait())
	defer refresh.Stop()
	// While the store is away a batch waits for it, beside this loop: exchanges that
	// appear meanwhile must be bound, and a broker that goes must be dialled again, for
	// our queue is bound to nothing until then.
	var batch []amqp.Delivery
	var due <-chan time.Time
	in, stored := deliveries, make(chan error, 1)
	store := func() {
		full := batch
		others.Go(func() { stored <- c.store(sessionCtx, full) })
		batch, due, in = nil, nil, nil // until that is done the broker holds the backlog
	}
	for {
		select {
		case <-ctx.Done():
			return nil // what is not acknowledged goes back to its queue
		case e := <-closed:
			return fmt.Errorf("channel closed: %w", e)
		case queue := <-ended:
			select {
			case e := <-closed: // which is why
				return fmt.Errorf("channel closed: %w", e)
			default:
				return fmt.Errorf("the broker gives no more of %s: is it deleted?", queue)
			}
		case <-refresh.C:
			if err := attach(); err != nil {
				return err
			}
			refresh.Reset(next.wait())
		case d := <-in:
			c.stats.received.Add(1)
			if len(batch) == 0 {
				due = time.After(c.opts.Linger)
			}
			if batch = append(batch, d); len(batch) == c.opts.Batch {
				store()
			}
		case <-due:
			store()
		case err := <-stored:
			if err != nil {
				return err
			}
			in = deliveries
		}
	}
}

// queues are those that services make for the topics.
func (c *Consumer) queues() (all []string) {
	for _, topic := range c.opts.Topics {
		for _, priority := range priorities {
			all = append(all, topic+"."+priority)
		}
	}
	return all
}

// pace is how long to wait until the next look: least after one that saw
// something else than the look before, twice as long as the last time after any
// other, and never longer than most. A new one, as each connection has, begins
// with least.
type pace struct {
	least, most time.Duration
	last        time.Duration
	seen        string
	changed     bool
}

func (p *pace) saw(what string) {
	p.changed = p.seen != what
	p.seen = what
}

func (p *pace) wait() time.Duration {
	if p.last = min(2*p.last, p.most); p.changed || p.last < p.least {
		p.last = p.least
	}
	p.changed = false
	return p.last
}

// bind makes our own queue, unless it is there, and binds it to the exchanges that
// are there by now; it returns them. Services make their exchanges anew after a
// restart of the broker, and the old bindings are gone then.
func (c *Consumer) bind(conn *amqp.Connection) (bound []string, err error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, fmt.Errorf("open a channel: %w", err)
	}
	defer func() {
		if ch != nil {
			ch.Close()
		}
	}()
	if _, err := ch.QueueDeclare(c.opts.Queue, true, false, false, false, nil); err != nil {
		return nil, fmt.Errorf("make the durable queue %s: %w", c.opts.Queue, err)
	}
	for _, exchange := range c.opts.Exchanges {
		there, err := bindOne(ch, c.opts.Queue, exchange, c.opts.Topics)
		if err != nil {
			return bound, err
		}
		if there {
			bound = append(bound, exchange)
			continue
		}
		// The broker has closed the channel because the exchange is absent.
		if ch, err = conn.Channel(); err != nil {
			return bound, fmt.Errorf("open a channel: %w", err)
		}
	}
	return bound, nil
}

// bindOne reports whether the exchange is there. The channel is closed when it is
// not.
func bindOne(ch *amqp.Channel, queue, exchange string, topics []string) (bool, error) {
	// Asked first: for what is absent, binding may say that it is forbidden.
	err := ch.ExchangeDeclarePassive(exchange, amqp.ExchangeTopic, false, false, false, false, nil)
	var e *amqp.Error
	if errors.As(err, &e) && e.Code == amqp.NotFound {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for exchange %s: %w", exchange, err)
	}
	for _, topic := range topics {
		if err := ch.QueueBind(queue, topic+".*", exchange, false, nil); err != nil {
			return false, fmt.Errorf("bind %s to exchange %s: %w", queue, exchange, err)
		}
	}
	return true, nil
}

// exists asks on a channel of its own: the broker closes it when the queue is absent.
func exists(conn *amqp.Connection, queue string) (bool, error) {
	ch, err := conn.Channel()
	if err != nil {
		return false, fmt.Errorf("open a channel: %w", err)
	}
	defer ch.Close()
	_, err = ch.QueueDeclarePassive(queue, false, false, false, false, nil)
	var e *amqp.Error
	if errors.As(err, &e) && e.Code == amqp.NotFound {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for queue %s: %w", queue, err)
	}
	return true, nil
}

// store posts a batch until the store has it, then acknowledges it. While the
// store is away nothing further is read: the broker holds the backlog.
func (c *Consumer) store(ctx context.Context, batch []amqp.Delivery) error {
	events := make([]mcloud.Event, 0, len(batch))
	for _, d := range batch {
		e, err := Parse(c.opts.Cloud, d.Exchange, d.Body)
		if err != nil {
			c.stats.malformed.Add(1)
			c.opts.Logger.Error("dropped a message", "queue", d.RoutingKey, "exchange", d.Exchange, "bytes", len(d.Body), "error", err)
			continue
		}
		events = append(events, e)
	}
	if !c.storeEvents(ctx, events) {
		return nil // ctx ended; what is not acknowledged goes back to its queue
	}
	for _, d := range batch {
		if err := d.Ack(false); err != nil {
			return fmt.Errorf("acknowledge: %w", err) // redelivered; the store drops what it has
		}
	}
	return nil
}

// storeEvents posts events until the store has them and reports whether it has:
// false means that ctx ended before. What the collector refuses for good is
// singled out by halves and dropped, counted and named, so that one event that
// it cannot take does not hold up all that come after it.
func (c *Consumer) storeEvents(ctx context.Context, events []mcloud.Event) bool {
	backoff := minBackoff
	began, said := time.Now(), time.Time{}
	for len(events) > 0 {
		postCtx, cancel := context.WithTimeout(ctx, postTimeout)
		err := c.poster.Post(postCtx, mcloud.Batch{Events: events})
		cancel()
		if err == nil {
			c.stats.stored.Add(int64(len(events)))
			c.stats.lastStored.Store(time.Now().UnixMilli())
			return true
		}
		if permanent(err) {
			if half := len(events) / 2; half > 0 {
				return c.storeEvents(ctx, events[:half]) && c.storeEvents(ctx, events[half:])
			}
			c.stats.refused.Add(1)
			c.opts.Logger.Error("dropped an event that the collector refuses", "id", events[0].ID, "kind", events[0].Kind, "source", events[0].Source, "error", err)
			return true
		}
		c.stats.storeErrors.Add(1)
		if time.Since(began) > startTime && time.Since(said) > repeatAfter {
			said = time.Now()
			c.opts.Logger.Error("the collector does not take notifications; they stay with the broker", "messages", len(events), "error", err)
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, maxBackoff)
	}
	return true
}

// permanent says whether sending the same batch again cannot help.
func permanent(err error) bool {
	var refused interface{ Permanent() bool }
	return errors.Is(err, mcloud.ErrInvalid) || errors.As(err, &refused) && refused.Permanent()
}
