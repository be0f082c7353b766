package spool

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"mcloud"
	"mcloud/exporters"
)

// HTTPOptions say where the collector is. At most one of Token and User is set.
type HTTPOptions struct {
	// URL of the collector: "http://127.0.0.1:9090".
	URL string
	// Token goes into "Authorization: Bearer".
	Token string
	// User and Password go into "Authorization: Basic".
	User, Password string
	TLS            *tls.Config
	// Transport reaches the collector, and may present what it wants itself; TLS does
	// not count then.
	Transport http.RoundTripper
	// Timeout bounds one post even if its context does not; 30 s if zero.
	Timeout time.Duration
}

// HTTPPoster posts batches to a collector (mcloud.RecordsPath) as gzipped JSON.
// Its methods may be called concurrently.
type HTTPPoster struct {
	to     string
	opts   HTTPOptions
	client *http.Client
}

// NewHTTPPoster checks the options; it does not call the collector.
func NewHTTPPoster(opts HTTPOptions) (*HTTPPoster, error) {
	u, err := url.Parse(opts.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the collector's address is not an http or https URL such as http://127.0.0.1:9090")
	}
	if u.User != nil {
		return nil, errors.New("the collector's address has a password in it: use the options user and password instead")
	}
	if opts.Token != "" && opts.User != "" {
		return nil, errors.New("the collector's access has both a token and a user: set one")
	}
	if opts.Transport == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = opts.TLS
		opts.Transport = transport
	}
	return &HTTPPoster{
		to: u.JoinPath(mcloud.RecordsPath).String(), opts: opts,
		client: &http.Client{
			Transport: opts.Transport, Timeout: cmp.Or(opts.Timeout, 30*time.Second),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// PostError is a post that was not acknowledged. Code is 0 when no answer came.
type PostError struct {
	To      string
	Code    int
	Message string
	After   time.Duration // of Retry-After; 0 when the collector did not say
	Err     error
}

func (e *PostError) Error() string {
	switch {
	case e.Err != nil:
		return fmt.Sprintf("collector %s: %v", e.To, e.Err)
	case e.Code == http.StatusUnauthorized || e.Code == http.StatusForbidden:
		return fmt.Sprintf("collector %s: %d %s: %s (check the exporter's token or password for the collector)", e.To, e.Code, http.StatusText(e.Code), e.Message)
	}
	return fmt.Sprintf("collector %s: %d %s: %s", e.To, e.Code, http.StatusText(e.Code), e.Message)
}

// Unwrap returns the cause.
func (e *PostError) Unwrap() error { return e.Err }

// Kind is for exporters.KindOf.
func (e *PostError) Kind() string {
	if e.Err != nil {
		return exporters.KindOf(e.Err)
	}
	return exporters.HTTPKind(e.Code)
}

// Permanent says that the same batch must not be sent again: it is invalid or
// too large.
func (e *PostError) Permanent() bool {
	return e.Code == http.StatusBadRequest || e.Code == http.StatusRequestEntityTooLarge || e.Code == http.StatusUnprocessableEntity
}

// Conflict says that an Inventory is the difference to a look that the store does
// not hold as its last.
func (e *PostError) Conflict() bool { return e.Code == http.StatusConflict }

// RetryAfter is how long the collector asked to wait.
func (e *PostError) RetryAfter() time.Duration { return e.After }

// Post implements Poster. Every error is a *PostError.
func (p *HTTPPoster) Post(ctx context.Context, batch mcloud.Batch) error {
	return p.send(ctx, func(z io.Writer) error { return json.NewEncoder(z).Encode(batch) })
}

// PostJSON implements RawPoster. Every error is a *PostError.
func (p *HTTPPoster) PostJSON(ctx context.Context, batch []byte) error {
	return p.send(ctx, func(z io.Writer) error {
		_, err := z.Write(batch)
		return err
	})
}

func (p *HTTPPoster) send(ctx context.Context, write func(io.Writer) error) error {
	body, err := zipped(write)
	if err != nil {
		return &PostError{To: p.to, Err: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.to, bytes.NewReader(body))
	if err != nil {
		return &PostError{To: p.to, Err: err}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Content-Encoding", "gzip")
	switch {
	case p.opts.Token != "":
		req.Header.Set("Authorization", "Bearer "+p.opts.Token)
	case p.opts.User != "":
		req.SetBasicAuth(p.opts.User, p.opts.Password)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // To says the URL already
		}
		return &PostError{To: p.to, Err: err}
	}
	defer resp.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 1000)) // only for the message
	if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusNoContent {
		return nil
	}
	return &PostError{
		To: p.to, Code: resp.StatusCode, After: after(resp.Header.Get("Retry-After")),
		Message: strings.ToValidUTF8(strings.Join(strings.Fields(string(said)), " "), ""),
	}
}

func zipped(write func(io.Writer) error) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(write(z), z.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// after reads Retry-After, in seconds or as a date (RFC 9110 section 10.2.3).
func after(value string) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}
