package asok

import (
	"bytes"
	"strconv"
	"strings"
)

// parseError returns what the daemon refused, or nil when answer is one. There
// is no code beside the body; JSON never begins with these bytes.
func parseError(answer []byte) error {
	rest, ok := bytes.CutPrefix(answer, []byte("ERROR: ("))
	if !ok {
		return nil
	}
	code, message, ok := strings.Cut(string(rest), ")")
	if !ok {
		return &DaemonError{Message: oneLine(string(rest))}
	}
	n, err := strconv.Atoi(code)
	if err != nil {
		return &DaemonError{Message: oneLine(string(rest))}
	}
	return &DaemonError{Code: n, Message: oneLine(message)}
}

func oneLine(s string) string {
	const maxBytes = 512 // enough to know what it is, no flood in the log
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxBytes {
		s = strings.ToValidUTF8(s[:maxBytes], "") + "…"
	}
	return s
}
