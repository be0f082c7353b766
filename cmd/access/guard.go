package access

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Need is what a request has to be allowed.
type Need struct {
	Permission Permission
	// Scoped requests look at From's Projects and Domain themselves; all others are for
	// those who may see the whole cloud.
	Scoped bool
}

// Policy says what a request of a part needs. It is a pure function of the method and the
// path, which has no dots, doubled or escaped slashes in it.
type Policy func(method, path string) Need

// outcome of a request, as a label.
type outcome string

const (
	allowed         outcome = "allowed"
	forbidden       outcome = "forbidden"       // 403
	unauthenticated outcome = "unauthenticated" // 401, nothing was presented
	rejected        outcome = "rejected"        // 401, what was presented is wrong
	throttled       outcome = "throttled"       // 429
	unavailable     outcome = "unavailable"     // 503
)

// Guard asks who asks, for one listener. It is a prometheus.Collector of its counters.
type Guard struct {
	gate     *Gate
	listener string
	policy   Policy
	origin   *http.CrossOriginProtection
	requests *prometheus.CounterVec
}

// Guard stands before the handler of the listener called name.
func (g *Gate) Guard(name string, policy Policy) *Guard {
	return &Guard{gate: g, listener: name, policy: policy, origin: http.NewCrossOriginProtection(), requests: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name:        "mcloud_http_authentications_total",
		Help:        "Requests that had to be allowed, by how who asks was to be recognised and by what became of it: allowed, forbidden (403), unauthenticated and rejected (401), throttled (429), unavailable (503).",
		ConstLabels: prometheus.Labels{"listener": name},
	}, []string{"method", "outcome"})}
}

// Describe implements prometheus.Collector.
func (g *Guard) Describe(to chan<- *prometheus.Desc) { g.requests.Describe(to) }

// Collect implements prometheus.Collector.
func (g *Guard) Collect(to chan<- prometheus.Metric) { g.requests.Collect(to) }

// Before answers with next what is allowed. Where the configuration names nobody, all is.
func (g *Guard) Before(next http.Handler) http.Handler {
	if !g.gate.asks {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		need := g.need(r)
		if need.Permission == Public {
			next.ServeHTTP(w, r)
			return
		}
		v := g.gate.recognise(r)
		if v.outcome == allowed {
			v.refuse(g, r, need)
		}
		g.requests.WithLabelValues(string(v.method), string(v.outcome)).Inc()
		if v.outcome == allowed {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, v.who)))
			return
		}
		g.answer(w, r, v)
	})
}

// need is the policy's, unless another handler than the one that the policy thinks of
// could take the path for its own: then it is the most there is.
func (g *Guard) need(r *http.Request) Need {
	p := r.URL.Path
	if r.Method == http.MethodConnect || !strings.HasPrefix(p, "/") || path.Clean(p) != strings.TrimSuffix(p, "/") && p != "/" || strings.Contains(strings.ToLower(r.URL.RawPath), "%2f") {
		return Need{Permission: Admin}
	}
	return g.policy(r.Method, p)
}

// verdict is who asks, or why that is not known.
type verdict struct {
	who     Identity
	method  method
	outcome outcome
	message string
	cure    string
	wait    time.Duration
}

// refuse turns an allowed verdict into a forbidden one where who asks may not.
func (v *verdict) refuse(g *Guard, r *http.Request, need Need) {
	switch {
	case !slices.Contains(v.who.May, need.Permission):
		v.outcome = forbidden
		v.message = fmt.Sprintf("%s may not: %s %s needs the permission %s, its roles give %s", v.who.Name, r.Method, r.URL.Path, need.Permission, join(v.who.May))
		v.cure = "access.roles in mcloud.yaml says which roles give which permission"
	case !v.who.All && !need.Scoped:
		v.outcome = forbidden
		v.message = fmt.Sprintf("%s may not: %s %s needs sight of the whole cloud, it may see %s", v.who.Name, r.Method, r.URL.Path, v.who.narrow())
		v.cure = "use a token for the system, or with a role or project of access.keystone.cloud_roles and cloud_projects"
	default:
		// A browser adds a password that it knows to what a page of another site sends.
		if err := g.origin.Check(r); err != nil {
			v.outcome, v.message = forbidden, "a page of another site may change nothing here: "+err.Error()
		}
	}
}

func join(may []Permission) string {
	if len(may) == 0 {
		return "none"
	}
	names := make([]string, len(may))
	for i, p := range may {
		names[i] = string(p)
	}
	return strings.Join(names, ", ")
}

// recognise finds out who asks.
func (g *Gate) recognise(r *http.Request) verdict {
	c := present(r.Header)
	v := verdict{method: c.method}
	if c.method == methodNone {
		v.outcome, v.message, v.cure = unauthenticated, "who asks? no credentials were sent", "send "+g.wants()
		return v
	}
	// Made of the address too: what is right from one is still a guess from another.
	from := network(r.RemoteAddr)
	var stored string
	if c.method == methodBasic {
		stored = string(g.users.hash(c.user))
	}
	d := g.digest(from.String(), string(c.method), c.user, c.password, c.token, stored)
	known := g.slow.knows(d)
	if !known {
		if wait, ok := g.slow.may(from); !ok {
			v.outcome, v.wait, v.message, v.cure = throttled, wait, "too many wrong credentials came from your address", "wait, and check what you send"
			return v
		}
	}
	ok, err := false, error(nil)
	if c.method == methodBasic && known {
		if u := g.users.byName[c.user]; u != nil {
			v.who, ok = u.identity, true
		}
	} else {
		v.who, v.method, ok, err = g.check(r.Context(), c)
	}
	switch {
	case err != nil:
		v.outcome, v.wait, v.message, v.cure = unavailable, 5*time.Second, err.Error(), "try again; tokens that were checked lately go on to count"
	case ok:
		v.outcome = allowed
		g.slow.recognised(d)
	default:
		v.outcome, v.message, v.cure = rejected, "the credentials are wrong, or have expired or been revoked", "send "+g.wants()
		if c.method == methodUnknown {
			v.message = "the credentials cannot be read, or are of a kind that is not taken here"
		}
	}
	if !known && v.outcome == rejected {
		g.slow.guessed(from)
	}
	return v
}

// check looks the credentials up. A bearer token is one of the files' or Keystone's.
func (g *Gate) check(ctx context.Context, c credentials) (who Identity, m method, ok bool, err error) {
	m = c.method
	switch c.method {
	case methodBasic:
		who, ok, err = g.users.check(ctx, c.user, c.password)
	case methodBearer, methodKeystone:
		if who, ok = g.static(c.token); ok {
			return who, methodBearer, ok, nil
		}
		if g.keystone != nil {
			m = methodKeystone
			who, ok, err = g.keystone.check(ctx, c.token)
		}
	}
	return who, m, ok, err
}

// wants says what may be sent.
func (g *Gate) wants() string {
	var ways []string
	if len(g.users.byName) > 0 {
		ways = append(ways, "a user and a password (Basic)")
	}
	if len(g.tokens) > 0 {
		ways = append(ways, "a token (Bearer)")
	}
	if g.keystone != nil {
		ways = append(ways, "a token of Keystone (Bearer or X-Auth-Token)")
	}
	return strings.Join(ways, ", or ")
}

// challenges are the values of WWW-Authenticate (RFC 9110 section 11.6.1). Basic comes
// first: browsers take the first that they know.
func (g *Gate) challenges(v verdict) []string {
	var all []string
	if len(g.users.byName) > 0 {
		all = append(all, `Basic realm="mcloud", charset="UTF-8"`)
	}
	if len(g.tokens) > 0 || g.keystone != nil {
		bearer := `Bearer realm="mcloud"`
		if v.outcome == rejected {
			bearer += `, error="invalid_token"`
		}
		all = append(all, bearer)
	}
	if g.keystone != nil {
		all = append(all, `Keystone uri="`+g.keystone.options.URL+`"`)
	}
	return all
}

var statuses = map[outcome]int{
	forbidden: http.StatusForbidden, unauthenticated: http.StatusUnauthorized, rejected: http.StatusUnauthorized,
	throttled: http.StatusTooManyRequests, unavailable: http.StatusServiceUnavailable,
}

// refusal is the body of what is not allowed, in Prometheus's words and in the planner's.
type refusal struct {
	Status    string  `json:"status"`
	ErrorType outcome `json:"errorType"`
	Error     string  `json:"error"`
	Cure      string  `json:"cure,omitempty"`
}

func (g *Guard) answer(w http.ResponseWriter, r *http.Request, v verdict) {
	status := statuses[v.outcome]
	if g.gate.said.Allow() && v.outcome != unauthenticated {
		g.gate.logger.Warn("a request was refused", "listener", g.listener, "status", status, "method", r.Method, "path", r.URL.Path, "from", r.RemoteAddr, "by", string(v.method), "who", v.who.Name, "because", v.message)
	}
	h := w.Header()
	if status == http.StatusUnauthorized {
		for _, c := range g.gate.challenges(v) {
			h.Add("WWW-Authenticate", c)
		}
	}
	if v.wait > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(v.wait.Seconds()))))
	}
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(refusal{"error", v.outcome, v.message, v.cure}) // a client that has gone hears nothing
}
