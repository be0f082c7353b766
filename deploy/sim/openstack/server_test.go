package openstack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mcloud/deploy/sim/model"
)

// world is a small cloud whose clock stands still.
type world struct {
	mu sync.Mutex
	w  *model.World
}

func (c *world) With(do func(*model.World)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do(c.w)
}

type client struct {
	*testing.T
	server *Server
	cloud  *world
	root   string
	token  string
}

func serve(t *testing.T, o Options) *client {
	t.Helper()
	end := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	config := model.DefaultConfig(end)
	config.Start, config.Hosts, config.Servers, config.Projects, config.Volumes, config.OSDs, config.Faults = end.Add(-5*24*time.Hour), 9, 90, 4, 60, 6, false
	w, err := model.New(config)
	if err != nil {
		t.Fatal(err)
	}
	w.AdvanceTo(end)
	o.AdminPassword, o.ReaderPassword = "secret", "readonly"
	cloud := &world{w: w}
	s := New(cloud, o)
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	s.SetURL(h.URL)
	return &client{T: t, server: s, cloud: cloud, root: h.URL}
}

func (c *client) login(user, password string) int {
	c.Helper()
	body := fmt.Sprintf(`{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":%q,"domain":{"id":"default"},"password":%q}}},"scope":{"project":{"name":"admin","domain":{"id":"default"}}}}}`, user, password)
	response, err := http.Post(c.root+"/identity/v3/auth/tokens", "application/json", strings.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	defer response.Body.Close()
	if token := response.Header.Get("X-Subject-Token"); token != "" {
		c.token = token
	}
	return response.StatusCode
}

func (c *client) do(method, path, body string) (int, map[string]any) {
	c.Helper()
	request, err := http.NewRequest(method, c.root+path, bytes.NewBufferString(body))
	if err != nil {
		c.Fatal(err)
	}
	request.Header.Set("X-Auth-Token", c.token)
	request.Header.Set("OpenStack-API-Version", "compute 2.96")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		c.Fatal(err)
	}
	defer response.Body.Close()
	var doc map[string]any
	_ = json.NewDecoder(response.Body).Decode(&doc) // an empty body is nil
	return response.StatusCode, doc
}

func TestTokens(t *testing.T) {
	c := serve(t, Options{TokenLifetime: time.Hour})
	for _, k := range []struct {
		user, password string
		status         int
	}{{"admin", "wrong", 401}, {"admin", "", 401}, {"nobody", "secret", 401}, {"exporter", "readonly", 201}, {"admin", "secret", 201}} {
		if got := c.login(k.user, k.password); got != k.status {
			t.Errorf("%s with %q: %d, want %d", k.user, k.password, got, k.status)
		}
	}
	if status, _ := c.do("GET", "/compute/v2.1/servers", ""); status != 200 {
		t.Errorf("with a token: %d", status)
	}
	c.server.RevokeTokens()
	if status, _ := c.do("GET", "/compute/v2.1/servers", ""); status != 401 {
		t.Errorf("after the tokens were revoked: %d, want 401", status)
	}
}

// TestReaderIsRefusedWhatNovaRefuses: see the lab's findings on roles.
func TestReaderIsRefusedWhatNovaRefuses(t *testing.T) {
	c := serve(t, Options{})
	c.login("exporter", "readonly")
	_, project := c.do("GET", "/identity/v3/projects?name=admin", "")
	id := project["projects"].([]any)[0].(map[string]any)["id"].(string)
	for _, path := range []string{"/compute/v2.1/os-services", "/compute/v2.1/os-hypervisors/detail", "/compute/v2.1/os-aggregates", "/volume/v3/" + id + "/scheduler-stats/get_pools"} {
		if status, doc := c.do("GET", path, ""); status != 403 || doc["forbidden"] == nil {
			t.Errorf("%s: %d %v, want 403", path, status, doc)
		}
	}
	if _, doc := c.do("GET", "/compute/v2.1/servers/detail?all_tenants=1", ""); len(doc["servers"].([]any)) != 0 {
		t.Errorf("a reader sees %d servers of others", len(doc["servers"].([]any)))
	}
}

func TestPagesAreWholeAndDisjoint(t *testing.T) {
	c := serve(t, Options{})
	c.login("admin", "secret")
	seen := map[string]bool{}
	path := "/compute/v2.1/servers?all_tenants=1&limit=7"
	pages := 0
	for path != "" {
		_, doc := c.do("GET", path, "")
		pages++
		for _, s := range doc["servers"].([]any) {
			id := s.(map[string]any)["id"].(string)
			if seen[id] {
				t.Fatalf("%s is on two pages", id)
			}
			seen[id] = true
		}
		path = ""
		if links, more := doc["servers_links"].([]any); more {
			path = strings.TrimPrefix(links[0].(map[string]any)["href"].(string), c.root)
		}
	}
	if len(seen) != c.cloud.w.Servers.Len() || pages < 10 {
		t.Errorf("%d servers on %d pages, the cloud has %d", len(seen), pages, c.cloud.w.Servers.Len())
	}
}

// TestVolumesInTheOrderOfTheirIDs: as Cinder gives them with sort=id:asc, and 404
// behind a volume that is not there.
func TestVolumesInTheOrderOfTheirIDs(t *testing.T) {
	c := serve(t, Options{})
	c.login("admin", "secret")
	list := "/volume/v3/" + c.cloud.w.Projects[0].ID + "/volumes?all_tenants=1&sort=id:asc"
	var ids []string
	for path := list + "&limit=7"; path != ""; {
		_, doc := c.do("GET", path, "")
		for _, v := range doc["volumes"].([]any) {
			ids = append(ids, v.(map[string]any)["id"].(string))
		}
		path = ""
		if links, more := doc["volumes_links"].([]any); more {
			path = strings.TrimPrefix(links[0].(map[string]any)["href"].(string), c.root)
		}
	}
	if len(ids) != c.cloud.w.Volumes.Len() || !slices.IsSorted(ids) {
		t.Errorf("%d volumes, in order %v; the cloud has %d", len(ids), slices.IsSorted(ids), c.cloud.w.Volumes.Len())
	}
	if status, doc := c.do("GET", list+"&marker=00000000-0000-4000-8000-000000000000", ""); status != 404 {
		t.Errorf("behind a volume that is not there: %d %v", status, doc)
	}
}

func TestServerLife(t *testing.T) {
	c := serve(t, Options{})
	c.login("admin", "secret")
	w := c.cloud.w
	create := func(flavor, zone string) (int, map[string]any) {
		return c.do("POST", "/compute/v2.1/servers", fmt.Sprintf(`{"server":{"name":"x","flavorRef":%q,"imageRef":%q,"availability_zone":%q,"networks":"auto"}}`, flavor, w.Images[0].ID, zone))
	}
	if status, doc := create("nope", ""); status != 400 {
		t.Errorf("an unknown flavor: %d %v", status, doc)
	}
	if status, doc := create(w.Flavors[0].ID, "az-z"); status != 400 {
		t.Errorf("an unknown zone: %d %v", status, doc)
	}
	status, doc := create(w.Flavors[0].ID, "az-b")
	if status != 202 {
		t.Fatalf("create: %d %v", status, doc)
	}
	id := doc["server"].(map[string]any)["id"].(string)
	_, doc = c.do("GET", "/compute/v2.1/servers/"+id, "")
	server := doc["server"].(map[string]any)
	if server["status"] != "ACTIVE" || server["OS-EXT-AZ:availability_zone"] != "az-b" || server["pinned_availability_zone"] != "az-b" {
		t.Errorf("%v", server)
	}
	host := w.Host(server["OS-EXT-SRV-ATTR:host"].(string))
	if _, allocations := c.do("GET", "/placement/resource_providers/"+host.UUID+"/allocations", ""); allocations["allocations"].(map[string]any)[id] == nil {
		t.Error("Placement has no allocation of the new server")
	}
	since := w.Now.Add(-time.Second).Format(time.RFC3339)
	if status, _ := c.do("DELETE", "/compute/v2.1/servers/"+id, ""); status != 204 {
		t.Errorf("delete: %d", status)
	}
	if status, _ := c.do("GET", "/compute/v2.1/servers/"+id, ""); status != 404 {
		t.Errorf("after its deletion: %d, want 404", status)
	}
	_, doc = c.do("GET", "/compute/v2.1/servers/detail?all_tenants=1&changes-since="+since, "")
	found := false
	for _, s := range doc["servers"].([]any) {
		found = found || s.(map[string]any)["id"] == id && s.(map[string]any)["status"] == "DELETED"
	}
	if !found {
		t.Error("changes-since does not tell of the deleted server")
	}
	_, doc = c.do("GET", "/compute/v2.1/servers/"+id+"/os-instance-actions", "")
	if actions := doc["instanceActions"].([]any); len(actions) != 2 || actions[0].(map[string]any)["action"] != "delete" {
		t.Errorf("its actions are %v, want delete and create", actions)
	}
}

// TestVolumesByTime: updated_at and created_at cut the list and its count.
func TestVolumesByTime(t *testing.T) {
	c := serve(t, Options{})
	c.login("admin", "secret")
	project := c.cloud.w.Projects[0]
	c.cloud.w.AdvanceTo(c.cloud.w.Now.Add(time.Hour))
	noon := c.cloud.w.Now.Add(-time.Minute).UTC().Format("2006-01-02T15:04:05")
	old := c.cloud.w.Volumes.All()[0]
	c.cloud.w.ExtendVolume(old, old.SizeGiB+1)
	made := c.cloud.w.CreateVolume("new", project, project.Users[0], c.cloud.w.Tiers[0], 1)
	for filter, want := range map[string][]string{
		"updated_at=gt:" + noon: {made.ID, old.ID}, "created_at=gt:" + noon: {made.ID}, "created_at=gte:" + noon + "&updated_at=lt:" + noon: {},
	} {
		request, err := http.NewRequest(http.MethodGet, c.root+"/volume/v3/"+project.ID+"/volumes?all_tenants=1&with_count=true&"+filter, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Auth-Token", c.token)
		request.Header.Set("OpenStack-API-Version", "volume 3.60")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Count   int `json:"count"`
			Volumes []struct {
				ID string `json:"id"`
			} `json:"volumes"`
		}
		err = json.NewDecoder(response.Body).Decode(&doc)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, v := range doc.Volumes {
			got = append(got, v.ID)
		}
		if doc.Count != len(want) || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %d: %v, want %v", filter, doc.Count, got, want)
		}
	}
}
