// Package machine says what figures were measured on, and what a process takes of it.
package machine

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Describe is a line: processors, memory, load, version of Go.
func Describe() string {
	model := "processor"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if m := regexp.MustCompile(`(?m)^model name\s*: (.*)$`).FindSubmatch(b); m != nil {
			model = string(m[1])
		}
	}
	return fmt.Sprintf("machine: %d × %s, %s, load %s, %s", runtime.NumCPU(), model, memory("/proc/meminfo", "MemTotal"), Load(), runtime.Version())
}

// Load is the mean of the last minute, as text.
func Load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(b), " ")
	return first
}

// KiB is an amount of memory, shown in MB.
type KiB int64

func (k KiB) String() string { return fmt.Sprintf("%.0f MB", float64(k)*1024/1e6) }

// Memory is a line of a process's status, such as VmRSS or VmHWM; 0 when it is not known.
func Memory(pid int, key string) KiB { return memory(fmt.Sprintf("/proc/%d/status", pid), key) }

// memory reads a line "Key:  123 kB".
func memory(path, key string) KiB {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return KiB(n)
		}
	}
	return 0
}

// Processor is the time that this process has computed, on all cores, itself and in the
// system: what a busy machine does not stretch.
func Processor() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
