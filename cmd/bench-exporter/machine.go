package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"mcloud/cmd/machine"
)

func (b *bench) memory(key string) machine.KiB {
	return machine.Memory(b.exporter.command.Process.Pid, key)
}

// cpu is the time a process has used the processor, in the system and itself.
func cpu(pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	const ticks = 100 // a second, on every Linux that Go runs on
	return time.Duration(user+system) * time.Second / ticks
}

func get(url string) (int, []byte, error) {
	resp, err := http.Get(url)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// tail is the end of a child's log, for an error.
func tail(dir, role string) string {
	b, err := os.ReadFile(filepath.Join(dir, role+".log"))
	if err != nil || len(b) == 0 {
		return ""
	}
	return "\nits log ends:\n" + string(b[max(0, len(b)-3000):])
}

var (
	sampleLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)`)
	labelPair  = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"`)
)

// sample reads one line of the text format.
func sample(line string) (name string, labels map[string]string, value float64, found bool) {
	m := sampleLine.FindStringSubmatch(line)
	if m == nil {
		return "", nil, 0, false
	}
	value, err := strconv.ParseFloat(m[3], 64)
	if err != nil {
		return "", nil, 0, false
	}
	labels = map[string]string{}
	for _, pair := range labelPair.FindAllStringSubmatch(m[2], -1) {
		labels[pair[1]] = pair[2]
	}
	return m[1], labels, value, true
}
