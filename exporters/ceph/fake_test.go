package ceph

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mcloud/exporters"
)

var update = flag.Bool("update", false, "write golden files and perf.tsv anew")

var versions = []string{"16.2", "18.2"}

// fakeMon answers from recorded files; answer may replace one of them.
type fakeMon struct {
	dir    string
	answer func(ctx context.Context, prefix string) ([]byte, error) // nil, nil means the file
}

func (f fakeMon) Command(ctx context.Context, command map[string]any) ([]byte, error) {
	prefix := command["prefix"].(string)
	if command["format"] != "json" {
		return nil, fmt.Errorf("%s: asked for format %v", prefix, command["format"])
	}
	if f.answer != nil {
		if b, err := f.answer(ctx, prefix); b != nil || err != nil {
			return b, err
		}
	}
	name := strings.NewReplacer(" ", "_", "-", "_").Replace(prefix)
	for _, arg := range []string{"detail", "output_method"} {
		if v, ok := command[arg]; ok {
			name += "_" + v.(string)
		}
	}
	if contents, ok := command["dumpcontents"]; ok {
		name += "_" + strings.Join(contents.([]string), "_")
	}
	if osd, ok := command["osd"]; ok {
		name += fmt.Sprintf("_%d", osd)
	}
	return os.ReadFile(filepath.Join(f.dir, name+".json"))
}

func (fakeMon) Close() {}

func testConfig() ClusterConfig {
	return ClusterConfig{Cloud: "lab", Name: "c1", Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }}
}

func sources(t *testing.T, cfg ClusterConfig, mon Mon) map[string]exporters.Source {
	t.Helper()
	all, err := Sources(cfg, mon)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]exporters.Source{}
	for _, s := range all {
		name, _, _ := strings.Cut(s.Name, "/")
		byName[name] = s
	}
	return byName
}

// collect takes one look and checks what the Runner would refuse: samples of
// undeclared families, one sample twice, invalid records.
func collect(t *testing.T, s exporters.Source) (*exporters.Snapshot, error) {
	t.Helper()
	snap, err := s.Collector.Collect(t.Context())
	if snap == nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, sample := range snap.Samples {
		if !slices.Contains(s.Families, sample.Family) {
			t.Errorf("%s: undeclared family %s", s.Name, sample.Family.Name)
		}
		line := series(sample)
		if seen[line] {
			t.Errorf("%s: twice: %s", s.Name, line)
		}
		seen[line] = true
	}
	for _, v := range snap.Inventories {
		if err := v.Validate(); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
	for _, e := range snap.Events {
		if err := e.Validate(); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
	return snap, err
}

func series(s exporters.Sample) string {
	var labels []string
	for i, name := range s.Family.Labels {
		labels = append(labels, fmt.Sprintf("%s=%q", name, s.Labels[i]))
	}
	return s.Family.Name + "{" + strings.Join(labels, ",") + "}"
}

// render is one line a sample and one an object, sorted: the golden files' form.
func render(snap *exporters.Snapshot) string {
	var lines []string
	for _, s := range snap.Samples {
		lines = append(lines, fmt.Sprintf("%s %v", series(s), s.Value))
	}
	for _, v := range snap.Inventories {
		for _, o := range v.Objects {
			lines = append(lines, fmt.Sprintf("~ %s %s complete=%v parent=%q %s", v.Kind, o.ID, v.Complete, o.Parent, o.Attributes))
		}
	}
	for _, e := range snap.Events {
		lines = append(lines, fmt.Sprintf("* %s %s %s %s %s %s %s", e.Time.Format(time.RFC3339Nano), e.Source, e.Kind, e.Resource, e.Severity, e.ID, e.Payload))
	}
	for _, f := range snap.Failed {
		lines = append(lines, "! "+f.Error())
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name+".txt")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; see the difference after: go test ./exporters/ceph -update\ngot:\n%.2000s", path, got)
	}
}

func value(t *testing.T, snap *exporters.Snapshot, want string) float64 {
	t.Helper()
	for _, s := range snap.Samples {
		if series(s) == want {
			return s.Value
		}
	}
	t.Fatalf("no sample %s", want)
	return 0
}

func has(snap *exporters.Snapshot, prefix string) bool {
	return slices.ContainsFunc(snap.Samples, func(s exporters.Sample) bool { return strings.HasPrefix(series(s), prefix) })
}

// serveDaemon is an admin socket that answers each prefix by answer; nil hangs.
func serveDaemon(t *testing.T, path string, answer func(prefix string) []byte) (stop func()) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // as a daemon that is killed
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serveRequest(conn, answer)
		}
	}()
	stop = func() { l.Close(); <-done }
	t.Cleanup(stop)
	return stop
}

func serveRequest(conn net.Conn, answer func(prefix string) []byte) {
	defer conn.Close()
	request, err := bufio.NewReader(conn).ReadBytes(0)
	if err != nil {
		return
	}
	var command struct{ Prefix string }
	if json.Unmarshal(bytes.TrimSuffix(request, []byte{0}), &command) != nil {
		return
	}
	body := answer(command.Prefix)
	if body == nil {
		io.Copy(io.Discard, conn)
		return
	}
	conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
}

// recorded answers as the daemon of that version and type did, under a name.
func recorded(t *testing.T, version, kind, name, fsid string) func(prefix string) []byte {
	return func(prefix string) []byte {
		if prefix == "config show" {
			return fmt.Appendf(nil, `{"name":%q,"cluster":"ceph","fsid":%q}`, name, fsid)
		}
		b, err := os.ReadFile(filepath.Join("testdata", version, "asok", kind, strings.ReplaceAll(prefix, " ", "_")+".json"))
		if err != nil {
			if !strings.HasPrefix(prefix, "counter ") || version != "16.2" { // Ceph 16 has no such command
				t.Errorf("%s was asked %q: %v", name, prefix, err)
			}
			return []byte("ERROR: (22) Invalid argument\n")
		}
		return b
	}
}
