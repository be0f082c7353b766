package access

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"
	"golang.org/x/sync/singleflight"

	"mcloud/cmd/config"
)

const (
	// validatedKept bounds the memory for tokens that were looked at.
	validatedKept = 10_000
	// asksAtOnce bounds the questions to Keystone; one more is refused with 503.
	asksAtOnce = 16
	// wrongFor is how long a token that Keystone does not know is not asked for again.
	wrongFor = 10 * time.Second
	// awayFor is how long one that is known is not asked for again after a failure.
	awayFor = 10 * time.Second
	// maxAnswer bounds Keystone's answer, in bytes; one without catalogue has few kB.
	maxAnswer = 1 << 20
)

// errAway is wrapped when Keystone gave no answer that says yes or no.
var errAway = errors.New("the token could not be checked")

// keystone checks tokens: GET /v3/auth/tokens, with the token itself as the one that
// asks, which Keystone's default policy lets everybody do about their own
// (identity:validate_token, rule:token_subject), so no account is needed.
type keystone struct {
	gate    *Gate
	options config.Keystone
	url     string
	http    http.Client
	seen    *recent[digest, validated]
	flights singleflight.Group
	slots   chan struct{}
}

// validated is what is known of a token.
type validated struct {
	identity Identity
	wrong    bool
	again    time.Time // from when on it is asked for again
	end      time.Time // from when on it does not count; not after it expires
}

func (g *Gate) openKeystone(c config.Keystone, transport http.RoundTripper) (*keystone, error) {
	if transport == nil {
		var err error
		if transport, err = Transport(config.Client{CA: c.CA}, c.URL); err != nil {
			return nil, fmt.Errorf("access.keystone: %w", err)
		}
	}
	address := strings.TrimRight(c.URL, "/")
	if u, err := url.Parse(address); err == nil && !strings.HasSuffix(u.Path, "/v3") {
		address += "/v3"
	}
	return &keystone{
		gate: g, options: c, url: address + "/", seen: newRecent[digest, validated](validatedKept), slots: make(chan struct{}, asksAtOnce),
		http: http.Client{
			Transport:     withoutCatalogue{transport},
			Timeout:       time.Duration(c.Timeout),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// check says whose token it is; false when it is nobody's. The error wraps errAway.
func (k *keystone) check(ctx context.Context, token string) (Identity, bool, error) {
	d := k.gate.digest("keystone", token)
	now := k.gate.now()
	v, ok := k.seen.get(d)
	ok = ok && now.Before(v.end)
	if ok && (v.wrong || now.Before(v.again)) {
		return v.identity, !v.wrong, nil
	}
	answer := k.flights.DoChan(string(d[:]), func() (any, error) {
		// Others may wait for the same answer: it does not end with the one who asked first.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Duration(k.options.Timeout))
		defer cancel()
		asked, err := k.ask(ctx, token)
		switch {
		case err == nil:
			k.seen.put(d, asked)
		case ok:
			v.again = k.gate.now().Add(awayFor)
			k.seen.put(d, v)
		}
		return asked, err
	})
	select {
	case <-ctx.Done():
		return Identity{}, false, fmt.Errorf("%w: %w", errAway, ctx.Err())
	case r := <-answer:
		if r.Err != nil {
			if ok && k.gate.now().Before(v.end) {
				return v.identity, true, nil
			}
			return Identity{}, false, r.Err
		}
		v = r.Val.(validated)
		return v.identity, !v.wrong, nil
	}
}

// token is what counts of Keystone's answer.
type token struct {
	ExpiresAt time.Time       `json:"expires_at"`
	User      tokens.User     `json:"user"`
	Roles     []tokens.Role   `json:"roles"`
	Project   *tokens.Project `json:"project"`
	Domain    *tokens.Domain  `json:"domain"`
	System    map[string]bool `json:"system"`
}

func (k *keystone) ask(ctx context.Context, secret string) (validated, error) {
	select {
	case k.slots <- struct{}{}:
		defer func() { <-k.slots }()
	default:
		return validated{}, fmt.Errorf("%w: Keystone is being asked about %d others", errAway, asksAtOnce)
	}
	now := k.gate.now()
	provider := &gophercloud.ProviderClient{HTTPClient: k.http, TokenID: secret}
	result := tokens.Get(ctx, &gophercloud.ServiceClient{ProviderClient: provider, Endpoint: k.url}, secret)
	switch {
	case gophercloud.ResponseCodeIs(result.Err, http.StatusUnauthorized), gophercloud.ResponseCodeIs(result.Err, http.StatusNotFound):
		return validated{wrong: true, end: now.Add(wrongFor)}, nil
	case gophercloud.ResponseCodeIs(result.Err, http.StatusForbidden):
		return validated{}, fmt.Errorf("%w: Keystone forbids a token to be checked by itself; its policy identity:validate_token wants rule:token_subject", errAway)
	case result.Err != nil:
		said, detail := failure(result.Err)
		if k.gate.said.Allow() {
			k.gate.logger.Warn("Keystone could not be asked about a token", "url", k.options.URL, "because", said, "error", detail)
		}
		return validated{}, fmt.Errorf("%w: Keystone %s", errAway, said)
	}
	var t token
	if err := result.ExtractInto(&t); err != nil || t.ExpiresAt.IsZero() || t.User.ID == "" {
		return validated{}, fmt.Errorf("%w: what Keystone answers is no token; is access.keystone.url right?", errAway)
	}
	if !now.Before(t.ExpiresAt) {
		return validated{wrong: true, end: now.Add(wrongFor)}, nil
	}
	end := now.Add(time.Duration(k.options.Cache))
	if t.ExpiresAt.Before(end) {
		end = t.ExpiresAt
	}
	return validated{identity: k.identity(t), again: now.Add(time.Duration(k.options.Recheck)), end: end}, nil
}

// failure says what is wrong without what was sent or answered; the detail is for the
// log, since who asks may be anybody.
func failure(err error) (said, detail string) {
	var code gophercloud.ErrUnexpectedResponseCode
	var failed *url.Error
	switch {
	case errors.As(err, &code):
		return fmt.Sprintf("answers %d", code.Actual), ""
	case errors.Is(err, context.DeadlineExceeded):
		return "does not answer in time", ""
	case errors.As(err, &failed):
		return "cannot be reached", failed.Err.Error()
	}
	return "gives an answer that cannot be read", ""
}

// identity is what a token lets its owner see: the system's and those with a role or a
// project for the cloud see everything, others what is theirs, which is read only.
func (k *keystone) identity(t token) Identity {
	var roles []string
	cloud := t.System["all"]
	for _, r := range t.Roles {
		roles = append(roles, r.Name)
		cloud = cloud || t.Project != nil && slices.Contains(k.options.CloudRoles, r.Name)
	}
	who := Identity{Name: t.User.Name + "@" + t.User.Domain.Name, May: k.gate.permissions(roles)}
	switch {
	case cloud, t.Project != nil && t.Project.ID != "" && slices.Contains(k.options.CloudProjects, t.Project.ID):
		who.All = true
		return who
	case t.Project != nil && t.Project.ID != "":
		who.Projects = []string{t.Project.ID}
	case t.Domain != nil && t.Domain.ID != "":
		who.Domain = t.Domain.ID
	}
	who.May = slices.DeleteFunc(who.May, func(p Permission) bool { return p != Read })
	return who
}

// withoutCatalogue asks for less than gophercloud does, and bounds the answer.
type withoutCatalogue struct{ next http.RoundTripper }

func (w withoutCatalogue) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.RawQuery = "nocatalog"
	resp, err := w.next.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	}
	return resp, err
}
