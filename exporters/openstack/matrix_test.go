package openstack_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// The fault matrix: each API broken in each way, for each of which the rest of
// the cloud stays on the page, the fault is told once, nothing becomes a false
// zero, memory stays bounded, and everything is back within one period.

// fault is one way for an API to be broken.
type fault struct {
	name string
	// breaks answers a call of the broken API; false leaves it to the recording.
	breaks func(c *matrixCase, w http.ResponseWriter, r *http.Request, call string) bool
	// heals says that the client cures it by itself: nothing may be missing.
	heals bool
	// legal says that the answer may be true, so that a zero is one.
	legal bool
}

func status(code int, header, value string) func(*matrixCase, http.ResponseWriter, *http.Request, string) bool {
	return func(_ *matrixCase, w http.ResponseWriter, _ *http.Request, _ string) bool {
		if header != "" {
			w.Header().Set(header, value)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = fmt.Fprintf(w, `{"error": {"code": %d, "message": "It is broken."}}`, code)
		return true
	}
}

var faults = []fault{
	{name: "latency 30 s", breaks: func(_ *matrixCase, _ http.ResponseWriter, r *http.Request, _ string) bool {
		_, _ = io.Copy(io.Discard, r.Body) // or the server would not notice that the client goes
		select {
		case <-time.After(30*time.Second + time.Millisecond): // the client's patience is 30 s
			return false
		case <-r.Context().Done():
			return true
		}
	}},
	{name: "hang", breaks: func(_ *matrixCase, _ http.ResponseWriter, r *http.Request, _ string) bool {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		return true
	}},
	{name: "reset", breaks: func(c *matrixCase, w http.ResponseWriter, _ *http.Request, _ string) bool {
		reset(c.t, w)
		return true
	}},
	{name: "401 once", heals: true, breaks: func(c *matrixCase, w http.ResponseWriter, r *http.Request, call string) bool {
		if r.Method == http.MethodPost || c.refused.Swap(true) {
			return false
		}
		c.cloud.revoke()
		return status(401, "", "")(c, w, r, call)
	}},
	{name: "401 always", breaks: status(401, "", "")},
	{name: "403", breaks: status(403, "", "")},
	{name: "404", breaks: status(404, "", "")},
	{name: "429 with Retry-After", breaks: status(429, "Retry-After", "10")},
	{name: "500", breaks: status(500, "", "")},
	{name: "503", breaks: status(503, "", "")},
	{name: "truncated JSON", breaks: func(c *matrixCase, w http.ResponseWriter, r *http.Request, _ string) bool {
		answer := c.recorded(r)
		if c.api == "swift" {
			answer = accountHeaders(w.Header(), answer)
		}
		_, _ = w.Write(answer[:len(answer)*2/3])
		return true
	}},
	{name: "wrong types", breaks: func(c *matrixCase, w http.ResponseWriter, r *http.Request, _ string) bool {
		return c.changed(w, r, wrongTypes)
	}},
	{name: "empty list", legal: true, breaks: func(c *matrixCase, w http.ResponseWriter, r *http.Request, _ string) bool {
		return c.changed(w, r, emptied)
	}},
	{name: "endless paging", breaks: func(c *matrixCase, w http.ResponseWriter, r *http.Request, _ string) bool {
		time.Sleep(500 * time.Millisecond)
		return c.changed(w, r, func(member string, v any, m map[string]any) any {
			list, ok := v.([]any)
			if !ok {
				return v
			}
			query := r.URL.Query()
			if m == nil { // without links: a full page always
				limit, _ := strconv.Atoi(query.Get("limit"))
				return slices.Repeat(list[:min(1, len(list))], max(1, limit))
			}
			n, _ := strconv.Atoi(query.Get("marker"))
			query.Set("marker", strconv.Itoa(n+1))
			href := "http://elsewhere" + r.URL.Path + "?" + query.Encode()
			m[member+"_links"] = []any{map[string]any{"rel": "next", "href": href}}
			m["links"], m["next"] = map[string]any{"next": href}, href
			return list[:min(1, len(list))]
		})
	}},
	{name: "200 MB answer", breaks: func(_ *matrixCase, w http.ResponseWriter, _ *http.Request, _ string) bool {
		giant(w, 200<<20)
		return true
	}},
}

// giant writes that much JSON, until nobody wants more.
func giant(w io.Writer, size int) {
	chunk := bytes.Repeat([]byte(`{"id": "0123456789"}, `), 3000)
	if _, err := io.WriteString(w, `{"giants": [`); err != nil {
		return
	}
	for size > 0 {
		n, err := w.Write(chunk)
		if err != nil {
			return
		}
		size -= n
	}
}

// wrongTypes makes an object of everything that is a number, a text or a truth.
func wrongTypes(_ string, v any, _ map[string]any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = wrongTypes("", v[i], nil)
		}
		return v
	case map[string]any:
		for key := range v {
			v[key] = wrongTypes("", v[key], nil)
		}
		return v
	case nil:
		return nil
	}
	return map[string]any{"wrong": true}
}

// emptied has nothing in its lists.
func emptied(_ string, v any, _ map[string]any) any {
	if _, ok := v.([]any); ok {
		return []any{}
	}
	return v
}

// matrixPeriod is that of all Sources in the matrix.
const matrixPeriod = time.Minute

type matrixCase struct {
	t       *testing.T
	api     string
	fault   fault
	cloud   *fakeCloud
	refused once
	runner  *exporters.Runner
}

type once struct {
	mu sync.Mutex
	on bool
}

func (f *once) Swap(on bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.on
	f.on = on
	return was
}

// recorded is what the API says when it is well; {} to what was not recorded.
func (c *matrixCase) recorded(r *http.Request) []byte {
	_, service, key := c.cloud.name(r)
	if answer, ok := c.cloud.recorded[service][key]; ok {
		return answer
	}
	query := r.URL.Query() // a further page
	query.Del("marker")
	query.Del("offset")
	r2 := r.Clone(r.Context())
	r2.URL.RawQuery = query.Encode()
	_, service, key = c.cloud.name(r2)
	if answer, ok := c.cloud.recorded[service][key]; ok {
		return answer
	}
	return []byte(`{}`)
}

// changed answers with the recording, its members changed; of an array, the whole.
// Logins and version documents are left as they are, or nothing would get to the
// lists.
func (c *matrixCase) changed(w http.ResponseWriter, r *http.Request, change func(member string, v any, m map[string]any) any) bool {
	_, service, key := c.cloud.name(r)
	if r.Method == http.MethodPost || key == "version document" || key == "all versions" || key == "" {
		return false
	}
	var answer any
	if err := json.Unmarshal(c.recorded(r), &answer); err != nil {
		c.t.Error(err)
	}
	if m, ok := answer.(map[string]any); ok && service == "swift" {
		answer = m["body"]
		headers, _ := change("headers", m["headers"], nil).(map[string]any)
		for name, value := range headers {
			w.Header().Set(name, fmt.Sprint(value))
		}
	}
	switch a := answer.(type) {
	case []any:
		answer = change("", a, nil)
	case map[string]any:
		for _, member := range slices.Collect(maps.Keys(a)) {
			a[member] = change(member, a[member], a)
		}
	}
	_ = json.NewEncoder(w).Encode(answer)
	return true
}

func TestFaultMatrix(t *testing.T) {
	systems := map[string]bool{}
	c, err := openstack.Connect(t.Context(), openstack.Options{CloudsFile: "testdata/clouds.yaml", Cloud: "recorded"})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range allSources(c) {
		systems[s.System] = true
	}
	for api := range endpoints {
		if !systems[api] {
			continue // nothing looks at it
		}
		for _, f := range faults {
			t.Run(api+"/"+f.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { (&matrixCase{t: t, api: api, fault: f}).run() })
			})
		}
	}
}

// watches says whether a Source is one of the case's: all of those that share the
// broken API, and of the others a third, another at the next fault, so that each is
// beside each API in five faults.
func (c *matrixCase) watches(system string, i int) bool {
	if system == c.api || c.api == "keystone" || system == "keystone" {
		return true
	}
	at := slices.IndexFunc(faults, func(f fault) bool { return f.name == c.fault.name })
	return i == 0 || i%3 == at%3
}

func (c *matrixCase) run() {
	t := c.t
	// The recordings' times are of that day; a bubble's clock begins in 2000.
	time.Sleep(time.Until(time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)))
	var network *pipes
	c.cloud, network = newPipedCloud(t)
	cloud, _ := c.cloud.connect(func(o *openstack.Options) { o.MaxAnswerBytes = 2 << 20 })
	cloud.Through(network.dial)
	log := &lines{}
	c.runner = exporters.NewRunner(exporters.Options{Logger: slog.New(slog.NewTextHandler(log, nil)), Sets: []exporters.Set{exporters.SetObjects}})
	owner, sources := map[string]string{}, 0
	for i, s := range allSources(cloud) {
		if !c.watches(s.System, i) {
			continue
		}
		s.Period, s.Timeout, s.MaxAge = matrixPeriod, min(s.Timeout, matrixPeriod-10*time.Second), 0
		if err := c.runner.Add(s); err != nil {
			t.Fatal(err)
		}
		for _, f := range s.Families {
			owner[f.Name] = s.System
		}
		if s.System == c.api {
			sources++
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.runner.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	time.Sleep(matrixPeriod * 3 / 2)
	well := c.page()
	time.Sleep(matrixPeriod)
	again := c.page()
	if len(well) < 50 {
		t.Fatalf("%d series of a cloud that is well", len(well))
	}
	maps.DeleteFunc(well, func(series string, v float64) bool {
		return again[series] != v || strings.HasPrefix(series, "openstack_identity_token") // response times, our own logins
	})
	before := log.take()

	c.cloud.inject(func(w http.ResponseWriter, r *http.Request, call string) bool {
		return strings.HasPrefix(call, c.api+" ") && c.fault.breaks(c, w, r, call)
	})
	// Until after the third look since, when what is too old has gone.
	time.Sleep(matrixPeriod * 9 / 2)
	broken, self, said := c.page(), c.self(), log.take()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	c.cloud.inject(func(w http.ResponseWriter, r *http.Request, call string) bool {
		query := r.URL.Query()
		further := strings.HasPrefix(call, c.api+" ") && (query.Get("marker") != "" || c.api == "manila" && query.Get("offset") != "") // of an endless list
		if further {
			_, _ = w.Write(c.recorded(r))
		}
		return further
	})
	pause := matrixPeriod*11/10 + 10*time.Second // the jitter of a period, and the look
	if c.api == "keystone" && c.fault.name == "401 always" {
		pause += 5 * time.Minute // a refused login is not tried often, for the account's sake
	}
	time.Sleep(pause)
	recovered := c.page()

	for series, value := range well {
		family, _, _ := strings.Cut(series, "{")
		if strings.HasPrefix(family, "openstack_api_") && strings.Contains(series, `service="`+c.api+`"`) {
			continue // up may be 0 now, that is what it is for
		}
		other := owner[family] != c.api
		got, there := broken[series]
		switch {
		case other && !there:
			t.Errorf("%s of another system is gone", series)
		case other && got != value, there && got == 0 && value != 0 && !c.fault.legal:
			t.Errorf("%s is %v, was %v", series, got, value)
		case c.fault.heals && !there:
			t.Errorf("%s is gone although the client can cure it", series)
		}
		if got, there := recovered[series]; !there || got != value {
			t.Errorf("%s was %v before, and one period after the fault it is %v (there: %v)", series, value, got, there)
		}
	}
	for series, value := range broken {
		family, _, _ := strings.Cut(series, "{")
		if _, known := well[series]; !known && value == 0 && family != "openstack_api_up" && !c.fault.legal && again[series] == 0 {
			if _, known := again[series]; !known {
				t.Errorf("%s is a new series with value 0", series)
			}
		}
	}
	if len(before) > 0 {
		t.Errorf("complaints about a cloud that is well: %q", before)
	}
	c.told(self, said, sources)
	if memory.HeapAlloc > 1<<30 {
		t.Errorf("%d MiB of memory", memory.HeapAlloc>>20)
	}
}

// told checks that the self-metrics show the fault and the log says it, once a
// source at most.
func (c *matrixCase) told(self, said []string, sources int) {
	t := c.t
	if c.fault.heals {
		if !slices.ContainsFunc(self, func(l string) bool {
			return strings.HasPrefix(l, "mcloud_source_calls_total{") && strings.Contains(l, `code="401"`) && strings.Contains(l, `api="`+c.api+`"`)
		}) {
			t.Errorf("no 401 is counted")
		}
		if len(said) > 0 {
			t.Errorf("complaints about what the client cures by itself: %q", said)
		}
		return
	}
	var shown []string
	for _, line := range self {
		if !strings.Contains(line, `system="`+c.api+`"`) {
			continue
		}
		if strings.HasPrefix(line, "mcloud_source_complete{") && strings.HasSuffix(line, " 0") || strings.HasPrefix(line, "mcloud_source_absent{") && strings.HasSuffix(line, " 1") {
			shown = append(shown, line)
		}
	}
	switch {
	case len(shown) == 0 && !c.fault.legal:
		t.Errorf("no source of %s is shown as incomplete or absent", c.api)
	case len(shown) > 0 && len(said) == 0:
		t.Errorf("%d sources are incomplete and the log says nothing", len(shown))
	}
	// One of each source and of the one that knocks at all APIs; those that follow
	// another's words are named on one more line.
	if len(said) > 2*(sources+1) {
		t.Errorf("%d lines about %d sources:\n%s", len(said), sources, strings.Join(said, "\n"))
	}
	for _, line := range said {
		if len(line) > 4000 {
			t.Errorf("a line of %d characters: %.300s…", len(line), line)
		}
	}
}

func (c *matrixCase) get() string {
	w := httptest.NewRecorder()
	c.runner.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

// page are the series about the cloud.
func (c *matrixCase) page() map[string]float64 {
	values := map[string]float64{}
	for line := range strings.Lines(ownSeries(c.get())) {
		at := strings.LastIndexByte(strings.TrimSpace(line), ' ')
		if strings.HasPrefix(line, "#") || at < 0 {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(line[at:]), 64)
		if err != nil {
			c.t.Errorf("%q: %v", line, err)
		}
		values[line[:at]] = v
	}
	return values
}

// self are the series about the Sources.
func (c *matrixCase) self() (all []string) {
	scan := bufio.NewScanner(strings.NewReader(c.get()))
	for scan.Scan() {
		if strings.HasPrefix(scan.Text(), "mcloud_source_") {
			all = append(all, scan.Text())
		}
	}
	return all
}

// lines keeps the warnings and errors of a log.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if line := strings.TrimSpace(string(b)); strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR") {
		l.all = append(l.all, line)
	}
	return len(b), nil
}

func (l *lines) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.all
	l.all = nil
	return all
}
