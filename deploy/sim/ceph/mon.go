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
	"strings"

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
}

// NewMon returns the Mon of a cluster.
func NewMon(cloud Cloud, c *model.Cluster) *Mon { return &Mon{cloud: cloud, cluster: c} }

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
	answer, known := commands[prefix]
	if !known {
		return nil, RefusedError{Code: -22, Command: prefix}
	}
	var body any
	var err error
	m.cloud.With(func(w *model.World) {
		s := &state{Cluster: m.cluster, world: w, usage: w.Usage(m.cluster), pgs: placementGroups(m.cluster)}
		if body, err = answer(s, command); err == nil {
			body, err = json.Marshal(body) // under the lock: it may hold the model's own
		}
	})
	if err != nil {
		return nil, err
	}
	return body.([]byte), nil
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
