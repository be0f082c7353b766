package conformance

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"testing"
)

// writer sends the scenario's requests.
type writer struct {
	*testing.T
	cloud *testCloud
}

// do sends a request and demands a status; it returns the answer's object.
func (w writer) do(service, method, path, body string, status int) map[string]any {
	w.Helper()
	header := map[string]string{"X-Auth-Token": w.cloud.token, "OpenStack-API-Version": "compute 2.96"}
	if service == "placement" {
		header["OpenStack-API-Version"] = "placement 1.39"
	}
	a, err := w.cloud.send(w.Context(), method, w.cloud.catalogue[service]+path, header, body)
	if err != nil {
		w.Fatal(err)
	}
	if a.status != status {
		w.Fatalf("%s %s %s: status %d, want %d: %.300s", method, path, body, a.status, status, a.body)
	}
	var doc map[string]any
	if len(a.body) > 0 {
		if err := json.Unmarshal(a.body, &doc); err != nil {
			w.Fatalf("%s %s: %v: %.200s", method, path, err, a.body)
		}
	}
	return doc
}

func (w writer) traits(provider string) (names []any, generation float64) {
	w.Helper()
	doc := w.do("placement", http.MethodGet, "/resource_providers/"+provider+"/traits", "", 200)
	return doc["traits"].([]any), doc["resource_provider_generation"].(float64)
}

func traitsBody(generation float64, names []any) string {
	b, err := json.Marshal(map[string]any{"resource_provider_generation": generation, "traits": names})
	if err != nil {
		panic(err) // strings and a number
	}
	return string(b)
}

// writes makes every change that a rebalancing makes, meets every refusal that
// it must expect, and puts all back.
func writes(t *testing.T, c *testCloud) {
	w := writer{t, c}
	const trait = "CUSTOM_MCLOUD_CONFORMANCE"
	provider := "/resource_providers/" + c.words["provider"]
	w.do("placement", http.MethodPut, "/traits/"+trait, "", 201)
	w.do("placement", http.MethodPut, "/traits/"+trait, "", 204)
	w.do("placement", http.MethodGet, "/traits/"+trait, "", 204)
	before, generation := w.traits(c.words["provider"])
	restored := false
	restore := func() {
		if _, now := w.traits(c.words["provider"]); !restored {
			w.do("placement", http.MethodPut, provider+"/traits", traitsBody(now, before), 200)
			restored = true
		}
	}
	defer restore()
	w.do("placement", http.MethodPut, provider+"/traits", traitsBody(generation, append(slices.Clone(before), trait)), 200)
	after, next := w.traits(c.words["provider"])
	if !slices.Contains(after, any(trait)) || len(after) != len(before)+1 {
		t.Errorf("traits are %v, want %v and %s", after, before, trait)
	}
	if next <= generation {
		t.Errorf("generation is %v after a write, %v before", next, generation)
	}
	w.do("placement", http.MethodPut, provider+"/traits", traitsBody(generation, before), 409)
	w.do("placement", http.MethodPut, provider+"/traits", traitsBody(next, []any{"CUSTOM_NOBODY_MADE_THIS"}), 400)
	w.do("placement", http.MethodDelete, "/traits/"+trait, "", 409)
	restore()
	if now, _ := w.traits(c.words["provider"]); !slices.Equal(now, before) {
		t.Errorf("traits are %v after putting back, were %v", now, before)
	}
	w.do("placement", http.MethodDelete, "/traits/"+trait, "", 204)
	w.do("placement", http.MethodDelete, "/traits/"+trait, "", 404)
	aggregateWrites(w)
}

func aggregateWrites(w writer) {
	t, c := w.T, w.cloud
	made := w.do("compute", http.MethodPost, "/os-aggregates", `{"aggregate":{"name":"mcloud-conformance"}}`, 200)["aggregate"].(map[string]any)
	one := fmt.Sprintf("/os-aggregates/%v", made["id"])
	w.do("compute", http.MethodPost, "/os-aggregates", `{"aggregate":{"name":"mcloud-conformance"}}`, 409)
	host := fmt.Sprintf(`{"host":%q}`, c.words["aggregate_host"])
	name := w.do("placement", http.MethodGet, "/resource_providers?name="+c.words["aggregate_host"], "", 200)["resource_providers"].([]any)[0].(map[string]any)
	provider := "/resource_providers/" + name["uuid"].(string)
	before := w.do("placement", http.MethodGet, provider+"/aggregates", "", 200)
	w.do("compute", http.MethodPost, one+"/action", `{"add_host":`+host+`}`, 200)
	w.do("compute", http.MethodPost, one+"/action", `{"add_host":`+host+`}`, 409)
	mirrored := w.do("placement", http.MethodGet, provider+"/aggregates", "", 200)
	if !slices.Contains(mirrored["aggregates"].([]any), made["uuid"]) {
		t.Errorf("Placement has aggregates %v, want %v among them", mirrored["aggregates"], made["uuid"])
	}
	if mirrored["resource_provider_generation"].(float64) <= before["resource_provider_generation"].(float64) {
		t.Errorf("the generation did not grow with the aggregate: %v, then %v", before["resource_provider_generation"], mirrored["resource_provider_generation"])
	}
	set := w.do("compute", http.MethodPost, one+"/action", `{"set_metadata":{"metadata":{"cpu_weight_multiplier":"-1.0","gone":"x"}}}`, 200)["aggregate"].(map[string]any)
	if m := set["metadata"].(map[string]any); m["cpu_weight_multiplier"] != "-1.0" || m["gone"] != "x" {
		t.Errorf("metadata is %v", m)
	}
	set = w.do("compute", http.MethodPost, one+"/action", `{"set_metadata":{"metadata":{"gone":null}}}`, 200)["aggregate"].(map[string]any)
	if m := set["metadata"].(map[string]any); m["gone"] != nil || m["cpu_weight_multiplier"] != "-1.0" {
		t.Errorf("metadata is %v after a key was taken out", m)
	}
	w.do("compute", http.MethodDelete, one, "", 400)
	w.do("compute", http.MethodPost, one+"/action", `{"remove_host":`+host+`}`, 200)
	w.do("compute", http.MethodPost, one+"/action", `{"remove_host":`+host+`}`, 404)
	w.do("compute", http.MethodPost, one+"/action", `{"add_host":{"host":"no-such-host"}}`, 404)
	w.do("compute", http.MethodDelete, one, "", 200)
	w.do("compute", http.MethodGet, one, "", 404)
}

func TestSimWrites(t *testing.T) {
	_, file := serveSim(t, nil)
	c, err := connect(t.Context(), file, "demo")
	if err != nil {
		t.Fatal(err)
	}
	writes(t, c)
}

func TestLabWrites(t *testing.T) {
	file := os.Getenv("MCLOUD_LAB_CLOUDS")
	if file == "" {
		t.Skip("MCLOUD_LAB_CLOUDS names no clouds.yaml of a lab")
	}
	c, err := connect(t.Context(), file, cmp.Or(os.Getenv("MCLOUD_LAB_CLOUD"), "lab-admin"))
	if err != nil {
		t.Fatal(err)
	}
	writes(t, c)
}
