package openstack

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// Visit is what an address answered to somebody without a token.
type Visit struct {
	Code int
	// URL is where the answer came from, after redirects within the same host.
	URL string
	// Location is where a redirect leads that was not followed: to another host, or
	// one too many.
	Location string
	Body     []byte
	// Took is the time to the end of the answer.
	Took time.Duration
	// Expires is the first instant at which a certificate of those that the server
	// showed stops being valid; zero without TLS.
	Expires time.Time
}

// Visit asks for a page without a token, as people outside do. most bounds what
// is read of it, in bytes. Redirects to another host are not followed: they are
// the answer. When the server's certificate is refused, the Visit that comes with
// the error still says when it expires, or did.
func (c *Cloud) Visit(ctx context.Context, api, at, accept string, most int64) (Visit, error) {
	var mu sync.Mutex // guards v.Expires: a trace may be called from elsewhere
	v := Visit{URL: at}
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if conn, ok := info.Conn.(*tls.Conn); ok {
			mu.Lock()
			defer mu.Unlock()
			v.Expires = firstExpiry(conn.ConnectionState().PeerCertificates)
		}
	}}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(apart(withAPI(ctx, api)), trace), http.MethodGet, at, nil)
	if err != nil {
		return v, err
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("User-Agent", "mcloud")
	start := time.Now()
	resp, err := c.http.Do(req)
	if err != nil {
		var refused *tls.CertificateVerificationError
		if errors.As(err, &refused) {
			return Visit{URL: at, Expires: firstExpiry(refused.UnverifiedCertificates)}, c.asError(api, http.MethodGet, at, err)
		}
		return Visit{URL: at}, c.asError(api, http.MethodGet, at, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	mu.Lock()
	defer mu.Unlock()
	v.Code, v.URL, v.Took = resp.StatusCode, resp.Request.URL.String(), time.Since(start)
	if to, err := resp.Location(); err == nil && v.Code >= 300 && v.Code < 400 {
		v.Location = to.String()
	}
	switch {
	case err != nil:
		return v, c.asError(api, http.MethodGet, at, fmt.Errorf("reading the answer: %w", err))
	case int64(len(body)) > most:
		return v, &Error{API: api, Method: http.MethodGet, Path: at, Code: v.Code, Err: fmt.Errorf("the answer is larger than %d KiB", most>>10)}
	}
	v.Body = body
	return v, nil
}

// firstExpiry is when the first of the certificates expires.
func firstExpiry(shown []*x509.Certificate) time.Time {
	var first time.Time
	for _, c := range shown {
		if first.IsZero() || c.NotAfter.Before(first) {
			first = c.NotAfter
		}
	}
	return first
}
