package machine

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

func TestDescribe(t *testing.T) {
	if got := Describe(); !regexp.MustCompile(`^machine: \d+ × .+, [1-9]\d* MB, load \d+\.\d\d, go1\.`).MatchString(got) {
		t.Error(got)
	}
}

func TestMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "status")
	if err := os.WriteFile(path, []byte("VmRSSx:\t1 kB\nVmHWM:\t  2000 kB\nVmRSS:\t  1500 kB\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]KiB{"VmRSS": 1500, "VmHWM": 2000, "VmSwap": 0} {
		if got := memory(path, key); got != want {
			t.Errorf("%s is %d, want %d", key, got, want)
		}
	}
	if got := KiB(1500).String(); got != "2 MB" {
		t.Error(got)
	}
	if got := Memory(os.Getpid(), "VmRSS"); got < 1000 {
		t.Errorf("this process has %s", got)
	}
}

func TestProcessor(t *testing.T) {
	before := Processor()
	for end := time.Now().Add(time.Second); Processor() == before; {
		if time.Now().After(end) {
			t.Fatal("a second of work took no time of the processor")
		}
	}
}
