package backend

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

type sender struct{ response *backend.CallResourceResponse }

func (s *sender) Send(r *backend.CallResourceResponse) error {
	s.response = r
	return nil
}

func call(t *testing.T, d *Datasource, path string) (int, string) {
	t.Helper()
	var s sender
	if err := d.CallResource(context.WithoutCancel(t.Context()), &backend.CallResourceRequest{Method: "GET", Path: path, URL: path}, &s); err != nil {
		t.Fatal(err)
	}
	return s.response.Status, strings.TrimSpace(string(s.response.Body))
}

func TestResources(t *testing.T) {
	d := source(t, newFake(t).URL)
	same := func(names ...string) string {
		var all []choice
		for _, n := range names {
			all = append(all, choice{n, n})
		}
		raw, _ := json.Marshal(all)
		return string(raw)
	}
	for path, want := range map[string]string{
		"names/clouds": same("test"), "names/tiers": same("nvme", "slow"), "names/zones": same("az-a", "az-b"), "names/classes": same("MEMORY_MB", "VCPU"), "names/hosts": same("cmp-a1"),
		"names/flavors":  same("m1.huge", "m1.small"),
		"names/plans":    `[{"text":"the newest","value":"latest"},{"text":"plan-1","value":"plan-1"}]`,
		"names/projects": `[{"text":"acme","value":"p1"},{"text":"beta (p2)","value":"p2"},{"text":"beta (p3)","value":"p3"}]`,
	} {
		if status, body := call(t, d, path); status != 200 || body != want {
			t.Errorf("%s: %d %s, want %s", path, status, body, want)
		}
	}
	for path, want := range map[string]struct {
		status int
		says   string
	}{
		"names/racks": {400, `"racks\" is not known; there are clouds, tiers`},
		"secrets":     {404, "there is no resource GET /secrets"},
	} {
		if status, body := call(t, d, path); status != want.status || !strings.Contains(body, want.says) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	for _, kind := range nameable {
		if status, _ := call(t, d, "names/"+kind); status != 200 {
			t.Errorf("%s is listed and answered with %d", kind, status)
		}
	}
	away := newFake(t)
	away.Close()
	if status, body := call(t, source(t, away.URL), "names/tiers"); status != 502 || !strings.Contains(body, `"message":"GET http`) {
		t.Errorf("%d %s", status, body)
	}
}

// The query editor has the lists from here: each thing in them works.
func TestChoices(t *testing.T) {
	f := newFake(t)
	d := source(t, f.URL)
	status, body := call(t, d, "choices")
	var c struct {
		Types map[string]struct{ Formats, Values []string }
		Views []string
	}
	if err := json.Unmarshal([]byte(body), &c); err != nil || status != 200 || len(c.Types) != len(types) {
		t.Fatal(status, err, body)
	}
	for name, of := range c.Types {
		for _, format := range of.Formats {
			values := of.Values
			if format != formatNumber || len(values) == 0 {
				values = []string{""}
			}
			for _, value := range values {
				raw, _ := json.Marshal(map[string]string{"queryType": name, "format": format, "value": value, "tier": map[bool]string{true: "nvme"}[name == typeForecast]})
				if r := ask(t, d, string(raw)); r.Error != nil {
					t.Errorf("%s: %v", raw, r.Error)
				}
			}
		}
	}
	if !slices.Contains(c.Views, "host") {
		t.Error(c.Views)
	}
}

// TestChoicesFile: the front end's tests compare its lists with the file.
func TestChoicesFile(t *testing.T) {
	raw, err := json.MarshalIndent(choices(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "choices", append(raw, '\n'))
}
