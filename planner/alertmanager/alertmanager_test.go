package alertmanager

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"mcloud/deploy/freeport"
)

// start runs Debian's Alertmanager with one receiver and returns its URL.
func start(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("prometheus-alertmanager")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("prometheus-alertmanager is not installed; Debian's package of that name has it")
		}
		t.Skip("prometheus-alertmanager is not installed; Debian's package of that name has it")
	}
	dir := t.TempDir()
	config := "route: {receiver: noc}\nreceivers: [{name: noc}]\n"
	if err := os.WriteFile(dir+"/alertmanager.yml", []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	command := exec.Command(program, "--config.file="+dir+"/alertmanager.yml", "--storage.path="+dir, "--web.listen-address="+address, "--cluster.listen-address=", "--log.level=warn")
	command.Stdout, command.Stderr = &log, &log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if t.Failed() {
			t.Logf("Alertmanager's log:\n%s", log.String())
		}
	})
	within(t, func() string {
		response, err := http.Get("http://" + address + "/-/ready")
		if err != nil {
			return err.Error()
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return response.Status
		}
		return ""
	})
	return "http://" + address
}

// within polls until nothing is missing.
func within(t *testing.T, missing func() string) {
	t.Helper()
	var last string
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if last = missing(); last == "" {
			return
		}
	}
	t.Fatalf("not within 30 s: %s", last)
}

// TestRealAlertmanager silences an alert and lets it go again.
func TestRealAlertmanager(t *testing.T) {
	base := start(t)
	// The first of a pair is down.
	dead := httptest.NewServer(nil)
	dead.Close()
	c, err := New(Endpoint{URL: dead.URL}, Endpoint{URL: base + "/"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, now := t.Context(), time.Now()
	alert := Alert{Labels: map[string]string{"alertname": "ComputeHostDown", "host": "cmp-a1.example.org"}, StartsAt: now, EndsAt: now.Add(time.Hour)}
	if err := c.Send(ctx, base, alert); err != nil {
		t.Fatal(err)
	}
	state := func(want bool) func() string {
		return func() string {
			names, held, err := c.Receivers(ctx, base, "ComputeHostDown")
			if err != nil || held != want || len(names) != 1 || names[0] != "noc" {
				return fmt.Sprint(names, held, err)
			}
			return ""
		}
	}
	within(t, state(false))
	id, err := c.Silence(ctx, Silence{Matchers: []Matcher{{Name: "host", Value: `(cmp-a1)(\..*)?`, IsRegex: true, IsEqual: true}}, StartsAt: now, EndsAt: now.Add(time.Hour), CreatedBy: "test", Comment: "test"})
	if err != nil || id == "" {
		t.Fatalf("%q %v", id, err)
	}
	within(t, state(true))
	for range 2 { // the second time it has ended already
		if err := c.Expire(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	within(t, state(false))
	if err := c.Expire(ctx, "00000000-0000-0000-0000-000000000000"); err != nil {
		t.Errorf("a silence that there is not: %v", err)
	}
	// What one refuses the next is not asked.
	_, err = c.Silence(ctx, Silence{StartsAt: now, EndsAt: now.Add(time.Hour), CreatedBy: "test", Comment: "no matcher"})
	var r refused
	if !errors.As(err, &r) || !strings.Contains(err.Error(), "refuses: 4") {
		t.Errorf("%v", err)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	asked := 0
	answer := func(status int, body string) Endpoint {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked++
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}))
		t.Cleanup(s.Close)
		return Endpoint{URL: s.URL}
	}
	good := answer(200, `{"silenceID":"7"}`)
	for _, c := range []struct {
		name  string
		first Endpoint
		asks  int
		says  string // "" when the second answers for it
	}{
		{"a page of another program", answer(200, "<html>"), 2, ""},
		{"a server error", answer(503, "starting"), 2, ""},
		{"refused", answer(400, "bad matcher"), 1, "refuses: 400 Bad Request: bad matcher"},
		{"wrong password", answer(401, ""), 1, "see collector.alertmanager_client"},
	} {
		client, err := New(c.first, good)
		if err != nil {
			t.Fatal(err)
		}
		asked = 0
		id, err := client.Silence(context.Background(), Silence{})
		if asked != c.asks || (c.says == "") != (err == nil && id == "7") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %q %v, asked %d", c.name, id, err, asked)
		}
	}
	for _, urls := range [][]Endpoint{nil, {{URL: "am:9093"}}, {{URL: "http://u:secret@am:9093"}}} {
		if _, err := New(urls...); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v: %v", urls, err)
		}
	}
}
