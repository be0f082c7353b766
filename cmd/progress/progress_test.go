package progress

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// Where nobody looks on, as in a file or a pipe, nothing is written between the results.
func TestLineIsForTerminals(t *testing.T) {
	var buffer bytes.Buffer
	Line(&buffer, "%d of %d", 1, 2)
	path := filepath.Join(t.TempDir(), "log")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	Line(f, "%d of %d", 1, 2)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || len(b)+buffer.Len() > 0 {
		t.Errorf("a file has %q, a buffer %q, error %v", b, &buffer, err)
	}
}
