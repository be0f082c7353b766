package openstack

import "net/http"

// other answers for services of which only their presence is simulated.
var other = &service{fault: namedFault}

// otherRoutes serve the version documents of Glance, Heat, Barbican, Octavia,
// Designate and Masakari, and Horizon's login page.
func (s *Server) otherRoutes() {
	document := func(id, path, status string, more object) object {
		doc := object{"id": id, "status": status, "links": []object{{"rel": "self", "href": s.root + path}}}
		for k, v := range more {
			doc[k] = v
		}
		return doc
	}
	for _, v := range []struct {
		path, id, status, self string
		code                   int
		anonymous              bool // its version document comes without a request id
		more                   object
	}{
		{"/image", "v2.17", "CURRENT", "/image/v2/", http.StatusMultipleChoices, true, nil},
		{"/orchestration", "v1.0", "CURRENT", "/orchestration/v1/", http.StatusMultipleChoices, false, nil},
		{"/key-manager", "v1", "CURRENT", "/key-manager/v1/", http.StatusMultipleChoices, true, object{"min_version": "1.0", "max_version": "1.1", "updated": "2015-04-28T00:00:00Z"}},
		{"/load-balancer", "v2.30", "CURRENT", "/load-balancer/v2", http.StatusOK, false, object{"updated": "2024-01-01T00:00:00Z"}},
		{"/dns", "v2", "CURRENT", "/dns/v2", http.StatusOK, true, nil},
		{"/instance-ha", "v1.0", "CURRENT", "/instance-ha/v1/", http.StatusOK, true, object{"version": "1.3", "min_version": "1.0", "updated": "2016-07-01T11:33:21Z"}},
	} {
		h := func(c *call) answer {
			if v.anonymous {
				c.header.Del("X-Openstack-Request-Id")
			}
			if v.path == "/key-manager" {
				c.header.Set("OpenStack-API-Version", "key-manager 1.0")
			}
			return answer{v.code, object{"versions": []object{document(v.id, v.self, v.status, v.more)}}}
		}
		s.route(other, "GET "+v.path, true, h)
		s.route(other, "GET "+v.path+"/{$}", true, h)
	}
	s.imageRoutes()
	s.orchestrationRoutes()
	s.secretRoutes()
	s.balancerRoutes()
	s.dnsRoutes()
	s.rescueRoutes()
	login := func(*call) answer {
		return answer{http.StatusOK, "<!DOCTYPE html><html><head><title>Login - OpenStack Dashboard</title>" +
			`<link rel="stylesheet" href="/dashboard/static/dashboard/css/sim.css"></head><body><form action="/dashboard/auth/login/" method="POST">` +
			`<input type="hidden" name="csrfmiddlewaretoken" value="simulated"><input type="text" name="username"><input type="password" name="password"></form></body></html>`}
	}
	s.route(other, "GET /dashboard/auth/login/", true, login)
	s.route(other, "GET /auth/login/", true, login)
	s.route(other, "GET /dashboard/static/dashboard/css/sim.css", true, func(*call) answer { return answer{http.StatusOK, "body { margin: 0 }\n"} })
}
