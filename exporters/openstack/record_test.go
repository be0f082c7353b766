package openstack_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"gopkg.in/yaml.v2"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var record = flag.String("record", "", "record the lab's answers to the sources of this service into testdata/recorded (needs MCLOUD_LAB_CLOUDS)")

// recorder stands between an exporter and a cloud and keeps what the cloud's
// services answer. It hands out a catalogue in which every service is reached
// through itself, under /NAME/.
type recorder struct {
	*httptest.Server
	mu      sync.Mutex
	targets map[string]string                     // service → origin of its endpoint
	answers map[string]map[string]json.RawMessage // service → key of a fakeCloud → answer
	paths   map[string]string                     // service → path of its endpoint
	full    bool                                  // hide what Placement says of all providers at once
}

// TestRecord is run by hand:
//
//	MCLOUD_LAB_CLOUDS=$PWD/deploy/lab/clouds.yaml go test ./exporters/openstack -run TestRecord -record glance
//
// It replaces ids by hashes of them; names stay, since what a lab calls its things is
// no secret. Record keystone together with a service that asks by project.
func TestRecord(t *testing.T) {
	if *record == "" {
		t.Skip("-record names no service; the answers in testdata are recorded by hand")
	}
	file := os.Getenv("MCLOUD_LAB_CLOUDS")
	r := &recorder{targets: map[string]string{}, answers: map[string]map[string]json.RawMessage{}, paths: map[string]string{}}
	r.Server = httptest.NewServer(r)
	defer r.Close()
	clouds := r.clouds(t, file)
	for _, oldest := range []map[string]string{nil, {"nova": "2.87"}} {
		if oldest != nil && *record != "nova" {
			continue
		}
		cloud, err := openstack.Connect(t.Context(), openstack.Options{CloudsFile: clouds, Cloud: "lab-admin", Name: "lab", MaxMicroversions: oldest})
		if err != nil {
			t.Fatal(err)
		}
		sources := ofSystem(cloud, *record)
		lookFor(t, exporters.Options{Sets: []exporters.Set{exporters.SetObjects}}, sources...)
		for _, s := range sources { // a second look asks otherwise: for what changed
			if _, err := collect(t, s); err != nil {
				t.Errorf("%s: %v", s.Name, err)
			}
		}
		cloud.Close()
	}
	if *record == "placement" { // once more as if no provider had room, for what is asked of each then
		r.full = true
		cloud, err := openstack.Connect(t.Context(), openstack.Options{CloudsFile: clouds, Cloud: "lab-admin", Name: "lab"})
		if err != nil {
			t.Fatal(err)
		}
		sources := ofSystem(cloud, *record)
		for range 9 { // one provider's allocations more at each
			if _, err := collect(t, sources[0]); err != nil {
				t.Error(err)
			}
		}
		cloud.Close()
	}

	out := filepath.Join("testdata", "recorded", *record+".json")
	answers := r.answers[*record]
	if *record == "keystone" {
		delete(answers, "/auth/tokens")
	}
	var before map[string]json.RawMessage
	if text, err := os.ReadFile(out); err == nil && json.Unmarshal(text, &before) == nil {
		if _, ok := answers["version document"]; !ok {
			answers["version document"] = before["version document"]
		}
	}
	var text bytes.Buffer
	text.WriteString("{\n")
	keys := slices.Sorted(maps.Keys(answers))
	for i, key := range keys {
		name, _ := json.Marshal(key)
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, answers[key], " ", " "); err != nil {
			t.Errorf("%s: %v", key, err)
			continue
		}
		fmt.Fprintf(&text, " %s: %s", name, pretty.Bytes())
		if i < len(keys)-1 {
			text.WriteByte(',')
		}
		text.WriteByte('\n')
	}
	text.WriteString("}\n")
	if err := os.WriteFile(out, anonymous(text.Bytes()), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d answers in %s: read it before you keep it", len(answers), out)
}

// clouds writes the lab's clouds.yaml with Keystone behind the recorder.
func (r *recorder) clouds(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var listed struct {
		Clouds map[string]struct {
			Auth map[string]string `yaml:"auth"`
		} `yaml:"clouds"`
	}
	if err := yaml.Unmarshal(text, &listed); err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(listed.Clouds["lab-admin"].Auth["auth_url"])
	if err != nil {
		t.Fatal(err)
	}
	r.targets["keystone"], r.paths["keystone"] = at.Scheme+"://"+at.Host, "/v3"
	out := filepath.Join(t.TempDir(), "clouds.yaml")
	moved := strings.ReplaceAll(string(text), at.Scheme+"://"+at.Host, r.URL+"/keystone")
	if err := os.WriteFile(out, []byte(moved), 0o600); err != nil {
		t.Fatal(err)
	}
	return out
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	service, rest, _ := strings.Cut(strings.TrimPrefix(req.URL.Path, "/"), "/")
	r.mu.Lock()
	target, base := r.targets[service], r.paths[service]
	r.mu.Unlock()
	at, err := url.Parse(target)
	if err != nil || target == "" {
		http.NotFound(w, req)
		return
	}
	if r.full && strings.HasSuffix(rest, "allocation_candidates") {
		_, _ = io.WriteString(w, `{"allocation_requests": [], "provider_summaries": {}}`)
		return
	}
	if r.full && req.URL.Query().Has("member_of") {
		http.NotFound(w, req)
		return
	}
	req.URL.Path, req.Header["Accept-Encoding"] = "/"+rest, nil
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(at) },
		ModifyResponse: func(resp *http.Response) error {
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				return err
			}
			if service == "keystone" && strings.HasSuffix(rest, "auth/tokens") {
				body = r.moved(body)
			}
			if json.Valid(body) && resp.StatusCode < 400 && req.Method == http.MethodGet {
				kept := body
				if service == "swift" {
					kept = withHeaders(resp.Header, body)
				}
				r.keep(service, base, req, kept)
			}
			resp.Body = io.NopCloser(bytes.NewReader(body))
			resp.ContentLength = int64(len(body))
			resp.Header.Set("Content-Length", fmt.Sprint(len(body)))
			return nil
		},
	}
	proxy.ServeHTTP(w, req)
}

// withHeaders keeps what Swift says of an account in headers beside the body.
func withHeaders(h http.Header, body []byte) []byte {
	headers := map[string]string{}
	for name := range h {
		if strings.HasPrefix(name, "X-Account-") {
			headers[name] = h.Get(name)
		}
	}
	text, err := json.Marshal(map[string]any{"headers": headers, "body": json.RawMessage(body)})
	if err != nil {
		panic(err)
	}
	return text
}

var inPath = regexp.MustCompile(`^v\d+(\.\d+)?$`)

// keep stores an answer under the key that fakeCloud looks it up by.
func (r *recorder) keep(service, base string, req *http.Request, body []byte) {
	key, ok := strings.CutPrefix(req.URL.Path, strings.TrimSuffix(base, "/")+"/")
	segments := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	last := segments[len(segments)-1]
	switch {
	case last == "" || inPath.MatchString(last):
		key = "version document"
	case !ok: // the endpoint had no version, the call has
		at := slices.IndexFunc(segments, inPath.MatchString)
		key = "/" + strings.Join(segments[at+1:], "/")
	default:
		if segments := strings.Split(key, "/"); inPath.MatchString(segments[0]) {
			key = strings.Join(segments[1:], "/")
		}
		key = "/" + key
	}
	query := withoutTime(req.URL.Query())
	if key != "version document" {
		if len(query) > 0 {
			key += "?" + query.Encode()
		}
		key += askedVersion(req)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answers[service] == nil {
		r.answers[service] = map[string]json.RawMessage{}
	}
	if before := r.answers[service][key]; query.Has("changes-since") && len(before) > len(body) {
		return // the first look asks for more than what changed a moment ago
	}
	r.answers[service][key] = body
}

// alsoCatalogued adds the services that MCLOUD_RECORD_ALSO names to a catalogue, or
// puts them in the place of those that it has, so that what runs beside the lab can
// be recorded without changing the lab's: "baremetal=http://127.0.0.1:16385,…".
func alsoCatalogued(catalog []any) []any {
	for entry := range strings.SplitSeq(os.Getenv("MCLOUD_RECORD_ALSO"), ",") {
		kind, at, ok := strings.Cut(entry, "=")
		if !ok {
			continue
		}
		catalog = slices.DeleteFunc(catalog, func(e any) bool { return e.(map[string]any)["type"] == kind })
		catalog = append(catalog, map[string]any{"type": kind, "name": kind, "endpoints": []any{
			map[string]any{"interface": "public", "region_id": "RegionOne", "region": "RegionOne", "url": at},
		}})
	}
	return catalog
}

// moved rewrites the catalogue so that every endpoint leads through here.
func (r *recorder) moved(body []byte) []byte {
	var answer map[string]map[string]any
	if json.Unmarshal(body, &answer) != nil {
		return body
	}
	catalog, _ := answer["token"]["catalog"].([]any)
	catalog = alsoCatalogued(catalog)
	answer["token"]["catalog"] = catalog
	for _, entry := range catalog {
		entry := entry.(map[string]any)
		name := map[string]string{
			"identity": "keystone", "compute": "nova", "network": "neutron", "image": "glance", "volumev3": "cinder", "block-storage": "cinder",
			"orchestration": "heat", "metric": "gnocchi", "baremetal": "ironic", "container-infra": "magnum", "sharev2": "manila", "object-store": "swift", "database": "trove", "load-balancer": "octavia", "key-manager": "barbican", "dns": "designate", "instance-ha": "masakari",
		}[entry["type"].(string)]
		if name == "" {
			name = entry["type"].(string)
		}
		for _, e := range entry["endpoints"].([]any) {
			e := e.(map[string]any)
			at, err := url.Parse(e["url"].(string))
			if err != nil {
				continue
			}
			r.mu.Lock()
			r.targets[name], r.paths[name] = at.Scheme+"://"+at.Host, at.Path
			r.mu.Unlock()
			e["url"] = r.URL + "/" + name + at.Path
		}
	}
	moved, err := json.Marshal(answer)
	if err != nil {
		return body
	}
	return moved
}

var (
	ids36  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	ids32  = regexp.MustCompile(`(\b|AUTH_)[0-9a-f]{32}\b`)
	script = regexp.MustCompile(`"OS-EXT-SRV-ATTR:user_data": "[^"]+"`)
	origin = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)
)

// anonymous replaces ids by a hash of them, so that the services' files, recorded
// from the same lab, still speak of the same projects.
func anonymous(text []byte) []byte {
	digits := func(id []byte) string {
		sum := sha256.Sum256(id)
		return hex.EncodeToString(sum[:16])
	}
	text = ids36.ReplaceAllFunc(text, func(id []byte) []byte {
		h := digits(id)
		return []byte(h[:8] + "-0000-4000-8000-" + h[8:20])
	})
	text = ids32.ReplaceAllFunc(text, func(id []byte) []byte {
		id, account := bytes.CutPrefix(id, []byte("AUTH_"))
		if account {
			return []byte("AUTH_" + digits(id))
		}
		return []byte(digits(id))
	})
	text = script.ReplaceAll(text, []byte(`"OS-EXT-SRV-ATTR:user_data": "cmVkYWN0ZWQ="`))
	return origin.ReplaceAll(text, []byte("http://api.example.org"))
}
