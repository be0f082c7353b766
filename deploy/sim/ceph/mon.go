// Package ceph answers for simulated Ceph clusters as 16.2 does: Mon takes
// monitor commands, Sockets serves the daemons' admin sockets. What no model
// can know, flags and addresses and the other thousand fields, is taken from
// answers recorded from real clusters (recorded/), so that shapes are the real
// ones; what the model knows is put over it.
package ceph

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"mcloud/deploy/sim/model"
)

// Cloud is the model behind its lock: With runs do alone, with the model
// advanced to the present.
type Cloud interface {
	With(do func(*model.World))
}

// Mon takes the monitor commands of one cluster.
type Mon struct {
	cloud   Cloud
	cluster *model.Cluster
	// Latency is how long each command takes, PerThousand how much longer for
	// each thousand OSDs or PGs in its answer.
	Latency, PerThousand time.Duration

	mu     sync.Mutex
	placed []pg   // of the OSD map at epoch
	led    [][]pg // the same by the OSD that is their primary
	epoch  int64
	kept   map[string][]byte // answers that only the OSD map decides, of epoch
	counts map[string]int    // of commands by prefix

	used   model.Usage // as of usedAt; only read and written alone with the model
	usedAt moment
}

// moment is what a cluster's usage is made of. Time itself changes it slowly.
type moment struct {
	second             int64
	epoch              int64
	volumes            uint64
	provisioned, count int64
	images             int
}

// NewMon returns the Mon of a cluster.
func NewMon(cloud Cloud, c *model.Cluster) *Mon {
	return &Mon{cloud: cloud, cluster: c, counts: map[string]int{}}
}

// Cluster is the cluster's name.
func (m *Mon) Cluster() string { return m.cluster.Name }

// Commands counts the commands since the start, by prefix.
func (m *Mon) Commands() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.counts)
}

// groups are the cluster's PGs; they stay where they are until the OSD map
// changes. The caller is alone with the model.
func (m *Mon) groups() (all []pg, led [][]pg) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.renew()
	return m.placed, m.led
}

// renew forgets what belongs to an older OSD map. The caller holds mu.
func (m *Mon) renew() {
	if m.placed == nil || m.epoch != m.cluster.Epoch {
		m.placed, m.epoch, m.kept = placementGroups(m.cluster), m.cluster.Epoch, map[string][]byte{}
		m.led = make([][]pg, len(m.cluster.OSDs))
		for _, p := range m.placed {
			if o := primary(p.acting); o >= 0 {
				m.led[o] = append(m.led[o], p)
			}
		}
	}
}

// lasting are the commands whose answers stay the same until the OSD map changes.
var lasting = map[string]bool{
	"osd dump": true, "osd tree": true, "osd metadata": true, "osd crush dump": true, "osd crush rule dump": true, "osd pool ls": true, "pg dump": true,
}

// lastingKey names a command whose answer is kept, "" for another. Of pg dump,
// that is where PGs are.
func lastingKey(prefix string, command map[string]any) string {
	if !lasting[prefix] || prefix == "pg dump" && !slices.Equal(words(command["dumpcontents"]), []string{"pgs_brief"}) {
		return ""
	}
	key, err := json.Marshal(command)
	if err != nil {
		return ""
	}
	return string(key)
}

// answer makes an answer, or takes the one that still holds. The caller is alone
// with the model.
func (m *Mon) answer(s *state, prefix string, command map[string]any) ([]byte, error) {
	key := lastingKey(prefix, command)
	if key != "" {
		m.mu.Lock()
		m.renew()
		b, kept := m.kept[key]
		m.mu.Unlock()
		if kept {
			return b, nil
		}
	}
	made, err := commands[prefix](s, command)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(made) // under the lock: it may hold the model's own
	if err == nil && key != "" {
		m.mu.Lock()
		m.kept[key] = b
		m.mu.Unlock()
	}
	return b, err
}

// usage is the cluster's, made anew once a second and when volumes changed. The
// caller is alone with the model.
func (m *Mon) usage(w *model.World) model.Usage {
	tier := m.cluster.Tier
	now := moment{w.Now.Unix(), m.cluster.Epoch, w.Volumes.Version(), tier.ProvisionedGiB(), int64(tier.Count), len(w.Images)}
	if m.usedAt != now {
		m.used, m.usedAt = w.Usage(m.cluster), now
	}
	return m.used
}

// takeTime lets pass what the command would take.
func (m *Mon) takeTime(ctx context.Context, prefix string, pgs int) error {
	objects := 0
	switch {
	case strings.HasPrefix(prefix, "osd"):
		objects = len(m.cluster.OSDs)
	case prefix == "pg dump":
		objects = pgs
	}
	timer := time.NewTimer(m.Latency + m.PerThousand*time.Duration(objects)/1000)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close does nothing: a Mon holds nothing.
func (*Mon) Close() {}

// object is a JSON object on its way out.
type object = map[string]any

// state is a cluster at one instant, as the answers need it.
type state struct {
	*model.Cluster
	world *model.World
	usage model.Usage
	pgs   []pg
	led   [][]pg // by the OSD that is their primary
}

// commands by prefix; args are the request's other keys.
var commands = map[string]func(*state, map[string]any) (any, error){
	"status":                       plain(status),
	"health":                       health,
	"df":                           plain(df),
	"osd df":                       osdDF,
	"osd tree":                     plain(osdTree),
	"osd dump":                     plain(osdDump),
	"osd stat":                     plain(osdStat),
	"osd ls":                       plain(osdList),
	"osd blocklist ls":             plain(func(*state) any { return []any{} }),
	"osd perf":                     plain(osdPerf),
	"osd metadata":                 plain(osdMetadata),
	"osd pool ls":                  poolList,
	"osd pool stats":               plain(poolStats),
	"osd crush rule dump":          plain(crushRules),
	"osd crush dump":               plain(crushDump),
	"osd crush class ls":           plain(func(s *state) any { return []string{s.DeviceClass()} }),
	"osd erasure-code-profile ls":  plain(func(s *state) any { return keys(profiles(s)) }),
	"osd erasure-code-profile get": profile,
	"osd blocked-by": plain(func(*state) any {
		return object{"pg_ready": true, "osd_blocked_by": object{"osd_blocked_by_infos": []any{}}}
	}),
	"pg dump":          pgDump,
	"pg ls-by-primary": pgListByPrimary,
	"balancer status":  plain(balancer),
	"config dump":      plain(func(*state) any { return []any{} }),
	"mds metadata":     plain(func(*state) any { return []any{} }),
	"pg stat":          plain(pgStat),
	"quorum_status":    plain(quorumStatus),
	"mon dump":         plain(monDump),
	"mon metadata":     plain(monMetadata),
	"mgr metadata":     plain(mgrMetadata),
	"mgr dump":         plain(mgrDump),
	"mgr services":     plain(func(*state) any { return object{} }),
	"versions":         plain(versions),
	"features":         plain(features),
	"time-sync-status": plain(timeSync),
	"crash ls":         plain(func(*state) any { return []any{} }),
	"progress json":    plain(func(*state) any { return object{"completed": []any{}, "events": []any{}} }),
	"service dump":     plain(func(s *state) any { return object{"epoch": 3, "modified": stamp(s.Created), "services": object{}} }),
	"fs dump": plain(func(*state) any {
		return object{"epoch": 1, "default_fscid": -1, "standbys": []any{}, "filesystems": []any{}}
	}),
	"log last": plain(func(*state) any { return []any{} }),
}

func plain(answer func(*state) any) func(*state, map[string]any) (any, error) {
	return func(s *state, _ map[string]any) (any, error) { return answer(s), nil }
}

// RefusedError is a command that the cluster does not take; its text is that of
// go-ceph for the code.
type RefusedError struct {
	Code    int // negative errno
	Command string
}

func (e RefusedError) Error() string {
	return fmt.Sprintf("rados: ret=%d, Invalid argument: %q", e.Code, e.Command)
}

// ErrorCode is the negative errno, as go-ceph's errors tell it.
func (e RefusedError) ErrorCode() int { return e.Code }

// Command answers one command, {"prefix": "df", "detail": "detail"}, in JSON
// whatever format it asks for. An unknown one is a RefusedError.
func (m *Mon) Command(ctx context.Context, command map[string]any) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	prefix, _ := command["prefix"].(string)
	if _, known := commands[prefix]; !known {
		return nil, RefusedError{Code: -22, Command: prefix}
	}
	m.mu.Lock()
	m.counts[prefix]++
	m.mu.Unlock()
	var body []byte
	var err error
	pgs := 0
	m.cloud.With(func(w *model.World) {
		s := &state{Cluster: m.cluster, world: w, usage: m.usage(w)}
		s.pgs, s.led = m.groups()
		if slices.Contains(words(command["dumpcontents"]), "pgs_brief") {
			pgs = len(s.pgs)
		}
		body, err = m.answer(s, prefix, command)
	})
	if err == nil {
		err = m.takeTime(ctx, prefix, pgs)
	}
	if err != nil {
		return nil, err
	}
	return body, nil
}

// words are an argument that may be one string or a list.
func words(v any) []string {
	switch x := v.(type) {
	case string:
		return strings.Fields(x)
	case []string:
		return x
	case []any:
		var list []string
		for _, e := range x {
			if s, isText := e.(string); isText {
				list = append(list, s)
			}
		}
		return list
	}
	return nil
}
