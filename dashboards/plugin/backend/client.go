package backend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/httpclient"
)

// client asks one planner. It may be used concurrently.
type client struct {
	settings settings
	http     *http.Client
	keystone *keystone // nil without
}

func newClient(s settings) (*client, error) {
	planner, err := httpClient(s.http)
	if err != nil {
		return nil, wrongSettings("%v", err)
	}
	c := &client{settings: s, http: planner}
	if s.auth == authKeystone {
		// What is sent to the planner besides is not for Keystone.
		o := s.http
		o.Header = nil
		identity, err := httpClient(o)
		if err != nil {
			return nil, wrongSettings("%v", err)
		}
		c.keystone = newKeystone(s.keystone, identity)
	}
	return c, nil
}

func httpClient(o httpclient.Options) (*http.Client, error) {
	made, err := httpclient.New(o)
	if err != nil {
		return nil, err
	}
	made.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return made, nil
}

func (c *client) close() {
	c.http.CloseIdleConnections()
	if c.keystone != nil {
		c.keystone.http.CloseIdleConnections()
	}
}

// problem is the planner's body of every answer that is not 200.
type problem struct {
	Message string `json:"error"`
	Cure    string `json:"cure"`
}

// get asks the planner for path and reads its JSON into answer.
func (c *client) get(ctx context.Context, path string, query url.Values, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, c.settings.timeout)
	defer cancel()
	got, err := c.ask(ctx, path, query)
	if err != nil {
		return err
	}
	where := "GET " + c.settings.url + path
	if got.status != http.StatusOK {
		return c.refused(where, got)
	}
	if err := json.Unmarshal(got.body, answer); err != nil {
		return &failure{backend.StatusBadGateway, backend.ErrorSourceDownstream,
			fmt.Sprintf("what %s answered is not what mCloud's planner says (%v): does the data source's URL lead to the planner, not to the collector or a login page?", where, err)}
	}
	return nil
}

// ask sends the request; with Keystone once more with a new token after a 401.
func (c *client) ask(ctx context.Context, path string, query url.Values) (reply, error) {
	for again := false; ; again = true {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.settings.url+path, nil)
		if err != nil {
			return reply{}, err
		}
		r.URL.RawQuery = query.Encode()
		r.Header.Set("Accept", "application/json")
		token := c.settings.token
		if c.keystone != nil {
			if token, err = c.keystone.get(ctx); err != nil {
				return reply{}, err
			}
		}
		switch c.settings.auth {
		case authBasic:
			r.SetBasicAuth(c.settings.user, c.settings.password)
		case authBearer, authKeystone:
			r.Header.Set("Authorization", "Bearer "+token)
		}
		got, err := send(c.http, r, "mCloud's planner", "the data source's URL")
		if err != nil || got.status != http.StatusUnauthorized || c.keystone == nil || again {
			return got, err
		}
		if err := c.keystone.forget(ctx, token); err != nil {
			return reply{}, err
		}
	}
}

// reply is an answer, read whole.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// send does r and reads the whole answer. Whom it asks and what setting says so are for
// messages.
func send(h *http.Client, r *http.Request, whom, setting string) (reply, error) {
	where := r.Method + " " + r.URL.Scheme + "://" + r.URL.Host + r.URL.Path
	resp, err := h.Do(r)
	var body []byte
	if err == nil {
		defer resp.Body.Close()
		if body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes+1)); err == nil && len(body) > maxAnswerBytes {
			return reply{}, &failure{backend.StatusBadGateway, backend.ErrorSourceDownstream, fmt.Sprintf("%s answered more than %d MiB: narrow the time range, or ask for one project or zone", where, maxAnswerBytes>>20)}
		}
	}
	if err != nil {
		return reply{}, unreachable(r.Context(), where, whom, setting, err)
	}
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		to := "elsewhere"
		if u, err := resp.Location(); err == nil {
			to = "to " + u.Scheme + "://" + u.Host + u.Path
		}
		return reply{}, &failure{backend.StatusBadGateway, backend.ErrorSourceDownstream, fmt.Sprintf("%s redirects %s, which is not followed: set %s to where %s is", where, to, setting, whom)}
	}
	return reply{resp.StatusCode, resp.Header, body}, nil
}

// unreachable says why there is no answer.
func unreachable(ctx context.Context, where, whom, setting string, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	// The URL with its query is in a *url.Error; where has it without.
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return &failure{backend.StatusTimeout, backend.ErrorSourceDownstream, fmt.Sprintf("%s gave no answer in time: see whether %s is slow, or raise the data source's timeout", where, whom)}
	}
	return &failure{backend.StatusBadGateway, backend.ErrorSourceDownstream, fmt.Sprintf("%s failed: %v; is %s running, and does %s reach it from where Grafana runs?", where, err, whom, setting)}
}

// refused turns an answer that is not 200 into what is wrong and what to do.
func (c *client) refused(where string, got reply) error {
	status := got.status
	var p problem
	said := ""
	if json.Unmarshal(got.body, &p) == nil && p.Message != "" {
		said = ": " + bounded(p.Message)
		if p.Cure != "" {
			said += " (" + bounded(p.Cure) + ")"
		}
	}
	f := &failure{status: backend.Status(status), source: backend.ErrorSourceDownstream}
	switch {
	case status == http.StatusUnauthorized:
		f.message = fmt.Sprintf("the planner does not know who asks: %s as %s was answered with 401%s; see the data source's authentication", where, c.settings.who(), said)
	case status == http.StatusForbidden:
		f.message = fmt.Sprintf("%s may not see this: %s was answered with 403%s", c.settings.who(), where, said)
	case status == http.StatusTooManyRequests:
		f.message = fmt.Sprintf("too many wrong credentials came from where Grafana runs: %s was answered with 429%s", where, said)
	case status == http.StatusNotFound && said == "":
		f.message = fmt.Sprintf("%s is not there (404): does the data source's URL lead to mCloud's planner, and is that not older than this plugin?", where)
	case (status == http.StatusBadRequest || status == http.StatusNotFound || status == http.StatusConflict) && said != "":
		f.message = "the planner says" + said
	case status == http.StatusServiceUnavailable:
		f.message = fmt.Sprintf("the planner is not ready: %s was answered with 503%s", where, said)
	default:
		f.message = fmt.Sprintf("%s was answered with %d%s; the planner's log says more", where, status, said)
	}
	return f
}

// bounded keeps what others say short.
func bounded(s string) string {
	const most = 600
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// round asks each thing once, however many queries of one request need it.
type round struct {
	client *client
	mu     sync.Mutex
	asked  map[string]*answer
}

type answer struct {
	once sync.Once
	body any
	err  error
}

// fetch gets path as a T, which must be the same for the same path.
func fetch[T any](ctx context.Context, r *round, path string, query url.Values) (T, error) {
	key := path + "?" + query.Encode()
	r.mu.Lock()
	a := r.asked[key]
	if a == nil {
		a = &answer{}
		r.asked[key] = a
	}
	r.mu.Unlock()
	a.once.Do(func() {
		var body T
		a.err = r.client.get(ctx, path, query, &body)
		a.body = body
	})
	body, _ := a.body.(T)
	return body, a.err
}
