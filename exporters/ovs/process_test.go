package ovs

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"mcloud/exporters"
)

// A daemon's database and log are found among its open files. Of a simulated daemon, which
// is in this process, none are: they are whatever this program has open.
func TestFilesOfAProcess(t *testing.T) {
	dir := t.TempDir()
	open := func(name string, size int) *os.File {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	daemon := exec.Command("cat")
	daemon.ExtraFiles = []*os.File{open("conf.db", 4096), open("ovsdb-server.log", 100), open("other.txt", 7)}
	in, err := daemon.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = daemon.Wait() })
	// Once it says something it runs; while the kernel still loads it, it has no memory.
	if _, err := in.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	sizes := func(pid int) map[string]float64 {
		r := &report{host: "hv1", daemon: "ovsdb-server"}
		r.readProcess(pid, 1, func(exporters.Set) bool { return false })
		if memory := value(t, &r.snap, `ovs_process_resident_memory_bytes{host="hv1",daemon="ovsdb-server"}`); memory <= 0 {
			t.Errorf("%v bytes of memory", memory)
		}
		found := map[string]float64{}
		for _, s := range r.snap.Samples {
			if s.Family == fileSize || s.Family == logSize {
				found[series(s)] = s.Value
			}
		}
		return found
	}
	want := map[string]float64{
		`ovs_db_file_size_bytes{host="hv1",daemon="ovsdb-server",file="conf.db"}`:           4096,
		`ovs_log_file_size_bytes{host="hv1",daemon="ovsdb-server",file="ovsdb-server.log"}`: 100,
	}
	if got := sizes(daemon.Process.Pid); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("of a daemon %v, want %v", got, want)
	}
	if got := sizes(os.Getpid()); len(got) != 0 {
		t.Errorf("of a simulated one %v", got)
	}
}
