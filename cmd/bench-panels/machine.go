package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"mcloud/cmd/machine"
)

func (c *collector) memory(key string) machine.KiB { return machine.Memory(c.pid, key) }

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

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

func hours(d time.Duration) string { return fmt.Sprintf("%.1f h", d.Hours()) }
