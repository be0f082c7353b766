package openstack_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
	"mcloud/exporters/openstack/barbican"
	"mcloud/exporters/openstack/cinder"
	"mcloud/exporters/openstack/designate"
	"mcloud/exporters/openstack/glance"
	"mcloud/exporters/openstack/gnocchi"
	"mcloud/exporters/openstack/heat"
	"mcloud/exporters/openstack/horizon"
	"mcloud/exporters/openstack/ironic"
	"mcloud/exporters/openstack/keystone"
	"mcloud/exporters/openstack/magnum"
	"mcloud/exporters/openstack/manila"
	"mcloud/exporters/openstack/masakari"
	"mcloud/exporters/openstack/neutron"
	"mcloud/exporters/openstack/nova"
	"mcloud/exporters/openstack/octavia"
	"mcloud/exporters/openstack/placement"
	"mcloud/exporters/openstack/swift"
	"mcloud/exporters/openstack/trove"
)

// allSources is everything that looks at one cloud.
func allSources(c *openstack.Cloud) []exporters.Source {
	sources := []exporters.Source{openstack.UpSource(c, openstack.UpConfig{})}
	sources = append(sources, keystone.Sources(c, keystone.Config{})...)
	sources = append(sources, placement.Sources(c, placement.Config{})...)
	sources = append(sources, nova.Sources(c, nova.Config{})...)
	sources = append(sources, cinder.Sources(c, cinder.Config{})...)
	sources = append(sources, neutron.Sources(c, neutron.Config{})...)
	sources = append(sources, glance.Sources(c, glance.Config{})...)
	sources = append(sources, heat.Sources(c, heat.Config{})...)
	sources = append(sources, octavia.Sources(c, octavia.Config{})...)
	sources = append(sources, barbican.Sources(c, barbican.Config{})...)
	sources = append(sources, designate.Sources(c, designate.Config{})...)
	sources = append(sources, masakari.Sources(c, masakari.Config{})...)
	sources = append(sources, horizon.Sources(c, horizon.Config{})...)
	sources = append(sources, gnocchi.Sources(c, gnocchi.Config{})...)
	sources = append(sources, ironic.Sources(c, ironic.Config{})...)
	sources = append(sources, magnum.Sources(c, magnum.Config{})...)
	sources = append(sources, manila.Sources(c, manila.Config{})...)
	sources = append(sources, swift.Sources(c, swift.Config{})...)
	sources = append(sources, trove.Sources(c, trove.Config{})...)
	return sources
}

func TestCatalogueObeysTheNamingRules(t *testing.T) {
	c, err := openstack.Connect(t.Context(), openstack.Options{CloudsFile: "testdata/clouds.yaml", Cloud: "recorded"})
	if err != nil {
		t.Fatal(err)
	}
	r := exporters.NewRunner(exporters.Options{})
	for _, s := range allSources(c) {
		if err := r.Add(s); err != nil {
			t.Error(err)
		}
	}
	for _, complaint := range exporters.Lint(exporters.List(r.Sources())) {
		t.Error(complaint)
	}
}

type memory struct {
	mu          sync.Mutex
	inventories map[mcloud.Kind]mcloud.Inventory
}

func (m *memory) Record(_ context.Context, b mcloud.Batch) error {
	if err := b.Validate(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, v := range b.Inventories {
		m.inventories[v.Kind] = v
	}
	return nil
}

func (m *memory) has(kind mcloud.Kind) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.inventories[kind].Objects) > 0
}

// TestLab looks at a running cloud. MCLOUD_LAB_CLOUDS names its clouds.yaml,
// MCLOUD_LAB_CLOUD the entry of an administrator (lab-admin if unset).
func TestLab(t *testing.T) {
	file := os.Getenv("MCLOUD_LAB_CLOUDS")
	if file == "" {
		t.Skip("MCLOUD_LAB_CLOUDS names no clouds.yaml of a running lab; make lab-up lab-seed starts one")
	}
	entry := os.Getenv("MCLOUD_LAB_CLOUD")
	if entry == "" {
		entry = "lab-admin"
	}
	for _, newest := range []string{"2.87", "2.100"} {
		t.Run("nova "+newest, func(t *testing.T) {
			c, err := openstack.Connect(t.Context(), openstack.Options{
				CloudsFile: file, Cloud: entry, Name: "lab", MaxMicroversions: map[string]string{"nova": newest},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			kept := &memory{inventories: map[mcloud.Kind]mcloud.Inventory{}}
			page := onePage(t, kept, allSources(c))
			if os.Getenv("MCLOUD_LAB_PRINT") != "" {
				t.Log("\n" + page)
			}
			for _, bad := range regexp.MustCompile(`(?m)^mcloud_source_(success|complete)\{.* 0$|^mcloud_source_errors_total.*$`).FindAllString(page, -1) {
				t.Error(bad)
			}
			for _, kind := range []mcloud.Kind{
				mcloud.KindProject, mcloud.KindHost, mcloud.KindAggregate, mcloud.KindFlavor, mcloud.KindServer, mcloud.KindServerAction,
				mcloud.KindProvider, mcloud.KindVolume, mcloud.KindVolumePool, mcloud.KindVolumeType, mcloud.KindNetworkAgent,
				mcloud.KindNetwork, mcloud.KindSubnet, mcloud.KindRouter, mcloud.KindFloatingIP, mcloud.KindLoadBalancer, mcloud.KindZone,
				mcloud.KindDomain, mcloud.KindVolumeSnapshot, mcloud.KindImage, mcloud.KindStack,
			} {
				v, ok := kept.inventories[kind]
				if !ok || len(v.Objects) == 0 || v.Complete == (kind == mcloud.KindServerAction) {
					t.Errorf("inventory of %s: there %v, complete %v, %d objects", kind, ok, v.Complete, len(v.Objects))
					continue
				}
				t.Logf("%d of %s, such as %s %s", len(v.Objects), kind, v.Objects[0].ID, v.Objects[0].Attributes)
			}
			for _, o := range kept.inventories[mcloud.KindServer].Objects {
				if o.Parent == "" && !strings.Contains(string(o.Attributes), `"ERROR"`) {
					t.Errorf("server %s has no hypervisor: %s", o.Name, o.Attributes)
				}
			}
		})
	}
}

// onePage lets every Source look and returns the page. nova_server_actions works
// off what nova_servers found, and leaves alone for a minute what has just changed,
// so that several looks of it may be needed.
func onePage(t *testing.T, kept *memory, sources []exporters.Source) string {
	t.Helper()
	for i := range sources {
		if sources[i].Name == "nova_server_actions" {
			sources[i].Period = 2 * time.Second
		}
	}
	runner := exporters.NewRunner(exporters.Options{Recorder: kept})
	for _, s := range sources {
		if err := runner.Add(s); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	select {
	case <-runner.Ready():
	case <-ctx.Done():
		t.Fatal("not every source ended its first look")
	}
	for limit := time.Now().Add(2 * time.Minute); !kept.has(mcloud.KindServerAction) && time.Now().Before(limit); {
		time.Sleep(200 * time.Millisecond)
	}
	w := httptest.NewRecorder()
	runner.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	return w.Body.String()
}

// TestLabOrdersVolumesByID: what cinder_volumes relies on to find the volumes that
// are gone. Pages are in the order of ids, and go on behind a volume that is
// there; behind one that is not, the answer is 404.
func TestLabOrdersVolumesByID(t *testing.T) {
	file := os.Getenv("MCLOUD_LAB_CLOUDS")
	if file == "" {
		t.Skip("MCLOUD_LAB_CLOUDS names no clouds.yaml of a running lab; make lab-up lab-seed starts one")
	}
	c, err := openstack.Connect(t.Context(), openstack.Options{CloudsFile: file, Cloud: "lab-exporter", Name: "lab"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	api := openstack.API{
		Name: "cinder", Types: []string{"block-storage", "volumev3"}, Version: "v3", Header: "volume",
		Min: openstack.Microversion{Major: 3, Minor: 60}, Max: openstack.Microversion{Major: 3, Minor: 60},
	}
	type volume struct {
		ID string `json:"id"`
	}
	byID := func(more url.Values) url.Values {
		more.Set("all_tenants", "1")
		more.Set("sort", "id:asc")
		return more
	}
	all, err := openstack.List[volume](t.Context(), c, api, "/volumes/detail", "volumes", byID(url.Values{"limit": {"2"}}))
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]string, len(all.Objects))
	for i, v := range all.Objects {
		ids[i] = v.ID
	}
	if len(ids) < 3 || !slices.IsSorted(ids) {
		t.Errorf("the lab's volumes in the order of their ids: %q", ids)
	}
	part, more, err := openstack.ListPart[volume](t.Context(), c, api, "/volumes/detail", "volumes", byID(url.Values{"limit": {"1"}, "marker": {ids[0]}}), 1)
	if err != nil || !more || len(part.Objects) != 1 || part.Objects[0].ID != ids[1] {
		t.Errorf("one behind %s: %+v, more %v, %v; want %s", ids[0], part.Objects, more, err, ids[1])
	}
	_, _, err = openstack.ListPart[volume](t.Context(), c, api, "/volumes/detail", "volumes", byID(url.Values{"marker": {"00000000-0000-4000-8000-000000000000"}}), 1)
	if e := (*openstack.Error)(nil); !errors.As(err, &e) || e.Code != http.StatusNotFound {
		t.Errorf("behind a volume that is not there: %v, want 404", err)
	}
}
