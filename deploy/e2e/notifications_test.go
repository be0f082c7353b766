//go:build lab

package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"mcloud/collector/clickhouse"
)

// notification is a message as the lab's broker gave it (see exporters/oslo).
type notification struct {
	Exchange   string `json:"exchange"`
	RoutingKey string `json:"routing_key"`
	Body       string `json:"body"`
	Tokens     []string
	id         string
}

func recorded(t *testing.T) (messages []notification, tokens []string) {
	t.Helper()
	f, err := os.Open(root + "/exporters/oslo/testdata/lab.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var n notification
		var wrap struct {
			Message string `json:"oslo.message"`
		}
		var inner struct {
			ID string `json:"message_id"`
		}
		if err := json.Unmarshal(lines.Bytes(), &n); err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, n.Tokens...)
		if n.Body == "" {
			continue
		}
		if err := json.Unmarshal([]byte(n.Body), &wrap); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(wrap.Message), &inner); err != nil {
			t.Fatal(err)
		}
		n.id = inner.ID
		messages = append(messages, n)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return messages, tokens
}

// broker is a RabbitMQ of the test's own.
type broker struct {
	port    string
	log     *lockedBuffer
	command *exec.Cmd
	ended   chan struct{}
}

func newBroker(t *testing.T) *broker {
	t.Helper()
	b := &broker{port: freePair(t), log: &lockedBuffer{}}
	t.Cleanup(func() {
		b.kill()
		for line := range strings.Lines(b.log.String()) {
			if data, ok := strings.CutPrefix(strings.TrimSpace(line), "DATA "); ok && strings.Contains(data, "/second-"+b.port) {
				_ = os.RemoveAll(data)
				return
			}
		}
	})
	b.start(t)
	return b
}

// freePair is a port that nobody listens on, nor on the next, which the broker's node
// takes. It is below those that the system gives to whoever asks for any, for the
// broker wants both again when it restarts.
func freePair(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := 20000 + rand.IntN(12000)
		free := true
		for _, p := range []int{port, port + 1} {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
			if free = free && err == nil; err == nil {
				l.Close()
			}
		}
		if free {
			return strconv.Itoa(port)
		}
	}
	t.Fatal("no two free ports in a row")
	return ""
}

func (b *broker) url() string { return "amqp://openstack:lab@127.0.0.1:" + b.port + "/" }

// start runs it and waits until it answers.
func (b *broker) start(t *testing.T) {
	t.Helper()
	b.command = exec.Command(root+"/deploy/lab/openstack/second-broker", b.port)
	b.command.Stdout, b.command.Stderr = b.log, b.log
	b.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := b.command.Start(); err != nil {
		t.Fatal(err)
	}
	command, ended := b.command, make(chan struct{})
	go func() { _ = command.Wait(); close(ended) }()
	b.ended = ended
	waitFor(t, "RabbitMQ answers", 4*time.Minute, func() (bool, string) {
		select {
		case <-ended:
			t.Fatalf("RabbitMQ has ended: %s", b.log.tail(10))
		default:
		}
		conn, err := amqp.Dial(b.url())
		if err != nil {
			return false, err.Error() + "; " + b.log.tail(3)
		}
		return conn.Close() == nil, ""
	})
}

// kill ends it as a power cut would.
func (b *broker) kill() {
	if b.ended == nil {
		return // it never ran
	}
	_ = syscall.Kill(-b.command.Process.Pid, syscall.SIGKILL)
	<-b.ended
}

// publisher sends as the services do: to exchanges that it makes when it first needs
// them and that a broker's restart deletes. It goes on after a restart with what was
// not confirmed.
type publisher struct {
	url   string
	conn  *amqp.Connection
	ch    *amqp.Channel
	lost  chan amqp.Return
	made  map[string]bool // exchanges, by this connection
	again int             // attempts that the broker did not take, or had no queue for
}

func (p *publisher) dial() error {
	conn, err := amqp.Dial(p.url)
	if err != nil {
		return err
	}
	ch, err := conn.Channel()
	if err == nil {
		err = ch.Confirm(false)
	}
	if err != nil {
		conn.Close()
		return err
	}
	p.conn, p.ch, p.made = conn, ch, map[string]bool{}
	p.lost = ch.NotifyReturn(make(chan amqp.Return, 10))
	return nil
}

// try publishes once. It is well when the broker confirms that a queue has it.
func (p *publisher) try(n notification) error {
	if p.conn == nil || p.conn.IsClosed() {
		if err := p.dial(); err != nil {
			return err
		}
	}
	err := p.send(n)
	if err != nil {
		p.conn.Close()
		return err
	}
	select {
	case <-p.lost:
		return errors.New("no queue is bound")
	default:
		return nil
	}
}

func (p *publisher) send(n notification) error {
	if !p.made[n.Exchange] {
		if err := p.ch.ExchangeDeclare(n.Exchange, amqp.ExchangeTopic, false, false, false, false, nil); err != nil {
			return err
		}
		p.made[n.Exchange] = true
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	sent, err := p.ch.PublishWithDeferredConfirmWithContext(ctx, n.Exchange, n.RoutingKey, true, false,
		amqp.Publishing{ContentType: "application/json", DeliveryMode: amqp.Persistent, Body: []byte(n.Body)})
	if err != nil {
		return err
	}
	ok, err := sent.WaitContext(ctx)
	if err == nil && !ok {
		err = errors.New("the broker refused it")
	}
	return err
}

// one publishes until a queue has it.
func (p *publisher) one(t *testing.T, n notification) {
	t.Helper()
	var err error
	for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(100 * time.Millisecond) {
		if err = p.try(n); err == nil {
			return
		}
		p.again++
	}
	t.Fatalf("message %s of exchange %s is not taken: %v", n.id, n.Exchange, err)
}

// queue is how many messages wait, those that a reader has and has not
// acknowledged left out, and how many readers there are.
func (b *broker) queue(name string) (waiting, readers int, err error) {
	conn, err := amqp.Dial(b.url())
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		return 0, 0, err
	}
	q, err := ch.QueueDeclarePassive(name, true, false, false, false, nil)
	return q.Messages, q.Consumers, err
}

// counted is what the exporter says of its notifications, by the metric's name
// without its prefix.
func (p *product) counted(t *testing.T) map[string]float64 {
	t.Helper()
	status, body, err := get(t.Context(), "http://"+p.exporter+"/metrics")
	if err != nil || status != http.StatusOK {
		t.Fatalf("the exporter's metrics: HTTP %d %v", status, err)
	}
	values := map[string]float64{}
	for line := range strings.Lines(string(body)) {
		rest, ok := strings.CutPrefix(line, "mcloud_notifications_")
		words := strings.Fields(rest)
		if !ok || len(words) < 2 {
			continue
		}
		name, _, _ := strings.Cut(words[0], "{")
		if values[name], err = strconv.ParseFloat(words[len(words)-1], 64); err != nil {
			t.Fatal(err)
		}
	}
	if len(values) == 0 {
		t.Fatal("the exporter tells nothing of its notifications")
	}
	return values
}

// TestNotificationsOfAWholeCloud replays the lab's notifications twice, kills the
// broker in the middle of the first time and has the store away from before that
// until the second: each event is there once, none is lost, and no token that they
// carried is anywhere. Exchanges appear while the store is away; in the end the
// queue is deleted.
func TestNotificationsOfAWholeCloud(t *testing.T) {
	messages, tokens := recorded(t)
	if len(messages) < 1000 || len(tokens) == 0 {
		t.Fatalf("%d messages with %d tokens", len(messages), len(tokens))
	}
	b := newBroker(t)
	p := newProduct(t, "")
	p.config = filepath.Join(t.TempDir(), "mcloud.yaml")
	config := fmt.Sprintf("%snotifications:\n  - {url: \"amqp://exporter:lab@127.0.0.1:%s/\", queue: mcloud.e2e}\n", idle, b.port)
	if err := os.WriteFile(p.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := append([]string{"--config", p.config}, p.flags()...)
	run := func(part, ready string) *exec.Cmd {
		c := process(t, p.log, "mcloud", append([]string{part}, flags...)...)
		t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
		answers(t, part, ready, p.log)
		return c
	}
	store := run("store", "http://"+p.store+"/ping")
	run("collector", "http://"+p.collector+"/-/ready")
	exporter := run("exporter", "http://"+p.exporter+"/metrics")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of mcloud's log:\n%s", p.log.tail(40))
		}
	})
	waitFor(t, "the queue is read", time.Minute, func() (bool, string) {
		return len(p.lines("reading notifications", "mcloud.e2e")) > 0, p.log.tail(5)
	})

	sender := &publisher{url: b.url()}
	began := time.Now()
	for round := range 2 {
		for i, n := range messages {
			switch {
			case round == 0 && i == len(messages)/3:
				_ = store.Process.Kill()
				_ = store.Wait()
			case round == 0 && i == 2*len(messages)/3:
				b.kill()
				b.start(t)
			case round == 1 && i == len(messages)/4:
				waiting, _, err := b.queue("mcloud.e2e")
				if failed := p.counted(t)["store_errors_total"]; err != nil || waiting == 0 || failed == 0 {
					t.Errorf("with the store away %d messages wait (%v) and the exporter has failed %v times to store some", waiting, err, failed)
				}
				store = run("store", "http://"+p.store+"/ping")
			}
			sender.one(t, n)
		}
	}
	t.Logf("published 2 times %d messages in %.1f s, %d attempts in vain", len(messages), time.Since(began).Seconds(), sender.again)

	want := map[string]bool{}
	for _, n := range messages {
		want[n.id] = true
	}
	db, err := clickhouse.Open(t.Context(), clickhouse.Options{URL: "http://" + p.store, Database: "mcloud"})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	waitFor(t, fmt.Sprintf("%d events are in the store", len(want)), 3*time.Minute, func() (bool, string) {
		events, err := db.Events(t.Context(), clickhouse.EventFilter{Cloud: "e2e"})
		if err != nil {
			return false, err.Error()
		}
		missing := len(want)
		for _, e := range events {
			if want[e.ID] {
				missing--
			}
		}
		return missing == 0, fmt.Sprintf("%d missing; %s", missing, p.log.tail(2))
	})
	var got map[string]float64
	waitFor(t, "the second time of each is stored too", time.Minute, func() (bool, string) {
		got = p.counted(t)
		return got["stored_total"] >= float64(2*len(messages)), fmt.Sprint(got)
	})
	t.Logf("received %v, stored %v; %v attempts to store failed, %v to connect", got["received_total"], got["stored_total"], got["store_errors_total"], got["connection_errors_total"])
	if got["malformed_total"] != 0 || got["refused_total"] != 0 {
		t.Errorf("the exporter counts %v, want none dropped", got)
	}
	// The queue is made again and read when somebody deletes it.
	if _, err := sender.ch.QueueDelete("mcloud.e2e", false, false, false); err != nil {
		t.Fatal(err)
	}
	sender.one(t, messages[0])
	sender.conn.Close()
	waitFor(t, "a queue made anew is read", 20*time.Second, func() (bool, string) {
		after := p.counted(t)["stored_total"]
		return after > got["stored_total"], fmt.Sprint(after)
	})
	// What it has not acknowledged goes back to the queue when it ends.
	_ = exporter.Process.Signal(os.Interrupt)
	_ = exporter.Wait()
	waitFor(t, "all is acknowledged", 10*time.Second, func() (bool, string) {
		waiting, readers, err := b.queue("mcloud.e2e")
		if err == nil && readers == 0 && waiting != 0 {
			t.Fatalf("%d messages are not", waiting)
		}
		return err == nil && readers == 0, fmt.Sprint(waiting, readers, err)
	})
	if got := strings.TrimSpace(p.sql(t, "SELECT count(), uniqExact(id) FROM mcloud.events FINAL WHERE cloud = 'e2e'")); got != fmt.Sprintf("%d\t%d", len(want), len(want)) {
		t.Errorf("events and different ids: %q, want %d of each", got, len(want))
	}
	p.searchFor(t, tokens, messages[0].id)
}

// sql asks the store over its own HTTP interface.
func (p *product) sql(t *testing.T, query string) string {
	t.Helper()
	status, body, err := get(t.Context(), "http://"+p.store+"/?query="+url.QueryEscape(query))
	if err != nil || status != http.StatusOK {
		t.Fatalf("%s: HTTP %d %v: %.300s", query, status, err, body)
	}
	return string(body)
}

// searchFor reads every row of every table, every file outside the store and the
// log, and looks for secrets. known must be found, or the search proves nothing.
func (p *product) searchFor(t *testing.T, secrets []string, known string) {
	t.Helper()
	found, places := false, 0
	look := func(place string, text []byte) {
		places++
		found = found || bytes.Contains(text, []byte(known))
		for _, s := range secrets {
			// Half of one is as bad.
			if bytes.Contains(text, []byte(s)) || bytes.Contains(text, []byte(s[:len(s)/2])) {
				t.Errorf("%s holds a token", place)
			}
		}
	}
	tables := strings.Fields(p.sql(t, "SELECT name FROM system.tables WHERE database = 'mcloud' AND engine LIKE '%MergeTree'"))
	if len(tables) < 5 {
		t.Fatalf("tables %q", tables)
	}
	for _, table := range tables {
		look("table "+table, []byte(p.sql(t, "SELECT * FROM mcloud.`"+table+"` FORMAT JSONEachRow")))
	}
	if !found {
		t.Errorf("event %s is not found either: the search sees nothing", known)
	}
	look("the log", []byte(p.log.String()))
	err := filepath.WalkDir(p.dataDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err == nil {
			look(path, text)
		}
		return nil // a file that the store has merged away meanwhile
	})
	if err != nil {
		t.Error(err)
	}
	t.Logf("searched %d tables and files for %d tokens", places, len(secrets))
}
