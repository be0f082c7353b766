package main

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// machine says what it is measured on.
func machine() string {
	model, load := "processor", "unknown"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if m := regexp.MustCompile(`(?m)^model name\s*: (.*)$`).FindSubmatch(b); m != nil {
			model = string(m[1])
		}
	}
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		load, _, _ = strings.Cut(string(b), " ")
	}
	return fmt.Sprintf("machine: %d × %s, load %s, %s", runtime.NumCPU(), model, load, runtime.Version())
}

// usage is time on the clock and of the processor, the engine's threads included: it
// runs in this process.
type usage struct{ wall, cpu time.Duration }

func (u *usage) add(v usage) { u.wall, u.cpu = u.wall+v.wall, u.cpu+v.cpu }

type moment struct {
	wall time.Time
	cpu  time.Duration
}

func now() moment { return moment{time.Now(), processor()} }

func (m moment) since() usage { return usage{time.Since(m.wall), processor() - m.cpu} }

func processor() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
