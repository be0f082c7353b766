// Package openstack serves a simulated cloud's OpenStack APIs over HTTP in the
// shapes of OpenStack 2025.1: Keystone, Placement, Nova, Cinder and Neutron as
// far as mCloud reads and changes them, and the version documents of the rest.
// All services share one listener and differ by path, as DevStack has it.
//
// Reads and changes go to the model under its lock; nothing is cached, so what
// one call changes the next one sees.
package openstack

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"mcloud/deploy/sim/model"
)

// Cloud is the model behind its lock: With runs do alone, with the model
// advanced to the present.
type Cloud interface {
	With(do func(*model.World))
}

// Options say who may come in and how the cloud calls itself.
type Options struct {
	Region string // "RegionOne" when empty
	// AdminPassword is that of user admin, ReaderPassword that of user
	// exporter, who has the role reader only.
	AdminPassword, ReaderPassword string
	// TokenLifetime is an hour when zero.
	TokenLifetime time.Duration
	// Building is how long a server made over the API stays in BUILD.
	Building time.Duration
	// Latency is how long each call takes, and PerThousand how much longer for
	// each thousand objects in its answer.
	Latency, PerThousand time.Duration
}

// Server answers the APIs. It is an http.Handler; tell it its own address with
// SetURL before the first request.
type Server struct {
	cloud   Cloud
	options Options
	mux     *http.ServeMux
	root    string // "http://127.0.0.1:41234"
	session string // part of request ids

	// in order, guarded by the cloud's lock
	servers sorted[model.Server]
	volumes sorted[model.Volume]
	// volumesByID are they in the order that sort=id:asc asks for.
	volumesByID sorted[model.Volume]
	ports       portList

	mu       sync.Mutex
	tokens   map[string]token
	requests uint64
	counts   map[string]int // requests by "METHOD pattern"
}

// New makes a Server.
func New(cloud Cloud, o Options) *Server {
	if o.Region == "" {
		o.Region = "RegionOne"
	}
	if o.TokenLifetime == 0 {
		o.TokenLifetime = time.Hour
	}
	s := &Server{cloud: cloud, options: o, mux: http.NewServeMux(), session: randomHex(8), tokens: map[string]token{}, counts: map[string]int{}}
	s.identityRoutes()
	s.placementRoutes()
	s.computeRoutes()
	s.aggregateRoutes()
	s.volumeRoutes()
	s.networkRoutes()
	s.otherRoutes()
	return s
}

// SetURL tells the address under which clients reach the Server; the catalog
// and all links are made of it.
func (s *Server) SetURL(root string) { s.root = strings.TrimSuffix(root, "/") }

// AuthURL is Keystone's.
func (s *Server) AuthURL() string { return s.root + "/identity/v3" }

// Requests counts the calls since the start by "METHOD pattern".
func (s *Server) Requests() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := make(map[string]int, len(s.counts))
	for k, v := range s.counts {
		counts[k] = v
	}
	return counts
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mux.ServeHTTP(w, r)
}

// object is a JSON object on its way out.
type object = map[string]any

// call is one request with what the services' handlers need.
type call struct {
	*http.Request
	server  *Server
	header  http.Header // of the answer
	who     token
	id      string // "req-…"
	version version
}

// answer is what a handler returns: a status and a body for JSON; nil for none.
type answer struct {
	status int
	body   any
}

func ok(body any) answer { return answer{http.StatusOK, body} }

// handler answers a call of one service.
type handler func(*call) answer

// service is one API's manners: its microversions and the form of its errors.
type service struct {
	name     string // in OpenStack-API-Version; "" when it has no microversions
	low      version
	high     version
	fallback version
	old      string // the service's own older microversion header
	fault    func(c *call, status int, title, message string) any
}

// route registers a handler under a pattern of net/http; open ones need no
// token.
func (s *Server) route(svc *service, pattern string, open bool, h handler) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		c := &call{Request: r, server: s, header: w.Header(), id: s.count(pattern)}
		c.header.Set("X-Openstack-Request-Id", c.id)
		a := s.serve(svc, c, open, h)
		s.takeTime(r.Context(), a)
		if a.body == nil {
			w.WriteHeader(a.status)
			return
		}
		if text, isText := a.body.(string); isText {
			c.header.Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(a.status)
			_, _ = io.WriteString(w, text) // the client is gone: nobody to tell
			return
		}
		c.header.Set("Content-Type", "application/json")
		w.WriteHeader(a.status)
		_ = json.NewEncoder(w).Encode(a.body) // likewise
	})
}

func (s *Server) serve(svc *service, c *call, open bool, h handler) answer {
	if !open {
		who, ok := s.token(c.Header.Get("X-Auth-Token"))
		if !ok {
			c.header.Set("Www-Authenticate", fmt.Sprintf("Keystone uri=%q", s.root+"/identity"))
			return answer{http.StatusUnauthorized, keystoneFault(c, http.StatusUnauthorized, "Unauthorized", "The request you have made requires authentication.")}
		}
		c.who = who
	}
	if svc.name != "" {
		if a := svc.negotiate(c); a != nil {
			return *a
		}
	}
	return h(c)
}

// takeTime lets pass what the call would take in a real cloud.
func (s *Server) takeTime(ctx context.Context, a answer) {
	d := s.options.Latency + s.options.PerThousand*time.Duration(objectsIn(a.body))/1000
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// objectsIn is the length of the longest list of an answer.
func objectsIn(body any) int {
	doc, _ := body.(object)
	most := 0
	for _, v := range doc {
		switch list := v.(type) {
		case []object:
			most = max(most, len(list))
		case object:
			most = max(most, len(list))
		}
	}
	return most
}

// fail answers with the service's own form of an error.
func (svc *service) fail(c *call, status int, message string, args ...any) answer {
	return answer{status, svc.fault(c, status, http.StatusText(status), fmt.Sprintf(message, args...))}
}

func (s *Server) count(pattern string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	s.counts[pattern]++
	return fmt.Sprintf("req-%s-0000-4000-8000-%012x", s.session, s.requests)
}

// decode reads a JSON request body of at most a mebibyte into into.
func (c *call) decode(into any) error {
	return json.NewDecoder(io.LimitReader(c.Body, 1<<20)).Decode(into)
}
