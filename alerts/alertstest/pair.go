package alertstest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"mcloud/deploy/freeport"
)

// Pair is two Alertmanagers that know each other, with the receivers, the e-mails and the
// templates that the configuration has: what it sends comes to the test.
type Pair struct {
	URLs [2]string
	inbox
	kill  [2]func()
	alive [2]bool
}

// StartPair runs them with the configuration at path, until the test ends: groups wait for
// wait, also for what comes later, the second one as long as peerWait for what the first one
// has told, at any hour.
func StartPair(t testing.TB, path, wait, peerWait string) *Pair {
	t.Helper()
	p := &Pair{alive: [2]bool{true, true}}
	c := read(t, path, wait)
	c["route"].(map[string]any)["group_interval"] = wait
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	global := c["global"].(map[string]any)
	global["smtp_smarthost"] = p.mailServer(t, global["smtp_auth_username"].(string), "s3cret")
	global["smtp_auth_password_file"], global["smtp_require_tls"] = secret, false
	folder, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	templates := c["templates"].([]any)
	for i, name := range templates {
		templates[i] = filepath.Join(folder, name.(string))
	}
	hook := p.webhook(t)
	for _, r := range c["receivers"].([]any) {
		receiver := r.(map[string]any)
		hooks, _ := receiver["webhook_configs"].([]any)
		for _, h := range hooks {
			h := h.(map[string]any)
			h["url"] = hook + "/" + receiver["name"].(string)
			h["http_config"] = map[string]any{"authorization": map[string]any{"credentials_file": secret}}
		}
	}
	var gossip [2]string
	for i := range gossip {
		if gossip[i], err = freeport.Address(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range gossip {
		p.URLs[i], p.kill[i] = run(t, c, "--cluster.listen-address="+gossip[i], "--cluster.peer="+gossip[1-i], "--cluster.peer-timeout="+peerWait,
			"--cluster.gossip-interval=50ms", "--cluster.pushpull-interval=1s", "--cluster.settle-timeout=5s")
	}
	for _, url := range p.URLs {
		Within(t, "the two know each other", func() string {
			response, err := client.Get(url + "/api/v2/status")
			if err != nil {
				return err.Error()
			}
			defer response.Body.Close()
			var status struct{ Cluster struct{ Peers []any } }
			if err := json.NewDecoder(response.Body).Decode(&status); err != nil {
				return err.Error()
			}
			if n := len(status.Cluster.Peers); n != len(p.URLs) {
				return fmt.Sprintf("%s is one of %d", url, n)
			}
			return ""
		})
	}
	return p
}

// Kill ends one of them as a crash does.
func (p *Pair) Kill(i int) {
	p.alive[i] = false
	p.kill[i]()
}

// Post sends alerts, to each that is alive as the collector does, that fire or that have ended.
func (p *Pair) Post(t testing.TB, ended bool, labels, annotations map[string]string) {
	t.Helper()
	for i, url := range p.URLs {
		if p.alive[i] {
			post(t, url, ended, map[string]any{"labels": maps.Clone(labels), "annotations": annotations})
		}
	}
}
