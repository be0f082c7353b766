package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcloud/planner/report"
)

// fakeBrowser is a program that does what script says.
func fakeBrowser(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "browser")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNoBrowserSaysWhatToDo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := writePDF(context.Background(), &bytes.Buffer{}, report.Document{}, "")
	if err == nil || !strings.Contains(err.Error(), "none is on this machine: install it") {
		t.Errorf("error %v", err)
	}
}

func TestPDFIsWhatTheBrowserPrints(t *testing.T) {
	print := `for a in "$@"; do case "$a" in --print-to-pdf=*) target="${a#--print-to-pdf=}";; file://*) source="${a#file://}";; esac; done
(echo %PDF-1.4; grep -o "Order nothing" "$source") > "$target"`
	var b bytes.Buffer
	if err := writePDF(context.Background(), &b, report.Document{Headline: "Order nothing"}, fakeBrowser(t, print)); err != nil || b.String() != "%PDF-1.4\nOrder nothing\n" {
		t.Errorf("error %v, printed %q", err, &b)
	}
}

func TestABrowserThatFailsIsQuoted(t *testing.T) {
	for script, want := range map[string]string{
		"echo starting; echo no display >&2; exit 3": "cannot print: exit status 3: no display",
		"echo I did nothing":                         "printed no PDF: I did nothing",
	} {
		var b bytes.Buffer
		if err := writePDF(context.Background(), &b, report.Document{}, fakeBrowser(t, script)); err == nil || !strings.Contains(err.Error(), want) || b.Len() > 0 {
			t.Errorf("error %v, want %q; wrote %d bytes", err, want, b.Len())
		}
	}
}
