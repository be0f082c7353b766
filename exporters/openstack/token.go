package openstack

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	v3 "github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"

	"mcloud/exporters"
)

// token is one login: never logged, never part of an error.
type token struct {
	id      string
	issued  time.Time // by our clock
	renewAt time.Time // soon before it expires, or when its catalogue gets old
	expires time.Time
	admin   bool
	project string // id; empty for one that is scoped to the system or a domain
	catalog []v3.CatalogEntry
}

// tokens holds the one token that all calls share.
type tokens struct {
	renew   func(ctx context.Context) (*token, error)
	changed func() bool   // whether another login would use other credentials
	busy    chan struct{} // held by the one who renews

	mu      sync.Mutex // guards the fields below
	logins  Logins
	current *token
	failure error
	fails   int
	retryAt time.Time
}

// get returns a token that is good for a while. One that has not expired yet
// still serves while another caller renews it, and when the renewal fails.
func (t *tokens) get(ctx context.Context) (*token, error) {
	current := t.last()
	now := time.Now()
	switch {
	case current == nil || !now.Before(current.expires):
		return t.replace(ctx, current)
	case now.Before(current.renewAt) || len(t.busy) > 0:
		return current, nil
	}
	if fresh, err := t.replace(ctx, current); err == nil {
		return fresh, nil
	}
	return current, nil
}

// replace logs in again, unless someone has replaced old already. After a
// failure it answers with the same error for a while, longer each time: many
// sources must not hammer a Keystone that is down, nor lock an account whose
// password is wrong. Credentials that have changed since are tried at once.
func (t *tokens) replace(ctx context.Context, old *token) (*token, error) {
	select {
	case t.busy <- struct{}{}:
		defer func() { <-t.busy }()
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for a token: %w", ctx.Err())
	}
	t.mu.Lock()
	current, failure, retryAt := t.current, t.failure, t.retryAt
	t.mu.Unlock()
	if current != old {
		return current, nil
	}
	if failure != nil && time.Now().Before(retryAt) && !t.changed() {
		return nil, failure
	}
	start := time.Now()
	fresh, err := t.renew(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.logins.Failed++
		if ctx.Err() == nil || exporters.KindOf(err) != exporters.KindOther {
			t.failure, t.fails = err, t.fails+1
			t.retryAt = time.Now().Add(patience(err, t.fails))
		}
		return nil, err
	}
	t.current, t.failure, t.fails = fresh, nil, 0
	t.logins.Done, t.logins.Took, t.logins.Expires = t.logins.Done+1, time.Since(start), fresh.expires
	return fresh, nil
}

// Logins tell how a Cloud came by its tokens.
type Logins struct {
	Done, Failed int
	Took         time.Duration // by the newest that was done
	Expires      time.Time     // of its token
}

// Logins returns how the logins went so far.
func (c *Cloud) Logins() Logins {
	c.tokens.mu.Lock()
	defer c.tokens.mu.Unlock()
	return c.tokens.logins
}

// patience is how long to wait after the n-th failure in a row: a refused
// password is not tried often, because Keystone may lock the account.
func patience(err error, n int) time.Duration {
	first, most := 2*time.Second, time.Minute
	switch exporters.KindOf(err) {
	case exporters.KindUnauthorized, exporters.KindForbidden:
		first, most = 30*time.Second, 10*time.Minute
	}
	return min(first<<min(n-1, 16), most)
}

// last is the newest token, even one that has expired: its catalogue still says
// where services are while Keystone is away. Nil before the first login.
func (t *tokens) last() *token {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current
}

const (
	tokensPath = "/auth/tokens"
	// catalogLife is how long a token is used for the sake of its catalogue:
	// services that were added are found by then.
	catalogLife = 15 * time.Minute
)

// authenticate asks Keystone for a token (POST /v3/auth/tokens) with the
// credentials that clouds.yaml has now.
func (c *Cloud) authenticate(ctx context.Context) (*token, error) {
	ctx = withAPI(ctx, "keystone")
	auth := c.creds.read().auth // a copy: gophercloud fills in Scope
	identity := &gophercloud.ServiceClient{
		ProviderClient: &gophercloud.ProviderClient{HTTPClient: *c.http},
		Endpoint:       auth.IdentityEndpoint + "/",
	}
	r := v3.Create(ctx, identity, &auth)
	if r.Err != nil {
		return nil, c.authError(r.Err)
	}
	var body struct {
		ExpiresAt Time `json:"expires_at"`
		IssuedAt  Time `json:"issued_at"`
		Roles     []v3.Role
		Project   struct{ ID string }
		Catalog   []v3.CatalogEntry
	}
	if err := r.ExtractInto(&body); err != nil {
		return nil, &Error{API: "keystone", Method: "POST", Path: tokensPath, Err: err, kind: exporters.KindDecode}
	}
	id, err := r.ExtractTokenID()
	if err != nil || id == "" || body.ExpiresAt.IsZero() {
		return nil, &Error{
			API: "keystone", Method: "POST", Path: tokensPath, kind: exporters.KindDecode, Err: err,
			Message: "the answer has no token or no expires_at", Hint: "is " + auth.IdentityEndpoint + " a Keystone?",
		}
	}
	now := time.Now()
	life := body.ExpiresAt.Sub(now)
	return &token{
		id: id, catalog: body.Catalog, project: body.Project.ID, issued: now, expires: body.ExpiresAt.Time,
		renewAt: now.Add(min(catalogLife, life-min(5*time.Minute, life/4))),
		admin:   slices.ContainsFunc(body.Roles, func(r v3.Role) bool { return r.Name == "admin" }),
	}, nil
}

func (c *Cloud) authError(err error) error {
	creds := c.creds.current()
	e := c.asError("keystone", http.MethodPost, tokensPath, err)
	switch {
	case e.Code == http.StatusUnauthorized:
		e.Hint = fmt.Sprintf("check user, password, domain and project of cloud %q in %s", creds.cloud, creds.file)
	case e.Code == http.StatusNotFound:
		e.Hint = fmt.Sprintf("auth_url of cloud %q in %s leads to %s, which is not a Keystone v3", creds.cloud, creds.file, creds.auth.IdentityEndpoint)
	case e.Code == 0 && e.Hint == "":
		e.Hint = fmt.Sprintf("is Keystone at %s running and reachable? the address is auth_url of cloud %q in %s", creds.auth.IdentityEndpoint, creds.cloud, creds.file)
	}
	return e
}
