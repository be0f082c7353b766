package parts

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"mcloud/cmd/config"
	"mcloud/deploy/freeport"
)

// freeAddress is one that nothing listens on now.
func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// page is what an exporter serves now; "" when it does not answer.
func page(address string) string {
	client := http.Client{Timeout: 2 * time.Second}
	resp, err := client.Get("http://" + address + "/metrics")
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return string(text)
}

func waitForPage(t *testing.T, address, want string) {
	t.Helper()
	for range 1000 {
		if strings.Contains(page(address), want) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("the exporter on %s does not serve %q within 20 s; it serves:\n%s", address, want, page(address))
}

// TestPairOfExporters starts two exporters of one cloud: one looks, the other
// takes over when the first is gone, and gives its place to nobody when it is back.
func TestPairOfExporters(t *testing.T) {
	addresses := []string{freeAddress(t), freeAddress(t)}
	start := func(i int) (stop func()) {
		f, err := config.Parse("/tmp/mcloud.yaml", fmt.Appendf(nil, `
cloud: lab
data_dir: %s
openstack: {clouds_file: /nowhere/clouds.yaml, cloud: lab}
exporter:
  listen: %s
  pair: {peer: "http://%s", preferred: %v, takeover: 500ms}
`, t.TempDir(), addresses[i], addresses[1-i], i == 0))
		if err != nil {
			t.Fatal(err)
		}
		part, err := Exporter(f, Librados, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() {
			if err := part.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		stop = sync.OnceFunc(func() { cancel(); running.Wait() })
		t.Cleanup(stop)
		return stop
	}
	const looks = `mcloud_source_success{source="openstack"`
	stop := start(0)
	start(1)
	waitForPage(t, addresses[0], "mcloud_exporter_active 1")
	waitForPage(t, addresses[0], looks)
	waitForPage(t, addresses[1], "mcloud_exporter_active 0")
	if text := page(addresses[1]); strings.Contains(text, "mcloud_source_") || !strings.Contains(text, "mcloud_spool_") {
		t.Errorf("the one that stands by serves sources, or not its spool:\n%s", text)
	}
	stop()
	waitForPage(t, addresses[1], "mcloud_exporter_active 1")
	waitForPage(t, addresses[1], looks)
	start(0)
	waitForPage(t, addresses[0], "mcloud_exporter_peer_up 1")
	waitForPage(t, addresses[0], "mcloud_exporter_active 0")
	if text := page(addresses[1]); !strings.Contains(text, "mcloud_exporter_active 1") {
		t.Errorf("the one that took over gave up its place:\n%s", text)
	}
}
