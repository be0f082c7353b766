package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// machine says what it is measured on.
func machine() string {
	model := "processor"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if m := regexp.MustCompile(`(?m)^model name\s*: (.*)$`).FindSubmatch(b); m != nil {
			model = string(m[1])
		}
	}
	return fmt.Sprintf("machine: %d × %s, %s, load %s, %s", runtime.NumCPU(), model, memoryOf("/proc/meminfo", "MemTotal"), load(), runtime.Version())
}

func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(b), " ")
	return first
}

type kib int64

func (k kib) String() string { return fmt.Sprintf("%.0f MB", float64(k)*1024/1e6) }

// memoryOf reads a line "Key:  123 kB".
func memoryOf(path, key string) kib {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib(n)
		}
	}
	return 0
}

func (c *collector) memory(key string) kib {
	return memoryOf(fmt.Sprintf("/proc/%d/status", c.pid), key)
}

// cpu is the time that the demo's process has used the processor, by its threads: to the
// nanosecond, where /proc/PID/stat counts hundredths of a second. Threads that end take
// theirs away, but Go's stay. 0 for a process that is not known.
func (c *collector) cpu() (sum time.Duration) {
	if c.pid == 0 {
		return 0
	}
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", c.pid))
	for _, path := range threads {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // it has just ended
		}
		first, _, _ := strings.Cut(string(b), " ")
		n, _ := strconv.ParseInt(first, 10, 64)
		sum += time.Duration(n)
	}
	return sum
}

// progress rewrites one line of a terminal, and writes nothing elsewhere.
func progress(format string, args ...any) {
	if info, err := os.Stderr.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return
	}
	text := []rune(fmt.Sprintf(format, args...))
	fmt.Fprintf(os.Stderr, "\r\033[K%s", string(text[:min(len(text), 78)]))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

func hours(d time.Duration) string { return fmt.Sprintf("%.1f h", d.Hours()) }
