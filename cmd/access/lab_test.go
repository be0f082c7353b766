package access

import (
	"context"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"
)

// labKeystone is where deploy/lab has it.
const labKeystone = "http://127.0.0.1:5000/v3"

// labToken asks the lab's Keystone for a token.
func labToken(t *testing.T, user, project string, scope *gophercloud.AuthScope) (*gophercloud.ProviderClient, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	client, err := openstack.AuthenticatedClient(ctx, gophercloud.AuthOptions{
		IdentityEndpoint: labKeystone, Username: user, Password: "lab", DomainName: "Default", TenantName: project, Scope: scope,
	})
	if err != nil {
		t.Fatal(err)
	}
	return client, client.Token()
}

// TestLabKeystone asks a real Keystone with its default policy: what project, domain and
// system tokens show, and that a revoked one is found out.
func TestLabKeystone(t *testing.T) {
	if os.Getenv("MCLOUD_LAB_CLOUDS") == "" {
		t.Skip("MCLOUD_LAB_CLOUDS names no clouds.yaml of a running lab; make lab-up lab-seed starts one")
	}
	s := &site{t: t, dir: t.TempDir(), clock: &clock{at: time.Now()}}
	s.open(parse(t, s.dir, "access: {keystone: {url: \""+labKeystone+"\"}}"), PlannerPolicy)
	code := func(token, path string) (int, string) {
		w := s.ask("GET", path, keystoneToken(token))
		return w.Code, w.Body.String()
	}
	alice, aliceToken := labToken(t, "alice", "acme", nil)
	_, admin := labToken(t, "admin", "admin", nil)
	_, system := labToken(t, "exporter", "", &gophercloud.AuthScope{System: true})
	for name, c := range map[string]struct {
		token, path string
		code        int
		says        string
	}{
		"alice's bill":            {aliceToken, "/api/v1/chargeback", 200, `"Name":"alice@Default","May":["read"],"All":false,"Projects":["`},
		"alice's report":          {aliceToken, "/api/v1/report", 403, "sight of the whole cloud"},
		"the exporter's account":  {system, "/api/v1/report", 200, `"Name":"exporter@Default","May":["read"],"All":true`},
		"the cloud administrator": {admin, "/api/v1/report", 200, `"All":true`},
		"somebody's guess":        {"gAAAAABpJkZ0" + strings.Repeat("A", 170), "/api/v1/report", 401, "wrong"},
	} {
		if got, body := code(c.token, c.path); got != c.code || !strings.Contains(body, c.says) {
			t.Errorf("%s: %d %s, want %d %s", name, got, body, c.code, c.says)
		}
	}
	identity, err := openstack.NewIdentityV3(alice, gophercloud.EndpointOpts{Region: "RegionOne"})
	if err != nil {
		t.Fatal(err)
	}
	if err := tokens.Revoke(t.Context(), identity, aliceToken).Err; err != nil {
		t.Fatal(err)
	}
	s.clock.pass(time.Minute)
	if got, body := code(aliceToken, "/api/v1/chargeback"); got != http.StatusUnauthorized {
		t.Errorf("a revoked token: %d %s", got, body)
	}
	if strings.Contains(s.log.String(), aliceToken) {
		t.Error("the log has a token")
	}
}
