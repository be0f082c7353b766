package oslo

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"mcloud"
)

// taped is a message as the lab's broker gave it (testdata/lab.jsonl.gz, made by
// deploy/lab/openstack/record-notifications). Its tokens are doubles that nobody
// issued; the tape's last line names them.
type taped struct {
	Exchange   string `json:"exchange"`
	RoutingKey string `json:"routing_key"`
	Body       string `json:"body"`
	Tokens     []string
}

func tape(t testing.TB) (messages []taped, tokens []string) {
	t.Helper()
	f, err := os.Open("testdata/lab.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var m taped
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		if m.Body != "" {
			messages = append(messages, m)
		}
		tokens = append(tokens, m.Tokens...)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if len(messages) < 1000 || len(tokens) < 5 {
		t.Fatalf("%d messages with %d tokens, want at least 1000 and 5", len(messages), len(tokens))
	}
	return messages, tokens
}

// What has no resource, and why. Neutron and Nova tell that something is about to be
// made before it has an id, Neutron and of bindings the host only; Masakari never tells the id
// of what it has just made.
var withoutResource = []string{
	"notifications aggregate.create.start", // the versioned one has it
	"binding.create.end", "binding.create.start", "binding.delete.end", "binding.delete.start",
	"compute.exception", // anything may have failed
	"floatingip.create.start", "network.create.start", "policy.create.start", "port.create.start", "rbac_policy.create.start", "router.create.start",
	"security_group.create.start", "security_group_rule.create.start", "subnet.create.start", "subnetpool.create.start", "trunk.create.start",
	"host.create.end", "host.create.start", "segment.create.end", "segment.create.start",
}

// What belongs to no project, and why: pools are the cloud's, a refused login has
// no scope, Nova tells of a new flavor without a context, Glance of an image's
// member without the image's owner.
var withoutProject = []string{"capacity.backend", "capacity.pool", "flavor.create", "identity.authenticate", "image.member.create", "image.member.delete"}

// TestEveryKindOfTheLab maps all that a whole cloud says: each kind has its source
// and severity, and each has its resource and project but for those listed above.
func TestEveryKindOfTheLab(t *testing.T) {
	messages, tokens := tape(t)
	type row struct {
		topic, kind, source string
		severity            mcloud.Severity
	}
	counts, projectless, resourceless := map[row]int{}, map[string]bool{}, map[string]bool{}
	sources := map[string]bool{}
	for _, m := range messages {
		e, err := Parse("lab", m.Exchange, []byte(m.Body))
		if err != nil {
			t.Errorf("%s: %v", m.RoutingKey, err)
			continue
		}
		topic, _, _ := strings.Cut(m.RoutingKey, ".")
		counts[row{topic, e.Kind, e.Source, e.Severity}]++
		sources[e.Source] = true
		listed := e.Kind
		if slices.Contains(withoutResource, topic+" "+e.Kind) {
			listed = topic + " " + e.Kind
		}
		if e.Resource == "" {
			resourceless[listed] = true
		}
		if e.Project == "" {
			projectless[e.Kind] = true
		}
		if found, none := e.Resource != "", slices.Contains(withoutResource, listed); found && none {
			t.Errorf("%s has resource %s and is listed as one without", e.Kind, e.Resource)
		} else if !found && !none {
			t.Errorf("%s of %s has no resource: %.300s", e.Kind, e.Source, e.Payload)
		}
		if e.Project == "" && !slices.Contains(withoutProject, e.Kind) {
			t.Errorf("%s of %s has no project: %.300s", e.Kind, e.Source, e.Payload)
		}
		checkClean(t, e, tokens)
	}
	for _, kind := range withoutResource {
		if !resourceless[kind] {
			t.Errorf("%s is listed as one without resource and is not on the tape so", kind)
		}
	}
	for _, kind := range withoutProject {
		if !projectless[kind] {
			t.Errorf("%s is listed as one without project and is not on the tape so", kind)
		}
	}
	var lines []string
	kinds := map[string]bool{}
	for r, n := range counts {
		kinds[r.kind] = true
		lines = append(lines, fmt.Sprintf("%s %s %s %s ×%d", r.topic, r.kind, r.source, r.severity, n))
	}
	t.Logf("%d messages, %d kinds, %d sources", len(messages), len(kinds), len(sources))
	for _, want := range []string{"nova", "neutron", "cinder", "glance", "keystone", "heat", "designate", "masakari", "octavia"} {
		if !sources[want] {
			t.Errorf("nothing of %s: %v", want, sources)
		}
	}
	if len(kinds) < 190 {
		t.Errorf("%d kinds, want at least 190", len(kinds))
	}
	golden(t, "testdata/lab.golden", lines)
}

// checkClean looks for what must never be stored.
func checkClean(t *testing.T, e mcloud.Event, tokens []string) {
	t.Helper()
	all := string(e.Payload) + e.Resource + e.Project + e.Kind + e.Source
	for _, token := range tokens {
		if strings.Contains(all, token) || strings.Contains(all, token[:40]) {
			t.Errorf("%s keeps a token", e.Kind)
		}
	}
	for _, mark := range []string{`"_context`, `_object.data"`, "IyEvYmluL3NoCg", "gAAAAA", "service_catalog", `"user_name"`} {
		if strings.Contains(all, mark) {
			at := strings.Index(all, mark)
			t.Errorf("%s of %s keeps %s: …%.200s", e.Kind, e.Source, mark, all[at:])
		}
	}
}

// Nova says most things twice, on two topics in two forms, with an id each: both
// are kept.
func TestMessageIDsOfTheLabAreUnique(t *testing.T) {
	messages, _ := tape(t)
	seen := map[string]string{}
	for _, m := range messages {
		e, err := Parse("lab", m.Exchange, []byte(m.Body))
		if err != nil {
			t.Fatal(err)
		}
		if before, again := seen[e.ID]; again {
			t.Errorf("%s is the id of %s and of %s", e.ID, before, e.Kind)
		}
		seen[e.ID] = e.Kind
	}
}
