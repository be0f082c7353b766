package openstack

import (
	"encoding/json"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gophercloud/gophercloud/v2"
	v3 "github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"

	"mcloud/exporters"
)

func TestTolerantTypes(t *testing.T) {
	var v struct {
		T1, T2, T3, T4 Time
		F1, F2, F3, F4 Float
		I1, I2, I3     Int
		D1, D2         ID
		B1, B2, B3     Bool
	}
	err := json.Unmarshal([]byte(`{
		"T1": "2026-11-22T06:08:29.000000", "T2": "2026-11-22T06:08:29Z", "T3": "2026-11-22 06:08:29", "T4": null,
		"F1": "4.0", "F2": 4, "F3": "infinite", "F4": null,
		"I1": "", "I2": "7", "I3": 7,
		"D1": 12, "D2": "abc",
		"B1": "true", "B2": false, "B3": null}`), &v)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 22, 6, 8, 29, 0, time.UTC)
	if !v.T1.Equal(at) || !v.T2.Equal(at) || !v.T3.Equal(at) || !v.T4.IsZero() {
		t.Errorf("times %v %v %v %v", v.T1, v.T2, v.T3, v.T4)
	}
	if v.F1 != v.F2 || v.F1.Value != 4 || v.F3.Known || v.F4.Known || v.F3.Pointer() != nil {
		t.Errorf("floats %v %v %v %v", v.F1, v.F2, v.F3, v.F4)
	}
	if v.I1 != 0 || v.I2 != 7 || v.I3 != 7 || v.D1 != "12" || v.D2 != "abc" || !v.B1 || v.B2 || v.B3 {
		t.Errorf("%+v", v)
	}
	for _, bad := range []string{`{"T1": "soon"}`, `{"F1": "many"}`, `{"F1": []}`, `{"I1": 1.5}`, `{"D1": {}}`, `{"B1": "maybe"}`} {
		if err := json.Unmarshal([]byte(bad), &v); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

func TestParseVersions(t *testing.T) {
	for _, c := range []struct{ doc, want string }{
		{`{"version": {"id": "v2.1", "version": "2.100", "min_version": "2.1"}}`, "2.1 to 2.100"},
		{`{"versions": [{"id": "v2.0", "version": "", "min_version": ""}, {"id": "v2.1", "version": "2.53", "min_version": "2.1"}]}`, "2.1 to 2.53"},
		{`{"versions": [{"id": "v1.0", "max_version": "1.39", "min_version": "1.0"}]}`, "1.0 to 1.39"},
		{`{"versions": {"values": [{"id": "v3.14"}]}}`, ""},
	} {
		ranges, err := parseVersions([]byte(c.doc))
		got := ""
		for _, r := range ranges {
			got += r.min.String() + " to " + r.max.String()
		}
		if err != nil || got != c.want {
			t.Errorf("%s: %q %v, want %q", c.doc, got, err, c.want)
		}
	}
	if (Microversion{2, 100}).Less(Microversion{2, 88}) || !(Microversion{2, 9}).Less(Microversion{2, 10}) {
		t.Error("microversions are compared as fractions")
	}
}

func TestEndpointsWithAPath(t *testing.T) {
	for _, c := range []struct{ endpoint, version, base, versioned, root string }{
		{"http://h:8774/v2.1", "v2.1", "http://h:8774/v2.1", "http://h:8774/v2.1/", "http://h:8774/"},
		{"https://api/compute/v2/abc/", "v2.1", "https://api/compute/v2.1/abc", "https://api/compute/v2.1/", "https://api/compute/"},
		{"http://h:8776/v3/abc", "v3", "http://h:8776/v3/abc", "http://h:8776/v3/", "http://h:8776/"},
		{"http://h:9696/", "v2.0", "http://h:9696/v2.0", "http://h:9696/v2.0/", "http://h:9696/"},
		{"http://h/placement/", "", "http://h/placement", "http://h/placement/", "http://h/placement/"},
		{"http://h:8778", "", "http://h:8778", "http://h:8778/", "http://h:8778/"},
		{"http://h/identity", "v3", "http://h/identity/v3", "http://h/identity/v3/", "http://h/identity/"},
	} {
		u, err := url.Parse(c.endpoint)
		if err != nil {
			t.Fatal(err)
		}
		at := withVersion(u, c.version)
		if at.String() != c.base || versionRoot(at) != c.versioned || root(at) != c.root {
			t.Errorf("%s: %s, %s, %s; want %s, %s, %s", c.endpoint, at, versionRoot(at), root(at), c.base, c.versioned, c.root)
		}
	}
}

func TestFaultMessage(t *testing.T) {
	for body, want := range map[string]string{
		`{"forbidden": {"code": 403, "message": "Policy  says\nno."}}`:             "Policy says no.",
		`{"NeutronError": {"type": "X", "message": "gone", "detail": ""}}`:         "gone",
		`{"errors": [{"status": 404, "title": "Not Found", "detail": "no such"}]}`: "no such",
		`upstream timed out`:            "upstream timed out",
		`<html>Bad Gateway</html>`:      "",
		`{"forbidden": {"code": 403, "`: "",
		``:                              "",
	} {
		if got := faultMessage([]byte(body)); got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

func TestPatienceGrowsAndIsBounded(t *testing.T) {
	wrong := exporters.WithKind(errNoURL, exporters.KindUnauthorized)
	if a, b := patience(wrong, 1), patience(wrong, 99); a != 30*time.Second || b != 10*time.Minute {
		t.Errorf("after a wrong password: %v, then %v", a, b)
	}
	if a, b := patience(errNoURL, 1), patience(errNoURL, 99); a != 2*time.Second || b != time.Minute {
		t.Errorf("after other failures: %v, then %v", a, b)
	}
}

// corpus adds each recorded answer of the lab, as the fuzzers' beginnings.
func corpus(f *testing.F, add func(answer []byte)) {
	files, err := filepath.Glob("testdata/recorded/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("no recorded answers: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var answers map[string]json.RawMessage
		if err := json.Unmarshal(text, &answers); err != nil {
			f.Fatal(err)
		}
		for _, answer := range answers {
			if len(answer) < 4<<10 {
				add(answer)
			}
		}
	}
}

// FuzzTypes decodes each of the tolerant types: what is accepted comes out the
// same when it is written and read again.
func FuzzTypes(f *testing.F) {
	for _, seed := range []string{
		`"2026-11-22T06:08:29.000000"`, `"2026-11-22 06:08:29.123456+02:00"`, `"infinite"`, `" 4.0 "`, `1e308`, `-1`, `"-1"`, `"9223372036854775807"`,
		`9223372036854775808`, `null`, `""`, `"true"`, `0`, `12`, `{}`, `[1]`, `"\u0000"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var at Time
		if json.Unmarshal(b, &at) == nil && !at.IsZero() && at.Year() < 10000 {
			again, err := json.Marshal(at.Time)
			var same Time
			if err != nil || json.Unmarshal(again, &same) != nil || !same.Equal(at.Time) || at.Location() != time.UTC {
				t.Errorf("%s: %v, then %v (%v)", b, at, same, err)
			}
		}
		var n Float
		if json.Unmarshal(b, &n) == nil && (math.IsNaN(n.Value) || math.IsInf(n.Value, 0) || !n.Known && n.Value != 0) {
			t.Errorf("%s: %+v", b, n)
		}
		var i, same Int
		if json.Unmarshal(b, &i) == nil && (json.Unmarshal([]byte(strconv.FormatInt(int64(i), 10)), &same) != nil || same != i) {
			t.Errorf("%s: %d, then %d", b, i, same)
		}
		var id ID
		_ = json.Unmarshal(b, &id)
		var v Bool
		_ = json.Unmarshal(b, &v)
	})
}

// FuzzVersions reads version documents: every range that comes out was there, and
// a microversion is read as it is written.
func FuzzVersions(f *testing.F) {
	f.Add([]byte(`{"version": {"id": "v2.1", "version": "2.100", "min_version": "2.1"}}`))
	f.Add([]byte(`{"versions": [{"id": "v1.0", "max_version": "1.39", "min_version": "1.0"}]}`))
	f.Add([]byte(`{"versions": {"values": [{"id": "v3.14"}]}}`))
	corpus(f, func(answer []byte) { f.Add(answer) })
	f.Fuzz(func(t *testing.T, body []byte) {
		ranges, err := parseVersions(body)
		if err != nil && len(ranges) > 0 {
			t.Errorf("both %v and %v", ranges, err)
		}
		for _, r := range ranges {
			for _, m := range []Microversion{r.min, r.max} {
				if again, err := ParseMicroversion(m.String()); err != nil || again != m {
					t.Errorf("%v is read again as %v (%v)", m, again, err)
				}
			}
		}
	})
}

// FuzzPaging looks for the next page in whatever an API answers: a query, never a
// host, and no page without an error when the link is broken.
func FuzzPaging(f *testing.F) {
	f.Add("servers", []byte(`{"servers": [], "servers_links": [{"rel": "next", "href": "http://x/?marker=1"}]}`))
	f.Add("zones", []byte(`{"zones": [], "links": {"next": "http://x/zones?marker=a%zz"}}`))
	f.Add("images", []byte(`{"images": [], "next": "/v2/images?marker=1"}`))
	f.Add("secrets", []byte(`{"secrets": [], "next": "http://x/secrets"}`))
	corpus(f, func(answer []byte) { f.Add("servers", answer) })
	f.Fuzz(func(t *testing.T, member string, body []byte) {
		var a Answer
		if json.Unmarshal(body, &a.Members) != nil {
			return
		}
		next, err := nextPage(&a, member)
		if err != nil && next != nil {
			t.Errorf("both %v and %v", next, err)
		}
		if _, err := url.ParseQuery(next.Encode()); err != nil {
			t.Errorf("%v cannot be asked with: %v", next, err)
		}
	})
}

// FuzzCatalog looks endpoints up in whatever Keystone says and makes the URLs that
// would be asked: the host is the endpoint's own.
func FuzzCatalog(f *testing.F) {
	f.Add([]byte(`[{"type": "compute", "endpoints": [{"interface": "public", "region_id": "R", "url": "http://h/compute/v2/p/"}]}]`), "v2.1")
	f.Add([]byte(`[{"type": "network", "endpoints": [{"interface": "public", "region": "R", "url": "//h//v2.0//"}, {"interface": "public", "region_id": "S", "url": ":"}]}]`), "v2.0")
	f.Add([]byte(`[{"type": "placement", "endpoints": null}, {}]`), "")
	c := &Cloud{name: "x", creds: newCredentialFile(Options{}, credentials{file: "clouds.yaml", where: gophercloud.EndpointOpts{Availability: gophercloud.AvailabilityPublic}})}
	f.Fuzz(func(t *testing.T, body []byte, version string) {
		var catalog []v3.CatalogEntry
		if json.Unmarshal(body, &catalog) != nil {
			return
		}
		for name, types := range catalogued(catalog) {
			at, err := c.endpoint(catalog, types)
			if err != nil {
				continue
			}
			u, err := url.Parse(at)
			if err != nil || u.Host == "" {
				continue // negotiate refuses it
			}
			for _, made := range []string{withVersion(u, version).String(), versionRoot(u), root(u)} {
				if back, err := url.Parse(made); err != nil || back.Host != u.Host {
					t.Errorf("%s at %q makes %q (%v)", name, at, made, err)
				}
			}
		}
	})
}

// FuzzFaultMessage reads error answers: a short line of text, whatever came.
func FuzzFaultMessage(f *testing.F) {
	for _, seed := range []string{
		`{"forbidden": {"code": 403, "message": "Policy  says\nno."}}`, `{"errors": [{"status": 404, "title": "Not Found", "detail": "no such"}]}`,
		`upstream timed out`, `<html>Bad Gateway</html>`, "\xff\xfe", `"` + strings.Repeat("é", 400) + `"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m := faultMessage(body)
		if len(m) > maxMessage+len("…") || strings.ContainsAny(m, "\n\r\t") || utf8.Valid(body) && !utf8.ValidString(m) {
			t.Errorf("%q of %q", m, body)
		}
	})
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"versions": {"values": [{"id": "v3.14", "version": "3.1"}]}, "servers": [{"id": 1}, 2], "servers_links": [{"rel": "next", "href": "http://x/?marker=1"}], "links": {"next": null}}`))
	f.Add([]byte(`{"version": null, "servers": [{"size": "unknown", "created": "2026-11-22T06:08:29Z"}]}`))
	f.Add([]byte(`{"errors": [[[[[[{"detail": "x"}]]]]]]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _ = parseVersions(body)
		if m := faultMessage(body); !utf8.ValidString(m) && utf8.Valid(body) || len(m) > maxMessage+len("…") {
			t.Errorf("message %q", m)
		}
		var a Answer
		if json.Unmarshal(body, &a.Members) != nil {
			return
		}
		_, _ = nextPage(&a, "servers")
		var l Listing[struct {
			ID      ID    `json:"id"`
			Size    Float `json:"size"`
			Count   Int   `json:"count"`
			Created Time  `json:"created"`
			On      Bool  `json:"on"`
		}]
		raws, err := answered{Answer: &a}.list(API{}, "servers")
		if err != nil && len(raws) > 0 {
			t.Errorf("%d objects with %v", len(raws), err)
		}
		l.take(raws, "servers", nil)
		if len(l.Objects)+len(l.Failed) != len(raws) {
			t.Errorf("%d objects and %d failed of %d", len(l.Objects), len(l.Failed), len(raws))
		}
		for _, e := range l.Failed {
			if !strings.HasPrefix(e.Object, "server ") {
				t.Errorf("object %q", e.Object)
			}
		}
	})
}

// A panic in the call that runs ahead is an error of the list: nobody above its
// goroutine would catch it.
func TestPanicAheadIsAnError(t *testing.T) {
	var nobody *Cloud
	if got := <-nobody.getAhead(t.Context(), API{Name: "nova"}, "/servers", nil); exporters.KindOf(got.err) != exporters.KindPanic {
		t.Errorf("error %v", got.err)
	}
}
