package openstack_test

import (
	"context"
	"flag"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGoldenPages compares all series that recorded answers make, service by
// service, and on both sides of Nova's microversion 2.88.
func TestGoldenPages(t *testing.T) {
	for _, c := range []struct{ golden, system, nova string }{
		{"keystone", "keystone", ""},
		{"placement", "placement", ""},
		{"nova", "nova", ""},
		{"nova", "nova", "2.87"}, // the same page
		{"cinder", "cinder", ""},
		{"neutron", "neutron", ""},
		{"glance", "glance", ""},
		{"heat", "heat", ""},
	} {
		t.Run(c.golden+c.nova, func(t *testing.T) {
			t.Parallel()
			cloud, _ := newFakeCloud(t).connect(func(o *openstack.Options) {
				if c.nova != "" {
					o.MaxMicroversions = map[string]string{"nova": c.nova}
				}
			})
			got := ownSeries(look(t, valid{t}, ofSystem(cloud, c.system)...))
			file := filepath.Join("testdata", "golden", c.golden+".prom")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if c.nova != "" { // recorded a moment apart
				want, got = lastSeen.ReplaceAll(want, []byte("$1")), lastSeen.ReplaceAllString(got, "$1")
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("page differs (-want +got; go test -update rewrites %s):\n%s", file, diff)
			}
		})
	}
}

var lastSeen = regexp.MustCompile(`(?m)^(openstack_nova_service_last_seen_timestamp_seconds\{.*) .*$`)

// valid is a Recorder that expects complete and valid inventories.
type valid struct{ t *testing.T }

func (v valid) Record(_ context.Context, b mcloud.Batch) error {
	if err := b.Validate(); err != nil {
		v.t.Error(err)
	}
	for _, i := range b.Inventories {
		if i.Complete == (i.Kind == mcloud.KindServerAction) || len(i.Objects) == 0 {
			v.t.Errorf("inventory of %s: complete %v, %d objects", i.Kind, i.Complete, len(i.Objects))
		}
	}
	return nil
}

func ofSystem(c *openstack.Cloud, system string) []exporters.Source {
	var some []exporters.Source
	for _, s := range allSources(c) {
		if s.System == system {
			some = append(some, s)
		}
	}
	return some
}

// look runs the Sources for one look each and returns the page. Nova's look one
// after the other, because hosts name zones for servers and servers name what
// actions are read of.
func look(t *testing.T, r exporters.Recorder, sources ...exporters.Source) string {
	t.Helper()
	return lookFor(t, exporters.Options{Recorder: r}, sources...)
}

func lookFor(t *testing.T, opts exporters.Options, sources ...exporters.Source) string {
	t.Helper()
	before := map[string]chan struct{}{}
	for i, s := range sources {
		done, wait := make(chan struct{}), before[s.System]
		before[s.System] = done
		if s.System != "nova" {
			continue
		}
		once := sync.OnceFunc(func() { close(done) })
		sources[i].Collector = exporters.CollectorFunc(func(ctx context.Context) (*exporters.Snapshot, error) {
			defer once()
			if wait != nil {
				<-wait
			}
			return s.Collector.Collect(ctx)
		})
	}
	runner := exporters.NewRunner(opts)
	for _, s := range sources {
		if err := runner.Add(s); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	<-runner.Ready()
	w := httptest.NewRecorder()
	runner.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	return w.Body.String()
}

// ownSeries are the lines about the cloud; those about the runner, and about its
// own token, have times.
func ownSeries(page string) string {
	var b strings.Builder
	for line := range strings.Lines(page) {
		if strings.Contains(line, "openstack_") && !strings.Contains(line, "mcloud_") && !strings.HasPrefix(line, "openstack_identity_token_") {
			b.WriteString(line)
		}
	}
	return b.String()
}
