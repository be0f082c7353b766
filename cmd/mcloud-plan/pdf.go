package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"mcloud/planner/report"
)

// browsers are the programs that can print a page, by the names that systems give them.
var browsers = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge"}

// printTimeout bounds the printing of one page.
const printTimeout = 2 * time.Minute

// browser finds a program to print with: the one named, else one of browsers.
func browser(named string) (string, error) {
	if named != "" {
		path, err := exec.LookPath(named)
		if err != nil {
			return "", fmt.Errorf("--browser %s: %w", named, err)
		}
		return path, nil
	}
	for _, name := range browsers {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("a PDF is printed by Chromium or Chrome, and none is on this machine: install it (Debian: apt-get install chromium), name one with --browser, or write html and print that in a browser of yours")
}

// writePDF prints the page of d. The page has no script and refers to nothing, so that
// the browser opens no connection.
func writePDF(ctx context.Context, w io.Writer, d report.Document, named string) (err error) {
	program, err := browser(named)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mcloud-plan-")
	if err != nil {
		return err
	}
	defer func() {
		if gone := os.RemoveAll(dir); err == nil {
			err = gone
		}
	}()
	var page bytes.Buffer
	if err := report.WriteHTML(&page, d); err != nil {
		return err
	}
	source, target := filepath.Join(dir, "plan.html"), filepath.Join(dir, "plan.pdf")
	if err := os.WriteFile(source, page.Bytes(), 0o600); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, printTimeout)
	defer cancel()
	args := []string{"--headless", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage", "--user-data-dir=" + filepath.Join(dir, "profile"), "--no-pdf-header-footer", "--print-to-pdf=" + target, "file://" + source}
	if os.Geteuid() == 0 {
		args = append([]string{"--no-sandbox"}, args...) // Chromium refuses to start for root otherwise
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.WaitDelay = 5 * time.Second
	said, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return fmt.Errorf("%s did not print within %s", program, printTimeout)
	}
	if err != nil {
		return fmt.Errorf("%s cannot print: %w: %s", program, err, lastLine(said))
	}
	printed, err := os.ReadFile(target)
	if err != nil || !bytes.HasPrefix(printed, []byte("%PDF-")) {
		return fmt.Errorf("%s printed no PDF: %s", program, lastLine(said))
	}
	_, err = w.Write(printed)
	return err
}

func lastLine(b []byte) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return lines[len(lines)-1]
}
