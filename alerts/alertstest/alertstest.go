// Package alertstest runs real Alertmanagers for tests, with a configuration's routes and
// inhibitions, and takes what they send.
package alertstest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"mcloud/deploy/freeport"
)

// client asks Alertmanagers; one that hangs is asked again.
var client = &http.Client{Timeout: 5 * time.Second}

// Debian is a program of Debian's packages prometheus and prometheus-alertmanager.
func Debian(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed; Debian's packages prometheus and prometheus-alertmanager have it", name)
		}
		t.Skipf("%s is not installed; Debian's packages prometheus and prometheus-alertmanager have it", name)
	}
	return path
}

// Alertmanager is a real one with the routes and inhibitions of a configuration, whose
// receivers are one webhook.
type Alertmanager struct {
	URL string
	inbox
}

// Start runs Debian's Alertmanager with the configuration at path, until the test ends:
// each receiver is told of as JSON, groups wait for wait, at any hour.
func Start(t testing.TB, path, wait string) *Alertmanager {
	t.Helper()
	a := &Alertmanager{}
	hook := a.webhook(t)
	c := read(t, path, wait)
	delete(c, "templates")
	delete(c, "global")
	var receivers []any
	for _, r := range c["receivers"].([]any) {
		name := r.(map[string]any)["name"].(string)
		receivers = append(receivers, map[string]any{"name": name, "webhook_configs": []any{map[string]any{"url": hook + "/" + name, "send_resolved": true}}})
	}
	c["receivers"] = receivers
	a.URL, _ = run(t, c, "--cluster.listen-address=")
	return a
}

// read reads a configuration whose groups wait for wait instead, at any hour.
func read(t testing.TB, path, wait string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.ReplaceAll(text, []byte("group_wait: 30s"), []byte("group_wait: "+wait))
	text = bytes.ReplaceAll(text, []byte("active_time_intervals: [working-hours]"), nil)
	var c map[string]any
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// run runs Debian's Alertmanager until the test ends, or kill does it.
func run(t testing.TB, c map[string]any, flags ...string) (url string, kill func()) {
	t.Helper()
	text, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/alertmanager.yml", text, 0o600); err != nil {
		t.Fatal(err)
	}
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	command := exec.Command(Debian(t, "prometheus-alertmanager"),
		append([]string{"--config.file=" + dir + "/alertmanager.yml", "--storage.path=" + dir, "--web.listen-address=" + address, "--log.level=warn"}, flags...)...)
	command.Stdout, command.Stderr = &log, &log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	t.Cleanup(func() {
		kill()
		if t.Failed() {
			t.Logf("Alertmanager's log:\n%s", log.String())
		}
	})
	url = "http://" + address
	Within(t, "Alertmanager is ready", func() string {
		response, err := client.Get(url + "/-/ready")
		if err != nil {
			return err.Error()
		}
		response.Body.Close()
		return map[bool]string{false: response.Status}[response.StatusCode == http.StatusOK]
	})
	return url, kill
}

// Within polls until ok says nothing is missing.
func Within(t testing.TB, what string, missing func() string) {
	t.Helper()
	var last string
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if last = missing(); last == "" {
			return
		}
	}
	t.Fatalf("%s: not within 30 s: %s", what, last)
}

// Post sends alerts that fire, or that have ended.
func (a *Alertmanager) Post(t testing.TB, ended bool, labels ...map[string]string) {
	t.Helper()
	var alerts []map[string]any
	for _, l := range labels {
		alerts = append(alerts, map[string]any{"labels": l})
	}
	post(t, a.URL, ended, alerts...)
}

func post(t testing.TB, url string, ended bool, alerts ...map[string]any) {
	t.Helper()
	for _, a := range alerts {
		starts, ends := time.Now(), time.Now().Add(time.Hour)
		if ended {
			starts, ends = starts.Add(-time.Second), starts
		}
		a["startsAt"], a["endsAt"] = starts, ends
	}
	body, err := json.Marshal(alerts)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Post(url+"/api/v2/alerts", "application/json", bytes.NewReader(body))
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("post: %v %v", err, response)
	}
	response.Body.Close()
}

// HeldBack are the names of the alerts that are inhibited now, and of those that are not.
func (a *Alertmanager) HeldBack() (held, active []string, err error) {
	response, err := client.Get(a.URL + "/api/v2/alerts")
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	var all []struct {
		Labels map[string]string `json:"labels"`
		Status struct {
			State       string   `json:"state"`
			InhibitedBy []string `json:"inhibitedBy"`
		} `json:"status"`
	}
	if err := json.NewDecoder(response.Body).Decode(&all); err != nil {
		return nil, nil, err
	}
	for _, x := range all {
		switch {
		case len(x.Status.InhibitedBy) > 0:
			held = append(held, x.Labels["alertname"])
		case x.Status.State == "active":
			active = append(active, x.Labels["alertname"])
		}
	}
	slices.Sort(held)
	slices.Sort(active)
	return held, active, nil
}
