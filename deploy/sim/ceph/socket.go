package ceph

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"mcloud/deploy/sim/model"
)

// Sockets serves the admin sockets of all daemons of some clusters, under
// DIR/CLUSTER/ceph-TYPE.ID.asok. An OSD that is down leaves its socket file
// behind and refuses connections, as a killed one does.
type Sockets struct {
	cloud    Cloud
	dir      string
	hosts    int // whose daemons are served, 0 for all
	clusters []*model.Cluster

	mu    sync.Mutex
	live  map[string]*net.UnixListener // by path
	conns sync.WaitGroup
}

// NewSockets returns Sockets for the daemons on the first hosts of the clusters,
// 0 for all; Open opens them.
func NewSockets(cloud Cloud, dir string, hosts int, clusters ...*model.Cluster) *Sockets {
	return &Sockets{cloud: cloud, dir: dir, hosts: hosts, clusters: clusters, live: map[string]*net.UnixListener{}}
}

// Glob is the pattern that matches the cluster's sockets.
func (s *Sockets) Glob(cluster string) string { return filepath.Join(s.dir, cluster, "*.asok") }

// daemon is one socket's owner.
type daemon struct {
	cluster *model.Cluster
	kind    string // osd, mon, mgr
	id      string
	osd     *model.OSD
}

func (d daemon) name() string { return d.kind + "." + d.id }

// Open listens on the sockets of the daemons that are up and closes those of
// the daemons that are not. Call it again whenever something may have changed;
// Close ends it.
func (s *Sockets) Open(ctx context.Context) error {
	up := map[string]daemon{}
	s.cloud.With(func(*model.World) {
		for _, c := range s.clusters {
			for i, o := range c.OSDs {
				if o.Up && (s.hosts == 0 || i%len(c.Hosts) < s.hosts) {
					d := daemon{c, "osd", fmt.Sprint(o.Number), o}
					up[s.path(d)] = d
				}
			}
			for _, id := range c.Mons {
				d := daemon{c, "mon", id, nil}
				up[s.path(d)] = d
			}
			for _, id := range c.Mgrs {
				d := daemon{c, "mgr", id, nil}
				up[s.path(d)] = d
			}
		}
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	for path, l := range s.live {
		if _, still := up[path]; !still {
			_ = l.Close() // the file stays: a killed daemon does not tidy up
			delete(s.live, path)
		}
	}
	var failed []error
	for path, d := range up {
		if s.live[path] == nil {
			if err := s.listen(ctx, path, d); err != nil {
				failed = append(failed, err)
			}
		}
	}
	return errors.Join(failed...)
}

func (s *Sockets) path(d daemon) string {
	return filepath.Join(s.dir, d.cluster.Name, "ceph-"+d.name()+".asok")
}

func (s *Sockets) listen(ctx context.Context, path string, d daemon) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("admin socket of %s: %w", d.name(), err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("admin socket of %s: %w", d.name(), err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return fmt.Errorf("admin socket of %s: %w (a path of a unix socket has at most 107 bytes)", d.name(), err)
	}
	l.SetUnlinkOnClose(false)
	s.live[path] = l
	s.conns.Go(func() { s.accept(ctx, l, d) })
	return nil
}

// accept serves one connection after the other: a daemon has one thread for it.
func (s *Sockets) accept(ctx context.Context, l *net.UnixListener, d daemon) {
	for ctx.Err() == nil {
		conn, err := l.Accept()
		if err != nil {
			return // closed
		}
		stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
		s.serve(conn, d)
		stop()
	}
}

// Close closes all sockets, removes their files and waits for the connections.
func (s *Sockets) Close() {
	s.mu.Lock()
	for path, l := range s.live {
		_ = l.Close()
		_ = os.Remove(path)
		delete(s.live, path)
	}
	s.mu.Unlock()
	s.conns.Wait()
}

// serve reads one request, ended by NUL or newline, and writes the length and
// the answer (ceph/ceph:src/common/admin_socket.cc). "0" in binary is the
// protocol's legacy question for its version.
func (s *Sockets) serve(conn net.Conn, d daemon) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second)) // a unix socket takes deadlines
	request, err := readRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	body := s.answer(d, request)
	frame := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	_, _ = conn.Write(append(frame, body...)) // the client is gone: nobody to tell
}

const maxRequest = 64 << 10

func readRequest(r *bufio.Reader) ([]byte, error) {
	var request []byte
	for len(request) < maxRequest {
		b, err := r.ReadByte()
		if err != nil {
			return nil, err
		}
		if b == 0 || b == '\n' {
			if len(request) == 0 { // four bytes, big endian: 0 version, 1 perf dump
				rest := make([]byte, 3)
				if _, err := io.ReadFull(r, rest); err != nil {
					return nil, err
				}
				return append([]byte{b}, rest...), nil
			}
			return request, nil
		}
		request = append(request, b)
	}
	return nil, fmt.Errorf("request exceeds %d bytes", maxRequest)
}

func refuse(code int, format string, args ...any) []byte {
	text := map[int]string{2: "No such file or directory", 22: "Invalid argument", 38: "Function not implemented"}[code]
	return fmt.Appendf(nil, "ERROR: (%d) %s\n%s\n", code, text, fmt.Sprintf(format, args...))
}

func (s *Sockets) answer(d daemon, request []byte) []byte {
	if len(request) == 4 && request[0] == 0 {
		if request[3] == 1 {
			return s.run(d, map[string]any{"prefix": "perf dump"})
		}
		return []byte("2")
	}
	var command map[string]any
	if json.Unmarshal(request, &command) != nil {
		return refuse(22, "invalid json")
	}
	return s.run(d, command)
}

// constant are commands whose recorded answer is served as it is.
var constant = map[string][]string{
	"osd": {
		"help", "get_command_descriptions", "perf histogram dump", "perf histogram schema", "dump_mempools", "ops", "dump_ops_in_flight", "dump_blocked_ops",
		"dump_historic_ops", "dump_historic_slow_ops", "dump_osd_network", "dump_scrubs", "dump_recovery_reservations", "bluestore bluefs device info",
		"bluestore allocator score block", "bluestore allocator fragmentation block", "objecter_requests", "cache status",
	},
	"mon": {"help", "perf histogram dump", "perf histogram schema", "dump_mempools", "ops", "dump_historic_ops", "dump_historic_slow_ops", "sessions", "connection scores dump"},
	"mgr": {"help", "perf histogram dump", "perf histogram schema", "dump_mempools", "status"},
}

func underscored(prefix string) string {
	b := []byte(prefix)
	for i, c := range b {
		if c == ' ' {
			b[i] = '_'
		}
	}
	return string(b)
}

func (s *Sockets) run(d daemon, command map[string]any) []byte {
	prefix, _ := command["prefix"].(string)
	if slices.Contains(constant[d.kind], prefix) {
		return recordedBytes()["asok_"+d.kind+"_"+underscored(prefix)]
	}
	var doc any
	switch {
	case prefix == "version":
		doc = object{"version": "16.2.15", "release": "pacific", "release_type": "stable"}
	case prefix == "git_version":
		doc = object{"git_version": "618f440892089921c3e944a991122ddc44e60516"}
	case prefix == "config show":
		doc = recorded("asok_osd_config_show", object{"name": d.name(), "cluster": "ceph", "fsid": d.cluster.FSID})
	case prefix == "config diff":
		full := recorded("asok_"+d.kind+"_config_diff", nil)
		if fsid, known := at(full, "diff")["fsid"].(object); known {
			fsid["file"], fsid["override"], fsid["final"] = d.cluster.FSID, d.cluster.FSID, d.cluster.FSID
		}
		doc = full
	case prefix == "perf schema":
		return recordedBytes()["asok_"+d.kind+"_perf_schema"]
	case prefix == "perf dump":
		dump := s.perfDump(d)
		if logger, filtered := command["logger"].(string); filtered && logger != "" {
			dump = only(dump, logger, command["counter"])
		}
		doc = dump
	case prefix == "status" && d.kind == "osd":
		doc = s.osdStatus(d)
	case prefix == "mon_status" && d.kind == "mon":
		doc = s.monStatus(d)
	default:
		return refuse(22, "unknown command prefix %s", prefix)
	}
	b, err := json.Marshal(doc)
	if err != nil {
		return refuse(22, "%v", err)
	}
	return b
}

func (s *Sockets) withState(c *model.Cluster, do func(*state)) {
	s.cloud.With(func(w *model.World) {
		do(&state{Cluster: c, world: w, usage: w.Usage(c), pgs: placementGroups(c)})
	})
}

func (s *Sockets) osdStatus(d daemon) (doc object) {
	s.withState(d.cluster, func(st *state) {
		doc = object{
			"cluster_fsid": d.cluster.FSID, "osd_fsid": d.osd.UUID, "whoami": d.osd.Number, "state": "active", "oldest_map": 1,
			"cluster_osdmap_trim_lower_bound": 1, "newest_map": d.cluster.Epoch, "num_pgs": st.pgsOn()[d.osd.Number],
		}
	})
	return doc
}

func (s *Sockets) monStatus(d daemon) (doc object) {
	s.withState(d.cluster, func(st *state) {
		rank := slices.Index(d.cluster.Mons, d.id)
		word := "peon"
		if rank == 0 {
			word = "leader"
		}
		doc = recorded("asok_mon_mon_status", object{"name": d.id, "rank": rank, "state": word, "quorum": st.ranks(), "quorum_age": st.age()})
		monmap := at(doc, "monmap")
		monmap["fsid"], monmap["mons"] = d.cluster.FSID, st.mons()
	})
	return doc
}
