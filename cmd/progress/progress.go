// Package progress shows on a terminal what long work is at.
package progress

import (
	"fmt"
	"io"
	"os"
)

// width keeps the line from wrapping on a terminal of 80 columns.
const width = 78

// Line rewrites one line of a terminal, and writes nothing elsewhere. An empty text
// removes the line.
func Line(w io.Writer, format string, args ...any) {
	f, ok := w.(*os.File)
	if !ok {
		return
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return
	}
	text := []rune(fmt.Sprintf(format, args...))
	fmt.Fprintf(w, "\r\033[K%s", string(text[:min(len(text), width)]))
}
