package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// agents is a fake openstack client that knows two Neutron agents; like the real one it ends with 1.
const agents = `#!/bin/sh
read -r command
[ "$command" = "network agent list -f json" ] || { echo "unexpected: $command" >&2; exit 9; }
echo '[{"Binary":"ovn-controller","Host":"cmp-a1","Alive":true},{"Binary":"ovn-controller","Host":"cmp-a2","Alive":false}]'
exit 1
`

func fakeClient(t *testing.T, script string) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "client"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

// exporterPage says that agent cmp-a2 has the given state, as of now.
func exporterPage(state int) string {
	return fmt.Sprintf(`openstack_neutron_agent_up{host="cmp-a1",binary="ovn-controller"} 1
openstack_neutron_agent_up{host="cmp-a2",binary="ovn-controller"} %d
mcloud_source_last_success_timestamp_seconds{source="neutron_agents"} %d
`, state, time.Now().Add(time.Minute).Unix())
}

// flaky is that client with an answer of its own at its first start.
func flaky(first string) string {
	return strings.Replace(agents, "#!/bin/sh\n", "#!/bin/sh\nif mkdir \"${0}.started\" 2>/dev/null; then "+first+"; fi\n", 1)
}

func TestRun(t *testing.T) {
	const last = "DIFFERS: neutron agent alive ovn-controller cmp-a2: ours 1, before 0, client's 0\n"
	for _, test := range []struct {
		name   string
		states []int // what the exporter says at each request, the last for ever
		client string
		want   error
		reads  int32
		end    string // of what is printed
	}{
		{"equal at once", []int{0}, agents, nil, 1, "2 of 2 values are equal, 0 differ\n"},
		{"equal after a refresh", []int{1, 0}, agents, nil, 2, "2 of 2 values are equal, 0 differ\n"},
		{"equal after another", []int{1, 1, 0}, agents, nil, 3, "2 of 2 values are equal, 0 differ\n"},
		{"differs for good", []int{1}, agents, errDiffers, 3, last},
		{"equal too late", []int{1, 1, 1, 0}, agents, errDiffers, 3, last},
		{"client fails", []int{0}, "#!/bin/sh\necho no such cloud >&2\nexit 1\n", errDiffers, 3, "could not be asked: openstack: fewer answers than commands: no such cloud\n"},
		{"command fails inside the client", []int{0}, "#!/bin/sh\necho no such command >&2\n", errDiffers, 3, "no such command\n"},
		{"client lists nothing", []int{0}, "#!/bin/sh\necho '[]'\n", errDiffers, 3, "is the lab up and seeded?\n"},
		{"client fails once", []int{0}, flaky("echo no route >&2; exit 1"), nil, 2, "2 of 2 values are equal, 0 differ\n"},
		{"client answers in part and fails, then ours is wrong", []int{1}, flaky(`echo '[{"Binary":"ovn-controller","Host":"cmp-a1","Alive":true}'; exit 1`), errDiffers, 3, last},
	} {
		t.Run(test.name, func(t *testing.T) {
			var reads atomic.Int32
			exporter := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				n := int(reads.Add(1))
				fmt.Fprint(w, exporterPage(test.states[min(n, len(test.states))-1]))
			}))
			defer exporter.Close()
			var out strings.Builder
			err := run(t.Context(), options{
				exporter: exporter.URL, tools: fakeClient(t, test.client),
				settle: 5 * time.Second, only: []string{"neutron"},
			}, &out)
			if !errors.Is(err, test.want) {
				t.Errorf("run ended with %v, want %v", err, test.want)
			}
			if got := reads.Load(); got != test.reads {
				t.Errorf("the exporter was read %d times, want %d", got, test.reads)
			}
			if !strings.HasSuffix(out.String(), test.end) {
				t.Errorf("printed\n%s\nwant %q last", out.String(), test.end)
			}
		})
	}
}

// Patience is time, not rounds.
func TestRunIsPatient(t *testing.T) {
	var reads atomic.Int32
	exporter := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		state := 1
		if reads.Add(1) > fewestRounds+2 {
			state = 0
		}
		fmt.Fprint(w, exporterPage(state))
	}))
	defer exporter.Close()
	err := run(t.Context(), options{exporter: exporter.URL, tools: fakeClient(t, agents), settle: 5 * time.Second, patience: time.Minute, only: []string{"neutron"}}, &strings.Builder{})
	if err != nil || reads.Load() != fewestRounds+3 {
		t.Errorf("ended after %d rounds with %v", reads.Load(), err)
	}
}

func TestRunNamesAnExporterThatIsAway(t *testing.T) {
	exporter := httptest.NewServer(http.NotFoundHandler())
	exporter.Close()
	var out strings.Builder
	err := run(t.Context(), options{exporter: exporter.URL, tools: fakeClient(t, agents), only: []string{"neutron"}}, &out)
	if !errors.Is(err, errDiffers) || !strings.Contains(out.String(), exporter.URL) || !strings.Contains(out.String(), "bin/mcloud run") {
		t.Errorf("error is %v, printed\n%s\nwant what names %s and how to start it", err, out.String(), exporter.URL)
	}
}

func TestParseRefusesAnUnknownSection(t *testing.T) {
	_, err := parse([]string{"--only", "ceph,swift"})
	if err == nil || !strings.Contains(err.Error(), `no section "swift"`) {
		t.Errorf("error is %v", err)
	}
}

func TestUnrefreshed(t *testing.T) {
	asked := time.Unix(1000, 0)
	p := pageOf(t, `
mcloud_source_last_success_timestamp_seconds{source="nova_hosts",system="nova"} 1002
mcloud_source_duration_seconds{source="nova_hosts",system="nova"} 1
mcloud_source_last_success_timestamp_seconds{source="nova_servers",system="nova"} 1002
mcloud_source_duration_seconds{source="nova_servers",system="nova"} 5
mcloud_source_last_success_timestamp_seconds{source="ceph_osd/fast",system="ceph"} 1002
mcloud_source_last_success_timestamp_seconds{source="ceph_osd/geo",system="ceph"} 990
mcloud_source_last_success_timestamp_seconds{source="ceph_pool/fast",system="ceph"} 1002
mcloud_source_last_success_timestamp_seconds{source="ceph_pool/geo",system="ceph"} 1003
`)
	got := p.unrefreshed([]string{"nova_hosts", "nova_servers", "ceph_osd", "ceph_pool", "ovn_southbound"}, asked)
	// The look at servers had begun before, one cluster's OSDs are old, and nobody looks at OVN.
	want := []string{"nova_servers", "ceph_osd", "ovn_southbound"}
	if !slices.Equal(got, want) {
		t.Errorf("unrefreshed = %v, want %v", got, want)
	}
}

// Sections that wait at the same time read the exporter once, and none is given
// a page from before the moment that it asks for.
func TestPagesAreShared(t *testing.T) {
	var reads atomic.Int32
	exporter := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reads.Add(1)
		fmt.Fprint(w, exporterPage(0))
	}))
	defer exporter.Close()
	ps := &pages{exporter: exporter.URL}
	began := time.Now()
	for i, want := range []int32{1, 1, 2} {
		moment := began
		if i == 2 {
			moment = time.Now()
		}
		if _, err := ps.since(t.Context(), moment); err != nil || reads.Load() != want {
			t.Errorf("request %d: %d reads, want %d; %v", i, reads.Load(), want, err)
		}
	}
}
