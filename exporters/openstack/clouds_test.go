package openstack

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestScopeOfTheToken(t *testing.T) {
	for auth, want := range map[string]string{
		`username: u, password: p, project_name: admin, user_domain_name: People, project_domain_name: Projects`: `map[project:map[domain:map[name:Projects] name:admin]]`,
		`username: u, password: p, project_name: admin, user_domain_id: default, project_domain_id: other`:       `map[project:map[domain:map[id:other] name:admin]]`,
		`username: u, password: p, project_name: admin, user_domain_name: People`:                                `map[project:map[domain:map[name:People] name:admin]]`,
		`username: u, password: p, project_id: abc, user_domain_name: People`:                                    `map[project:map[id:abc]]`,
		`username: u, password: p, system_scope: all, user_domain_name: People`:                                  `map[system:map[all:true]]`,
		`application_credential_id: a, application_credential_secret: s`:                                         `map[]`,
	} {
		file := filepath.Join(t.TempDir(), "clouds.yaml")
		text := "clouds: {x: {auth: {auth_url: 'http://h:5000', " + auth + "}}}"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := readClouds(Options{CloudsFile: file, Cloud: "x"})
		if err != nil {
			t.Errorf("%s: %v", auth, err)
			continue
		}
		scope, err := c.auth.ToTokenV3ScopeMap()
		if got := shown(scope); err != nil || got != want {
			t.Errorf("%s:\n%s %v, want\n%s", auth, got, err, want)
		}
		if c.auth.IdentityEndpoint != "http://h:5000/v3" {
			t.Errorf("Keystone at %s", c.auth.IdentityEndpoint)
		}
	}
}

// shown prints a scope whose strings are pointers.
func shown(v any) string {
	switch v := v.(type) {
	case map[string]any:
		plain := map[string]string{}
		for key, inner := range v {
			plain[key] = shown(inner)
		}
		return fmt.Sprint(plain)
	case *string:
		return *v
	}
	return fmt.Sprint(v)
}
