package clickhouse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/prometheus/prometheus/model/labels"

	"mcloud/collector/embedded"
)

// TestMain doubles as the store's own process: with STORE_CHILD set it serves
// the store there until it is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("STORE_CHILD"); dir != "" {
		s, err := embedded.Open(embedded.Options{Path: dir, Listen: "127.0.0.1:0"})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(s.URL())
		fmt.Fprintln(os.Stderr, s.Run(context.Background()))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

func startStore(t *testing.T, dir string) (url string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "STORE_CHILD="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() { cmd.Process.Kill(); cmd.Wait(); http.DefaultClient.CloseIdleConnections() })
	t.Cleanup(kill)
	line := make([]byte, 64)
	n, err := out.Read(line)
	if err != nil {
		t.Fatalf("the store's process: %v", err)
	}
	return string(bytes.TrimSpace(line[:n])), kill
}

// needLibrary skips a test where libchdb is not installed, but not in CI.
func needLibrary(t *testing.T) {
	t.Helper()
	if _, err := embedded.FindLibrary(""); err != nil && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
}

// A store that is killed in the middle of writing has every batch once, when
// the writer sends again what was not acknowledged.
func TestKilledStore(t *testing.T) {
	needLibrary(t)
	dir := t.TempDir()
	const perBatch = 2000
	batch := func(n int) Batch {
		b := Batch{Series: []labels.Labels{series1("a"), series1("b")}}
		for i := range perBatch {
			b.Ref, b.Time, b.Value = append(b.Ref, uint32(i%2)), append(b.Time, base+int64(n*perBatch+i)), append(b.Value, float64(i)/10)
		}
		return b
	}
	next, inDoubt := 0, 0
	for round := range 4 {
		url, kill := startStore(t, dir)
		db := dial(t, Options{URL: url, Connections: 2})
		// However slow the machine is: at some moment after the sixth batch.
		var stop *time.Timer
		for of := 0; ; of++ {
			if of == 6 {
				stop = time.AfterFunc(time.Duration(1+17*round)*time.Millisecond, kill)
			}
			err := db.WriteSamples(t.Context(), fmt.Sprint("batch ", next), batch(next))
			if errors.Is(err, ErrUnavailable) {
				inDoubt++
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			next++
		}
		if stop != nil {
			stop.Stop()
		}
		kill()
	}
	if next < 20 || inDoubt != 4 {
		t.Fatalf("%d batches, %d in doubt", next, inDoubt)
	}
	url, _ := startStore(t, dir)
	db := dial(t, Options{URL: url})
	for n := range next + 1 {
		// The last one is in doubt, and even all others may come again.
		if n < next && n%5 != 0 {
			continue
		}
		if err := db.WriteSamples(t.Context(), fmt.Sprint("batch ", n), batch(n)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := db.CountCheck(t.Context())
	if want := uint64(next+1) * perBatch; err != nil || c.Total != want || c.Duplicate != 0 {
		t.Errorf("%+v %v, want %d and none twice", c, err, want)
	}
}
