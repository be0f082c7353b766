package main

import (
	"fmt"
	"io"
	"os"
)

// progressWidth keeps the line from wrapping on a terminal of 80 columns.
const progressWidth = 78

// progress rewrites one line of a terminal, and writes nothing elsewhere. An
// empty text removes the line.
func progress(w io.Writer, format string, args ...any) {
	f, ok := w.(*os.File)
	if !ok {
		return
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return
	}
	text := []rune(fmt.Sprintf(format, args...))
	fmt.Fprintf(w, "\r\033[K%s", string(text[:min(len(text), progressWidth)]))
}
