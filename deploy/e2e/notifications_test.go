//go:build lab

package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
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
}

func newBroker(t *testing.T) *broker {
	t.Helper()
	_, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	b := &broker{port: port, log: &lockedBuffer{}}
	b.start(t)
	t.Cleanup(func() {
		b.kill()
		for line := range strings.Lines(b.log.String()) {
			if data, ok := strings.CutPrefix(strings.TrimSpace(line), "DATA "); ok && strings.Contains(data, "/second-"+port) {
				_ = os.RemoveAll(data)
				return
			}
		}
	})
	return b
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
	waitFor(t, "RabbitMQ answers", 4*time.Minute, func() (bool, string) {
		conn, err := amqp.Dial(b.url())
		if err != nil {
			return false, err.Error() + "; " + b.log.tail(3)
		}
		return conn.Close() == nil, ""
	})
}

// kill ends it as a power cut would.
func (b *broker) kill() {
	_ = syscall.Kill(-b.command.Process.Pid, syscall.SIGKILL)
	_ = b.command.Wait()
}

// publisher sends as the services do: to exchanges that it makes itself and that a
// broker's restart deletes. It goes on after a restart with what was not confirmed.
type publisher struct {
	t    *testing.T
	url  string
	conn *amqp.Connection
	ch   *amqp.Channel
	lost chan amqp.Return
}

func (p *publisher) dial(messages []notification) error {
	conn, err := amqp.Dial(p.url)
	if err != nil {
		return err
	}
	ch, err := conn.Channel()
	if err == nil {
		err = ch.Confirm(false)
	}
	made := map[string]bool{}
	for _, n := range messages {
		if err == nil && !made[n.Exchange] {
			made[n.Exchange] = true
			err = ch.ExchangeDeclare(n.Exchange, amqp.ExchangeTopic, false, false, false, false, nil)
		}
	}
	if err != nil {
		conn.Close()
		return err
	}
	p.conn, p.ch, p.lost = conn, ch, ch.NotifyReturn(make(chan amqp.Return, len(messages)))
	return nil
}

// one publishes until the broker has confirmed that a queue has it.
func (p *publisher) one(n notification, all []notification) {
	for began := time.Now(); time.Since(began) < 5*time.Minute; time.Sleep(200 * time.Millisecond) {
		if p.conn == nil || p.conn.IsClosed() {
			if p.dial(all) != nil {
				continue
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		sent, err := p.ch.PublishWithDeferredConfirmWithContext(ctx, n.Exchange, n.RoutingKey, true, false,
			amqp.Publishing{ContentType: "application/json", DeliveryMode: amqp.Persistent, Body: []byte(n.Body)})
		ok := err == nil
		if ok {
			ok, err = sent.WaitContext(ctx)
		}
		cancel()
		if err != nil {
			p.conn.Close()
			continue
		}
		select {
		case <-p.lost: // no queue is bound yet
			ok = false
		default:
		}
		if ok {
			return
		}
	}
	p.t.Errorf("message %s of exchange %s was not taken", n.id, n.Exchange)
}

// TestNotificationsOfAWholeCloud replays the lab's notifications twice, kills the
// broker in the middle of the first time and has the store away from before that
// until the second: each event is there once, none is lost, and no token that they
// carried is anywhere.
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
		c := process(t, p.log, append([]string{part}, flags...)...)
		t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
		answers(t, part, ready, p.log)
		return c
	}
	store := run("store", "http://"+p.store+"/ping")
	run("collector", "http://"+p.collector+"/-/ready")
	run("exporter", "http://"+p.exporter+"/metrics")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of mcloud's log:\n%s", p.log.tail(40))
		}
	})
	waitFor(t, "the queue is read", time.Minute, func() (bool, string) {
		return len(p.lines("reading notifications", "mcloud.e2e")) > 0, p.log.tail(5)
	})

	sender := &publisher{t: t, url: b.url()}
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
				store = run("store", "http://"+p.store+"/ping")
			}
			sender.one(n, messages)
		}
	}
	sender.conn.Close()

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
	waitFor(t, "the queue is empty", time.Minute, func() (bool, string) {
		conn, err := amqp.Dial(b.url())
		if err != nil {
			return false, err.Error()
		}
		defer conn.Close()
		ch, err := conn.Channel()
		if err != nil {
			return false, err.Error()
		}
		q, err := ch.QueueDeclarePassive("mcloud.e2e", true, false, false, false, nil)
		return err == nil && q.Messages == 0, fmt.Sprint(q.Messages, err)
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
