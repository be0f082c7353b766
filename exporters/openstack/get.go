package openstack

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"time"

	json "github.com/go-json-experiment/json/v1"

	"mcloud/exporters"
)

// Answer is a JSON object that an API gave, its members not decoded yet.
type Answer struct {
	Members map[string]json.RawMessage
	// Microversion is the one that the call asked for.
	Microversion Microversion
	// Time is the service's clock (the Date header), whole seconds; ours when it
	// sends none.
	Time time.Time
}

// Decode reads one member into v. An answer without it is an error.
func (a *Answer) Decode(member string, v any) error {
	raw, ok := a.Members[member]
	if !ok {
		return exporters.WithKind(fmt.Errorf("the answer has no %q", member), exporters.KindDecode)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("%q of the answer: %w", member, err)
	}
	return nil
}

// Get asks one API for path ("/os-services") with the shared token and the
// negotiated microversion. Any status but 200 is an *Error; a service that the
// catalogue does not have gives one that wraps exporters.ErrAbsent.
func (c *Cloud) Get(ctx context.Context, api API, path string, query url.Values) (*Answer, error) {
	raw, err := c.GetRaw(ctx, api, path, query)
	if err != nil {
		return nil, err
	}
	a := &Answer{Microversion: raw.Microversion, Time: time.Now().UTC().Truncate(time.Second)}
	if err := json.Unmarshal(raw.Body, &a.Members); err != nil {
		return nil, &Error{API: api.Name, Method: http.MethodGet, Path: path, Err: err, kind: exporters.KindDecode}
	}
	if at, err := http.ParseTime(raw.Header.Get("Date")); err == nil {
		a.Time = at.UTC()
	}
	return a, nil
}

// Raw is a success as it came, for the APIs that do not say everything in a JSON
// object: Gnocchi's lists, Swift's headers.
type Raw struct {
	Body         []byte
	Header       http.Header
	Microversion Microversion
}

// GetRaw is Get without reading the answer. Statuses other than 200 and 204 are
// an *Error.
func (c *Cloud) GetRaw(ctx context.Context, api API, path string, query url.Values) (*Raw, error) {
	t, err := c.tokens.get(ctx)
	if err != nil {
		return nil, err
	}
	a, err := c.get(ctx, api, path, query, t)
	switch {
	case status(err) == http.StatusUnauthorized:
		// The token was revoked, or Keystone lost it. One fresh token, one more try.
		if t, err = c.tokens.replace(ctx, t); err != nil {
			return nil, err
		}
		a, err = c.get(ctx, api, path, query, t)
	case c.mayHaveMoved(err, t):
		fresh, renewErr := c.tokens.replace(ctx, t)
		if renewErr == nil && c.moved(api, t, fresh) {
			a, err = c.get(ctx, api, path, query, fresh)
		}
	}
	return a, err
}

// mayHaveMoved says that nobody answered where the catalogue says that the
// service is, and that the catalogue is old enough to be asked for again.
func (c *Cloud) mayHaveMoved(err error, t *token) bool {
	if err == nil || status(err) != 0 || time.Since(t.issued) < c.opts.CatalogAge {
		return false
	}
	kind := exporters.KindOf(err)
	return kind == exporters.KindRefused || kind == exporters.KindTimeout
}

// moved says that a newer catalogue has the service elsewhere.
func (c *Cloud) moved(api API, before, after *token) bool {
	was, _ := c.endpoint(before.catalog, api.Types)
	is, err := c.endpoint(after.catalog, api.Types)
	return err == nil && is != was
}

func status(err error) int {
	if e, ok := err.(*Error); ok {
		return e.Code
	}
	return 0
}

func (c *Cloud) get(ctx context.Context, api API, path string, query url.Values, t *token) (*Raw, error) {
	base, use, err := c.negotiate(ctx, api, t)
	if err != nil {
		return nil, err
	}
	header := map[string]string{"X-Auth-Token": t.id}
	maps.Copy(header, api.Always)
	switch {
	case api.OwnHeader != "":
		header[api.OwnHeader] = use.String()
	case api.Header != "":
		header["OpenStack-API-Version"] = api.Header + " " + use.String()
	}
	at := base + path
	if len(query) > 0 {
		at += "?" + query.Encode()
	}
	code, answered, body, err := c.send(ctx, api.Name, at, header)
	if err != nil {
		e := c.asError(api.Name, http.MethodGet, path, err)
		if e.Code == 0 && e.Kind() == exporters.KindRefused {
			e.Hint = "is it running? the address is from the catalogue of cloud " + c.name
		}
		return nil, e
	}
	if code != http.StatusOK && code != http.StatusNoContent {
		if code == http.StatusNotAcceptable {
			c.forget(api.Name) // it was upgraded or moved back: negotiate again
		}
		return nil, statusError(api.Name, path, code, body)
	}
	return &Raw{Body: body, Header: answered, Microversion: use}, nil
}

// maxErrorBytes bounds what is read of an answer that is not a success.
const maxErrorBytes = 16 << 10

// send makes one GET and reads the answer whole.
func (c *Cloud) send(ctx context.Context, api, at string, header map[string]string) (int, http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(withAPI(ctx, api), http.MethodGet, at, nil)
	if err != nil {
		return 0, nil, nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "mcloud")
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	from := io.Reader(resp.Body)
	if resp.StatusCode >= 400 {
		from = io.LimitReader(from, maxErrorBytes)
	}
	body, err := readAll(from)
	if err != nil && resp.StatusCode < 400 {
		return 0, nil, nil, fmt.Errorf("reading the answer: %w", err)
	}
	return resp.StatusCode, resp.Header, body, nil
}
