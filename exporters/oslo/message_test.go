package oslo

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write golden files anew")

// recorded is how the lab's messages are kept: the inner body and its way here.
type recorded struct {
	Exchange string          `json:"_exchange"`
	Body     json.RawMessage `json:"body"`
}

func load(t testing.TB) map[string]recorded {
	t.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 50 {
		t.Fatalf("%d recorded messages (%v), want at least 50", len(files), err)
	}
	all := map[string]recorded{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var r recorded
		if err := json.Unmarshal(b, &r); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		all[filepath.Base(f)] = r
	}
	return all
}

func wrapped(t testing.TB, inner []byte) []byte {
	t.Helper()
	b, err := json.Marshal(envelope{Version: "2.0", Message: string(inner)})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseRecorded(t *testing.T) {
	var lines []string
	for name, r := range load(t) {
		e, err := Parse("lab", r.Exchange, wrapped(t, r.Body))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		bare, err := Parse("lab", r.Exchange, r.Body)
		if err != nil {
			t.Errorf("%s without envelope: %v", name, err)
		}
		if diff := cmp.Diff(e, bare); diff != "" {
			t.Errorf("%s differs without envelope:\n%s", name, diff)
		}
		if s := string(e.Payload); strings.Contains(s, "_context_") || strings.Contains(s, "_object.data") {
			t.Errorf("%s keeps its context or wrapping: %s", name, s)
		}
		lines = append(lines, fmt.Sprintf("%s %s %s project=%s resource=%s %s %s", e.Time.Format(time.RFC3339Nano), e.Source, e.Kind, e.Project, e.Resource, e.Severity, e.ID))
	}
	golden(t, "testdata/events.golden", lines)
}

func golden(t *testing.T, file string, lines []string) {
	t.Helper()
	sort.Strings(lines) // by time, which a line begins with
	got := strings.Join(lines, "\n") + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), -update writes it anew:\n%s", file, diff)
	}
}

func TestParseKeepsTheRequest(t *testing.T) {
	r := load(t)["versioned_notifications__instance.resize_finish.end.json"]
	e, err := Parse("lab", r.Exchange, r.Body)
	if err != nil {
		t.Fatal(err)
	}
	var p Payload
	if err := json.Unmarshal(e.Payload, &p); err != nil {
		t.Fatal(err)
	}
	var data struct {
		Flavor struct {
			Name  string `json:"name"`
			VCPUs int    `json:"vcpus"`
		} `json:"flavor"`
	}
	if err := json.Unmarshal(p.Data, &data); err != nil {
		t.Fatal(err)
	}
	if p.RequestID != "req-c9ea7957-93c9-4f6b-af6b-9df636904499" || data.Flavor.Name != "m1.large" || data.Flavor.VCPUs != 8 {
		t.Errorf("request %q, flavor %+v", p.RequestID, data.Flavor)
	}
}

func TestParseLeavesSecretsBehind(t *testing.T) {
	token := "gAAAAABm" + strings.Repeat("x7Y_", 40)
	body := fmt.Sprintf(`{"message_id":"m1","event_type":"compute.instance.create.end","timestamp":"2026-11-22 06:29:53","priority":"INFO",
		"publisher_id":null,"_context_auth_token":%[1]q,"payload":{"instance_id":"i1","tenant_id":"p1","admin_pass":"hunter2","nested":[{"auth_token":%[1]q,
		"_context_auth_token":%[1]q,"_context_user_name":"carol","note":"used %[1]s here","user_data":"aGVsbG8=","password":null}]}}`, token)
	e, err := Parse("lab", "nova", wrapped(t, []byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{token, "hunter2", "aGVsbG8=", "carol"} {
		if strings.Contains(string(e.Payload), secret) {
			t.Errorf("payload holds %q: %s", secret, e.Payload)
		}
	}
	if e.Resource != "i1" || e.Project != "p1" {
		t.Errorf("resource %q, project %q", e.Resource, e.Project)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, body := range map[string]string{
		"empty":        ``,
		"garbage":      "\x00\x01garbage",
		"array":        `[1,2]`,
		"truncated":    `{"oslo.message":"{\"message_id\":\"m`,
		"no id":        `{"event_type":"x","timestamp":"2026-11-22 06:29:53"}`,
		"no time":      `{"message_id":"m","event_type":"x"}`,
		"bad time":     `{"message_id":"m","event_type":"x","timestamp":"yesterday"}`,
		"wrong types":  `{"message_id":7,"event_type":"x","timestamp":"2026-11-22 06:29:53"}`,
		"text payload": `{"message_id":"m","event_type":"x","timestamp":"2026-11-22 06:29:53","payload":{"a"}}`,
		"deep payload": `{"message_id":"m","event_type":"x","timestamp":"2026-11-22 06:29:53","payload":` + strings.Repeat(`{"a":`, 100) + `1` + strings.Repeat(`}`, 101),
	} {
		if e, err := Parse("lab", "nova", []byte(body)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: event %+v, error %v", name, e, err)
		}
	}
}

// FuzzParse reads anything as a notification: an Event that can be stored, without
// context and tokens, or ErrMalformed.
func FuzzParse(f *testing.F) {
	for _, r := range load(f) {
		f.Add(r.Exchange, []byte(r.Body))
		f.Add(r.Exchange, wrapped(f, r.Body))
	}
	messages, _ := tape(f)
	kinds := map[string]bool{}
	for _, m := range messages {
		e, err := Parse("lab", m.Exchange, []byte(m.Body))
		if err == nil && !kinds[e.Kind] && len(m.Body) < 8<<10 {
			kinds[e.Kind] = true
			f.Add(m.Exchange, []byte(m.Body))
		}
	}
	f.Fuzz(func(t *testing.T, exchange string, body []byte) {
		e, err := Parse("lab", exchange, body)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("error %v is not ErrMalformed", err)
			}
			return
		}
		if err := e.Validate(); err != nil {
			t.Fatal(err)
		}
		var p struct{ Data any }
		if err := json.Unmarshal(e.Payload, &p); err != nil {
			t.Fatal(err)
		}
		if dirty := secretIn(p.Data); dirty != "" {
			t.Fatalf("%s is kept: %s", dirty, e.Payload)
		}
	})
}

// secretIn names what should have been left behind; "" when nothing is there.
func secretIn(v any) string {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			if k == "_context" || strings.HasPrefix(k, "_context_") {
				return k
			}
			if s, ok := inner.(string); ok && secretKey.MatchString(k) && s != "" && s != redacted {
				return k
			}
			if s := secretIn(inner); s != "" {
				return s
			}
		}
	case []any:
		for _, inner := range v {
			if s := secretIn(inner); s != "" {
				return s
			}
		}
	case string:
		if fernet.MatchString(v) || jws.MatchString(v) {
			return v
		}
	}
	return ""
}
