package embedded

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// forgetLoading gives back the pages of the library that loading and starting it have
// brought into the process, some 150 MB of code and constants, most of which is never
// needed again. They stay in the system's cache of the file, and come back one by one
// when they are. Only what is as in the file is given back: where the linker has put
// addresses in, pages are the process's own.
func forgetLoading(library string) error {
	library, err := filepath.EvalSymlinks(library) // as the system names it
	if err != nil {
		return err
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return err
	}
	defer f.Close()
	var of mapping
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if m, is := parseMapping(lines.Text()); is {
			of = m
			continue
		}
		// Of each mapping's fields one says how much of it is the process's own.
		if own, is := strings.CutPrefix(lines.Text(), "Anonymous:"); is && of.path == library && !of.writable && strings.TrimSpace(own) == "0 kB" {
			if _, _, errno := unix.Syscall(unix.SYS_MADVISE, of.start, of.end-of.start, unix.MADV_DONTNEED); errno != 0 {
				return fmt.Errorf("giving back pages of %s: %w", library, errno)
			}
		}
	}
	return lines.Err()
}

// mapping is a line of proc_pid_maps(5).
type mapping struct {
	start, end uintptr
	writable   bool
	path       string
}

// parseMapping reads "7f00-7f10 r-xp 00000000 fe:01 1234   /path", or the same without a
// path; a line that is not such is none.
func parseMapping(line string) (mapping, bool) {
	fields := strings.Fields(line)
	if len(fields) < 5 || len(fields[1]) != 4 {
		return mapping{}, false
	}
	from, to, ok := strings.Cut(fields[0], "-")
	start, err1 := strconv.ParseUint(from, 16, 64)
	end, err2 := strconv.ParseUint(to, 16, 64)
	if !ok || err1 != nil || err2 != nil || end <= start {
		return mapping{}, false
	}
	m := mapping{start: uintptr(start), end: uintptr(end), writable: fields[1][1] == 'w'}
	if len(fields) > 5 {
		m.path = line[strings.Index(line, fields[5]):]
	}
	return m, true
}
