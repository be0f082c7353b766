package ovs

import (
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

var update = flag.Bool("update", false, "write golden files anew")

// serveDaemon is a control socket that answers each method by answer: a text,
// or an error for the daemon's refusal; errHang never answers.
func serveDaemon(t *testing.T, path string, answer func(method string, params []string) (string, error)) (stop func()) {
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

var (
	errHang    = fmt.Errorf("no answer")
	errRefused = fmt.Errorf("ovs-vswitchd: operation not supported")
)

func serveRequest(conn net.Conn, answer func(method string, params []string) (string, error)) {
	defer conn.Close()
	var request struct {
		Method string
		Params []string
	}
	if json.NewDecoder(conn).Decode(&request) != nil {
		return
	}
	text, err := answer(request.Method, request.Params)
	switch err {
	case nil:
		json.NewEncoder(conn).Encode(map[string]any{"id": 1, "result": text, "error": nil})
	case errHang:
		io.Copy(io.Discard, conn)
	default:
		json.NewEncoder(conn).Encode(map[string]any{"id": 1, "error": err.Error()})
	}
}

// recorded answers as that daemon did; what was not recorded it does not have.
func recorded(version, daemon string) func(method string, params []string) (string, error) {
	return func(method string, params []string) (string, error) {
		name := strings.ReplaceAll(method, "/", "_")
		for _, p := range params {
			name += "__" + p
		}
		b, err := os.ReadFile(filepath.Join("testdata", version, daemon, name+".txt"))
		if err != nil {
			return "", fmt.Errorf("%q is not a valid command (use \"list-commands\" to see a list of valid commands)\n", method)
		}
		return string(b), nil
	}
}

func source(t *testing.T, change func(*Config), sockets ...string) exporters.Source {
	t.Helper()
	cfg := Config{Cloud: "lab", Hosts: []Host{{Name: "hv1", Sockets: sockets}}, Timeout: 300 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&cfg)
	}
	all, err := Sources(cfg)
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	return all[0]
}

// collect takes one look and checks what the Runner would refuse: samples of
// undeclared families and one sample twice.
func collect(t *testing.T, s exporters.Source) (*exporters.Snapshot, error) {
	t.Helper()
	snap, err := s.Collector.Collect(t.Context())
	if snap == nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, sample := range snap.Samples {
		line := series(sample)
		if seen[line] || !slices.Contains(s.Families, sample.Family) {
			t.Errorf("twice or undeclared: %s", line)
		}
		seen[line] = true
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

func render(snap *exporters.Snapshot) string {
	var lines []string
	for _, s := range snap.Samples {
		lines = append(lines, fmt.Sprintf("%s %v", series(s), s.Value))
	}
	for _, f := range snap.Failed {
		lines = append(lines, "! "+f.Error())
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

func value(t *testing.T, snap *exporters.Snapshot, want string) float64 {
	t.Helper()
	for _, s := range snap.Samples {
		if series(s) == want {
			return s.Value
		}
	}
	t.Fatalf("no sample %s in\n%s", want, render(snap))
	return 0
}
