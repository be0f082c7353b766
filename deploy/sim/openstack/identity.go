package openstack

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"mcloud/deploy/sim/model"
)

// token is what one authentication gave.
type token struct {
	user        model.User
	project     string // id; "" when scoped to the system or not at all
	projectName string
	system      bool
	roles       []string
	issued      time.Time
	expires     time.Time
	methods     []string
	audit       string
}

// admin says whether the token may do everything.
func (t token) admin() bool {
	for _, r := range t.roles {
		if r == "admin" {
			return true
		}
	}
	return false
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return hex.EncodeToString(b)
}

var identity = &service{fault: keystoneFault}

func keystoneFault(_ *call, status int, title, message string) any {
	return object{"error": object{"code": status, "message": message, "title": title}}
}

func (s *Server) identityRoutes() {
	const v3 = "/identity/v3"
	s.route(identity, "GET /identity", true, s.identityVersions)
	s.route(identity, "GET /identity/{$}", true, s.identityVersions)
	s.route(identity, "GET "+v3, true, s.identityVersion)
	s.route(identity, "GET "+v3+"/{$}", true, s.identityVersion)
	s.route(identity, "POST "+v3+"/auth/tokens", true, s.authenticate)
	s.route(identity, "GET "+v3+"/auth/tokens", false, s.validate)
	s.route(identity, "GET "+v3+"/auth/catalog", false, func(c *call) answer {
		return ok(object{"catalog": s.catalog(c.who.project), "links": links(s.root + v3 + "/auth/catalog")})
	})
	s.route(identity, "GET "+v3+"/projects", false, s.projects)
	s.route(identity, "GET "+v3+"/projects/{id}", false, s.project)
	s.route(identity, "GET "+v3+"/domains", false, s.domains)
	s.route(identity, "GET "+v3+"/users", false, s.users)
	s.route(identity, "GET "+v3+"/groups", false, s.empty("groups"))
	s.route(identity, "GET "+v3+"/roles", false, s.roles)
	s.route(identity, "GET "+v3+"/regions", false, func(*call) answer {
		return ok(object{"links": links(s.root + v3 + "/regions"), "regions": []object{{
			"id": s.options.Region, "description": "", "parent_region_id": nil, "links": object{"self": s.root + v3 + "/regions/" + s.options.Region},
		}}})
	})
	s.route(identity, "GET "+v3+"/services", false, s.services)
	s.route(identity, "GET "+v3+"/endpoints", false, s.endpoints)
	s.route(identity, v3+"/", false, func(c *call) answer {
		return identity.fail(c, http.StatusNotFound, "The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again.")
	})
}

// links are the envelope of Keystone's lists.
func links(self string) object {
	return object{"next": nil, "self": self, "previous": nil}
}

func (s *Server) identityDocument() object {
	return object{
		"id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z",
		"links":       []object{{"rel": "self", "href": s.root + "/identity/v3/"}},
		"media-types": []object{{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}},
	}
}

func (s *Server) identityVersions(*call) answer {
	return answer{http.StatusMultipleChoices, object{"versions": object{"values": []object{s.identityDocument()}}}}
}

func (s *Server) identityVersion(*call) answer { return ok(object{"version": s.identityDocument()}) }

// authentication is the body of POST /v3/auth/tokens.
type authentication struct {
	Auth struct {
		Identity struct {
			Methods  []string `json:"methods"`
			Password struct {
				User struct {
					ID, Name, Password string
					Domain             struct{ ID, Name string }
				} `json:"user"`
			} `json:"password"`
			Token struct {
				ID string `json:"id"`
			} `json:"token"`
		} `json:"identity"`
		Scope struct {
			Project *struct {
				ID, Name string
				Domain   struct{ ID, Name string }
			} `json:"project"`
			System *struct {
				All bool `json:"all"`
			} `json:"system"`
		} `json:"scope"`
	} `json:"auth"`
}

const unauthorized = "The request you have made requires authentication."

func (s *Server) authenticate(c *call) answer {
	var a authentication
	if err := c.decode(&a); err != nil {
		return identity.fail(c, http.StatusBadRequest, "Expecting to find valid JSON in request body: %v", err)
	}
	refuse := func(message string) answer {
		c.header.Set("Www-Authenticate", fmt.Sprintf("Keystone uri=%q", s.root+"/identity"))
		return identity.fail(c, http.StatusUnauthorized, "%s", message)
	}
	t := token{issued: time.Now().UTC(), methods: a.Auth.Identity.Methods, audit: randomHex(11)}
	t.expires = t.issued.Add(s.options.TokenLifetime)
	switch {
	case len(t.methods) == 1 && t.methods[0] == "password":
		user := a.Auth.Identity.Password.User
		if !s.password(user.Name, user.ID, user.Password, &t) {
			return refuse(unauthorized)
		}
	case len(t.methods) == 1 && t.methods[0] == "token":
		old, ok := s.token(a.Auth.Identity.Token.ID)
		if !ok {
			return refuse(unauthorized)
		}
		t.user, t.roles, t.expires = old.user, old.roles, old.expires
	default:
		return refuse("Attempted to authenticate with an unsupported method.")
	}
	if a.Auth.Scope.System != nil {
		t.system = true
	} else if p := a.Auth.Scope.Project; p != nil {
		s.cloud.With(func(w *model.World) {
			for _, known := range w.Projects {
				if known.ID == p.ID || p.ID == "" && known.Name == p.Name {
					t.project, t.projectName = known.ID, known.Name
				}
			}
		})
		if t.project == "" {
			return refuse(unauthorized)
		}
	}
	id := "sim-" + randomHex(32)
	s.mu.Lock()
	for known, old := range s.tokens { // expired ones are of no use to anyone
		if time.Now().After(old.expires) {
			delete(s.tokens, known)
		}
	}
	s.tokens[id] = t
	s.mu.Unlock()
	c.header.Set("X-Subject-Token", id)
	c.header.Set("Vary", "X-Auth-Token")
	return answer{http.StatusCreated, s.tokenDocument(t)}
}

// password checks a name and a password and fills in who it is.
func (s *Server) password(name, id, password string, t *token) bool {
	found := false
	s.cloud.With(func(w *model.World) {
		admin := w.Projects[0].Users[0]
		exporter := model.User{ID: strings.Repeat("e", 32), Name: "exporter", DomainID: "default", DefaultProject: w.Projects[0].ID}
		for _, known := range []struct {
			user     model.User
			password string
			roles    []string
		}{
			{admin, s.options.AdminPassword, []string{"admin", "manager", "member", "reader"}},
			{exporter, s.options.ReaderPassword, []string{"reader"}},
		} {
			if (known.user.ID == id || id == "" && known.user.Name == name) && known.password != "" &&
				subtle.ConstantTimeCompare([]byte(known.password), []byte(password)) == 1 {
				t.user, t.roles, found = known.user, known.roles, true
			}
		}
	})
	return found
}

func (s *Server) token(id string) (token, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.tokens[id]
	return t, ok && time.Now().Before(t.expires)
}

// RevokeTokens makes every token invalid, as a restart with new keys does.
func (s *Server) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

func (s *Server) validate(c *call) answer {
	subject := c.Header.Get("X-Subject-Token")
	t, valid := s.token(subject)
	if !valid {
		return identity.fail(c, http.StatusNotFound, "This is not a recognized Fernet token")
	}
	c.header.Set("X-Subject-Token", subject)
	return ok(s.tokenDocument(t))
}

func (s *Server) tokenDocument(t token) object {
	roles := []object{}
	for i, r := range t.roles {
		roles = append(roles, object{"id": strings.Repeat(string("abcdef"[i%6]), 32), "name": r})
	}
	const precise = "2006-01-02T15:04:05.000000Z"
	doc := object{
		"methods": t.methods, "audit_ids": []string{t.audit}, "roles": roles,
		"expires_at": t.expires.Format(precise), "issued_at": t.issued.Format(precise),
		"user": object{
			"id": t.user.ID, "name": t.user.Name, "password_expires_at": nil,
			"domain": object{"id": "default", "name": "Default"},
		},
	}
	switch {
	case t.system:
		doc["system"] = object{"all": true}
		doc["catalog"] = s.catalog("")
	case t.project != "":
		doc["project"] = object{"id": t.project, "name": t.projectName, "domain": object{"id": "default", "name": "Default"}}
		doc["is_domain"] = false
		doc["catalog"] = s.catalog(t.project)
	}
	return object{"token": doc}
}

// endpoints of the catalog; $P stands for the project id.
var catalogue = []struct{ name, kind, path string }{
	{"keystone", "identity", "/identity"},
	{"placement", "placement", "/placement"},
	{"glance", "image", "/image"},
	{"nova", "compute", "/compute/v2.1"},
	{"neutron", "network", "/networking"},
	{"cinderv3", "volumev3", "/volume/v3/$P"},
	{"cinder", "block-storage", "/volume/v3/$P"},
	{"heat", "orchestration", "/orchestration/v1/$P"},
	{"barbican", "key-manager", "/key-manager"},
	{"designate", "dns", "/dns"},
	{"octavia", "load-balancer", "/load-balancer"},
	{"masakari", "instance-ha", "/instance-ha/v1/$P"},
}

func catalogID(i int, what string) string {
	return strings.Repeat(string("0123456789abcdef"[i]), 31-len(what)%7) + strings.Repeat("0", 1+len(what)%7)
}

func (s *Server) catalog(project string) []object {
	var all []object
	for i, e := range catalogue {
		if strings.Contains(e.path, "$P") && project == "" {
			continue // Keystone leaves out what it cannot fill in
		}
		var ends []object
		for _, side := range []string{"admin", "internal", "public"} {
			ends = append(ends, object{
				"id": catalogID(i, side), "interface": side, "region_id": s.options.Region, "region": s.options.Region,
				"url": s.root + strings.ReplaceAll(e.path, "$P", project),
			})
		}
		all = append(all, object{"endpoints": ends, "id": catalogID(i, "service!"), "type": e.kind, "name": e.name})
	}
	return all
}

func (s *Server) services(*call) answer {
	list := []object{}
	for i, e := range catalogue {
		id := catalogID(i, "service!")
		list = append(list, object{"id": id, "name": e.name, "type": e.kind, "enabled": true, "links": object{"self": s.root + "/identity/v3/services/" + id}})
	}
	return ok(object{"services": list, "links": links(s.root + "/identity/v3/services")})
}

func (s *Server) endpoints(*call) answer {
	list := []object{}
	for i, e := range catalogue {
		for _, side := range []string{"admin", "internal", "public"} {
			id := catalogID(i, side)
			list = append(list, object{
				"id": id, "interface": side, "region_id": s.options.Region, "region": s.options.Region, "enabled": true,
				"service_id": catalogID(i, "service!"), "url": s.root + strings.ReplaceAll(e.path, "$P", "%(tenant_id)s"),
				"links": object{"self": s.root + "/identity/v3/endpoints/" + id},
			})
		}
	}
	return ok(object{"endpoints": list, "links": links(s.root + "/identity/v3/endpoints")})
}

func (s *Server) projectDocument(p *model.Project) object {
	return object{
		"id": p.ID, "name": p.Name, "domain_id": p.DomainID, "description": p.Description, "enabled": true,
		"parent_id": p.DomainID, "is_domain": false, "tags": []string{}, "options": object{},
		"links": object{"self": s.root + "/identity/v3/projects/" + p.ID},
	}
}

func (s *Server) projects(c *call) answer {
	query := c.URL.Query()
	list := []object{}
	s.cloud.With(func(w *model.World) {
		for _, p := range w.Projects {
			if d := query.Get("domain_id"); d != "" && d != p.DomainID {
				continue
			}
			if n := query.Get("name"); n != "" && n != p.Name {
				continue
			}
			list = append(list, s.projectDocument(p))
		}
	})
	return ok(object{"projects": list, "links": links(s.root + "/identity/v3/projects")})
}

func (s *Server) project(c *call) answer {
	var doc object
	s.cloud.With(func(w *model.World) {
		if p := w.Project(c.PathValue("id")); p != nil {
			doc = s.projectDocument(p)
		}
	})
	if doc == nil {
		return identity.fail(c, http.StatusNotFound, "Could not find project: %s.", c.PathValue("id"))
	}
	return ok(object{"project": doc})
}

func (s *Server) domains(*call) answer {
	list := []object{}
	for _, d := range model.Domains {
		list = append(list, object{
			"id": d.ID, "name": d.Name, "description": d.Description, "enabled": true, "tags": []string{}, "options": object{},
			"links": object{"self": s.root + "/identity/v3/domains/" + d.ID},
		})
	}
	return ok(object{"domains": list, "links": links(s.root + "/identity/v3/domains")})
}

func (s *Server) users(*call) answer {
	list := []object{}
	s.cloud.With(func(w *model.World) {
		for _, p := range w.Projects {
			for _, u := range p.Users {
				list = append(list, object{
					"id": u.ID, "name": u.Name, "domain_id": u.DomainID, "enabled": true, "default_project_id": u.DefaultProject,
					"password_expires_at": nil, "options": object{}, "links": object{"self": s.root + "/identity/v3/users/" + u.ID},
				})
			}
		}
	})
	return ok(object{"users": list, "links": links(s.root + "/identity/v3/users")})
}

// empty answers a list of things the simulated cloud has none of.
func (s *Server) empty(name string) handler {
	return func(c *call) answer { return ok(object{name: []any{}, "links": links(s.root + c.URL.Path)}) }
}

func (s *Server) roles(*call) answer {
	list := []object{}
	for i, name := range []string{"admin", "manager", "member", "reader"} {
		id := strings.Repeat(string("abcdef"[i]), 32)
		list = append(list, object{
			"id": id, "name": name, "domain_id": nil, "description": nil, "options": object{}, "links": object{"self": s.root + "/identity/v3/roles/" + id},
		})
	}
	return ok(object{"roles": list, "links": links(s.root + "/identity/v3/roles")})
}
