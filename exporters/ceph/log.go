package ceph

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"mcloud"
	"mcloud/exporters"
)

var (
	logEntries = &exporters.Family{Name: "ceph_cluster_log_entries_total", Type: exporters.Counter, Set: exporters.SetBase, Call: "log last",
		Labels: []string{"channel", "level"}, Help: "Entries of the cluster log since the exporter began to read it, by channel (cluster, audit, cephadm) and level."}

	logFamilies = []*exporters.Family{logEntries}
)

const (
	// The monitors of Ceph 18 keep the last 10,000 entries: a look asks for a few,
	// and for more when it does not meet what the look before saw. Those of Ceph 16
	// keep 50 of a channel, debug ones among them, whatever is asked for: at a map
	// of placement groups every two seconds that is a minute and a half of the
	// cluster channel, which is why the look is repeated every 15 s.
	logFirst, logUsual, logMost = 1000, 200, 10000
	maxLogMessage               = 4096
)

// logEntry is one entry of "log last", which gives the oldest first.
type logEntry struct {
	Name     string      `json:"name"` // "mon.a", "osd.3"
	Stamp    string      `json:"stamp"`
	Seq      json.Number `json:"seq"` // of Name since its start
	Channel  string      `json:"channel"`
	Priority string      `json:"priority"` // "[INF]"
	Message  string      `json:"message"`
}

// clusterLog makes an Event of each entry of the cluster log, once: what an
// earlier look had is left out, and the id is made of what tells an entry from
// all others, so that the store knows it again after a restart.
type clusterLog struct {
	*cluster
	seen    map[string]bool // ids of the last answer; nil before the first
	entries map[[2]string]float64
}

func newClusterLog(c *cluster) *clusterLog {
	return &clusterLog{cluster: c, entries: map[[2]string]float64{}}
}

func (c *clusterLog) collect(ctx context.Context) (*exporters.Snapshot, error) {
	l := c.look(ctx)
	num := logUsual
	if c.seen == nil {
		num = logFirst
	}
	entries, ok := c.last(l, num)
	if !ok {
		return l.done()
	}
	if c.seen != nil && len(entries) >= num && !c.meets(entries) {
		if more, ok := c.last(l, logMost); ok {
			entries = more
		}
	}
	seen := make(map[string]bool, len(entries))
	for _, e := range entries {
		id := c.id(e)
		if seen[id] {
			continue
		}
		seen[id] = true
		if c.seen[id] {
			continue
		}
		event, err := c.event(e, id)
		if err != nil {
			l.fail("log entry of "+e.Name+" at "+e.Stamp, err)
			continue
		}
		l.snap.Seen++
		c.entries[[2]string{channelOf(e), levelOf(e)}]++
		l.snap.Events = append(l.snap.Events, event)
	}
	if len(entries) > 0 || c.seen == nil {
		c.seen = seen // a monitor that just came up may have nothing: that is no news
	}
	for key, n := range c.entries {
		l.snap.Add(logEntries, n, key[0], key[1])
	}
	return l.done()
}

// last asks for entries of every channel from info up. Debug entries are the
// readers' commands, ours among them, and a line for each map of placement groups.
func (c *clusterLog) last(l *look, num int) ([]logEntry, bool) {
	return fetch[[]logEntry](l, "log last", map[string]any{"num": num, "level": "info", "channel": "*"})
}

func (c *clusterLog) meets(entries []logEntry) bool {
	return slices.ContainsFunc(entries, func(e logEntry) bool { return c.seen[c.id(e)] })
}

func (c *clusterLog) id(e logEntry) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\xff%s\xff%s\xff%s\xff%s\xff%s", c.cfg.Cloud, c.cfg.Name, e.Name, e.Stamp, e.Seq, e.Channel))
	return "log-" + hex.EncodeToString(sum[:16])
}

func (c *clusterLog) event(e logEntry, id string) (mcloud.Event, error) {
	at, err := time.Parse("2006-01-02T15:04:05.999999-0700", e.Stamp)
	if err != nil {
		return mcloud.Event{}, err
	}
	payload := map[string]any{"name": e.Name, "level": levelOf(e), "channel": channelOf(e), "message": cut(e.Message)}
	if e.Channel == "audit" {
		for k, v := range auditPayload(e.Message) {
			payload[k] = v
		}
	}
	text, err := json.Marshal(payload)
	if err != nil {
		return mcloud.Event{}, err
	}
	return mcloud.Event{ID: id, Time: at.UTC(), Cloud: c.cfg.Cloud, Source: c.source(), Kind: "log." + channelOf(e),
		Resource: c.cfg.Name, Severity: severityOf(e), Payload: text}, nil
}

// source is who speaks in the cluster's Events.
func (c *cluster) source() string { return "ceph/" + c.cfg.Name }

func channelOf(e logEntry) string {
	if e.Channel == "" {
		return "cluster"
	}
	return e.Channel
}

func levelOf(e logEntry) string {
	switch strings.Trim(e.Priority, "[]") {
	case "DBG":
		return "debug"
	case "INF":
		return "info"
	case "SEC":
		return "security"
	case "WRN":
		return "warning"
	case "ERR":
		return "error"
	}
	return "unknown"
}

func severityOf(e logEntry) mcloud.Severity {
	switch levelOf(e) {
	case "debug":
		return mcloud.SeverityDebug
	case "security", "warning":
		return mcloud.SeverityWarning
	case "error":
		return mcloud.SeverityError
	}
	return mcloud.SeverityInfo
}

func cut(message string) string {
	if len(message) <= maxLogMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxLogMessage], "") + "…"
}

var (
	auditEntity  = regexp.MustCompile(`entity='([^']{0,100})'`)
	auditCommand = regexp.MustCompile(`(?s)cmd='?(\[.*\])'?: (\w+)$`)
	// auditArgs name what a command is about. Values (config set's val, auth's keys,
	// config-key's content) may be secrets and never leave the cluster.
	auditArgs = []string{"pool", "pool2", "ids", "id", "name", "var", "who", "key", "pgid", "class", "entity", "module", "rule"}
)

// auditPayload is what may be known of a command that someone gave:
// "from='client.4123 …' entity='client.admin' cmd='[{"prefix": "osd out",
// "ids": ["3"]}]': finished". The rest of the message stays where it is.
func auditPayload(message string) map[string]any {
	payload := map[string]any{"message": "a command"}
	who := ""
	if m := auditEntity.FindStringSubmatch(message); m != nil {
		who = m[1]
		payload["entity"] = who
	}
	m := auditCommand.FindStringSubmatch(message)
	if m == nil {
		return payload
	}
	var commands []map[string]any
	if json.Unmarshal([]byte(m[1]), &commands) != nil || len(commands) == 0 {
		return payload
	}
	prefix, _ := commands[0]["prefix"].(string)
	args := map[string]any{}
	for _, name := range auditArgs {
		// "key" is a flag's name in "osd set" and a secret in "auth add".
		if v, ok := commands[0][name]; ok && (name != "key" || prefix == "osd set" || prefix == "osd unset") {
			args[name] = v
		}
	}
	payload["command"], payload["outcome"] = cut(prefix), m[2]
	payload["message"] = cut(who + ": " + prefix + ": " + m[2])
	if len(args) > 0 {
		payload["args"] = args
	}
	return payload
}
