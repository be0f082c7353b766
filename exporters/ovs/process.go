package ovs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"mcloud/exporters"
)

var (
	processStart  = family("ovs_process_start_time_seconds", "seconds", gauge, base, "/proc", "When the daemon was started; a restart moves it. Absent where the daemon's /proc cannot be seen.", "daemon")
	processCPU    = family("ovs_process_cpu_seconds_total", "seconds", counter, base, "/proc", "CPU time that the daemon has used.", "daemon")
	processMemory = family("ovs_process_resident_memory_bytes", "bytes", gauge, base, "/proc", "Memory of the daemon that is resident.", "daemon")
	fileSize      = family("ovs_db_file_size_bytes", "bytes", gauge, base, "/proc", "Size of a database file that the daemon holds open; it falls when the file is compacted. Absent where the daemon's open files cannot be seen.", "daemon", "file")
	logSize       = family("ovs_log_file_size_bytes", "bytes", gauge, base, "/proc", "Size of a log file that the daemon holds open.", "daemon", "file")
	pmdSwitches   = family("ovs_pmd_context_switches_total", "", counter, inner, "/proc", "Times that a polling thread gave up its CPU (voluntary) or lost it (involuntary).", "thread", "kind")

	processFamilies = []*exporters.Family{processStart, processCPU, processMemory, fileSize, logSize, pmdSwitches}
)

const (
	clockTicks = 100 // USER_HZ, which Linux has on every platform
	maxFiles   = 16
)

// readProcess adds what /proc tells of the daemon behind the socket. What it
// does not tell, for want of rights or in another namespace, is left out.
func (r *report) readProcess(pid int, boot float64, sets func(exporters.Set) bool) {
	dir := fmt.Sprintf("/proc/%d", pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return
	}
	if p, ok := parseStat(string(stat)); ok {
		if boot > 0 {
			r.add(processStart, boot+p.startTicks/clockTicks, r.daemon)
		}
		r.add(processCPU, p.cpuTicks/clockTicks, r.daemon)
		r.add(processMemory, p.pages*float64(os.Getpagesize()), r.daemon)
	}
	// A simulated daemon is in our own process, and what is open there is ours.
	if pid != os.Getpid() {
		r.readFiles(dir)
	}
	if sets(exporters.SetPerf) {
		r.readThreadsOf(dir)
	}
}

type processStat struct{ cpuTicks, startTicks, pages float64 }

// parseStat reads proc_pid_stat(5); the program's name may hold blanks and
// parentheses.
func parseStat(text string) (p processStat, ok bool) {
	end := strings.LastIndexByte(text, ')')
	if end < 0 {
		return p, false
	}
	fields := strings.Fields(text[end+1:]) // from field 3 on
	if len(fields) < 22 {
		return p, false
	}
	user, ok1 := number(fields[11])
	system, ok2 := number(fields[12])
	start, ok3 := number(fields[19])
	pages, ok4 := number(fields[21])
	return processStat{user + system, start, pages}, ok1 && ok2 && ok3 && ok4
}

// bootTime is btime of proc_stat(5); 0 when it is not there.
func bootTime() float64 {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "btime "); ok {
			v, _ := number(rest)
			return v
		}
	}
	return 0
}

// readFiles finds databases and logs among the daemon's open files. Their sizes
// are asked through /proc, so that it works into a container.
func (r *report) readFiles(dir string) {
	links, err := filepath.Glob(dir + "/fd/*")
	if err != nil {
		return
	}
	found := 0
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil || found == maxFiles {
			continue
		}
		f := map[string]*exporters.Family{".db": fileSize, ".log": logSize}[filepath.Ext(target)]
		if f == nil {
			continue
		}
		if info, err := os.Stat(link); err == nil && info.Mode().IsRegular() {
			r.add(f, float64(info.Size()), r.daemon, filepath.Base(target))
			found++
		}
	}
}

// readThreadsOf counts context switches of the threads "pmd-c01/id:8".
func (r *report) readThreadsOf(dir string) {
	names, err := filepath.Glob(dir + "/task/*/comm")
	if err != nil {
		return
	}
	for _, path := range names {
		name, err := os.ReadFile(path)
		if err != nil || !strings.HasPrefix(string(name), "pmd") {
			continue
		}
		status, err := os.ReadFile(filepath.Join(filepath.Dir(path), "status"))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(status)) {
			key, value, _ := pair(line)
			kind := map[string]string{"voluntary_ctxt_switches": "voluntary", "nonvoluntary_ctxt_switches": "involuntary"}[key]
			if v, ok := number(value); ok && kind != "" {
				r.add(pmdSwitches, v, strings.TrimSpace(string(name)), kind)
			}
		}
	}
}
