// Package promhistory answers the planner's History from a Prometheus HTTP API:
// mCloud's collector, or any Prometheus that holds the series.
package promhistory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"mcloud/planner"
	"mcloud/planner/forecast"
)

// Options of a Client; URL is required.
type Options struct {
	URL string // "http://127.0.0.1:9090"
	// Timeout bounds one query; default 60 s.
	Timeout time.Duration
	// MaxBytes bounds one answer; default 256 MiB.
	MaxBytes  int64
	Transport http.RoundTripper // default http.DefaultTransport
}

// Client is a planner.History. It may be used concurrently.
type Client struct {
	url     string
	timeout time.Duration
	api     v1.API
}

// New checks o; it asks nothing yet.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("collector URL %q: want http://host:port", redact(o.URL))
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 256 << 20
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	c, err := api.NewClient(api.Config{Address: o.URL, RoundTripper: capped{o.Transport, o.MaxBytes}})
	if err != nil {
		return nil, fmt.Errorf("collector URL %q: %w", redact(o.URL), err)
	}
	return &Client{url: u.Redacted(), timeout: o.Timeout, api: v1.NewAPI(c)}, nil
}

// redact keeps a password out of messages even when the URL cannot be parsed.
func redact(raw string) string {
	if at := strings.LastIndex(raw, "@"); at >= 0 {
		return "…" + raw[at:]
	}
	return raw
}

// Range implements planner.History. A warning of the API that part of the data
// could not be read is an error; remarks about the query are not.
func (c *Client) Range(ctx context.Context, query string, from, to time.Time, step time.Duration) ([]planner.Series, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	value, warnings, _, err := c.api.QueryRange(ctx, query, v1.Range{Start: from, End: to, Step: step})
	var refused *v1.Error
	switch {
	case errors.As(err, &refused) && refused.Type == v1.ErrBadData:
		return nil, fmt.Errorf("collector %s refuses the query: %s: %w", c.url, refused.Msg, planner.ErrBadRequest)
	case err != nil:
		return nil, fmt.Errorf("collector %s: %w", c.url, err)
	}
	for _, w := range warnings {
		if !strings.HasPrefix(w, "PromQL ") {
			return nil, fmt.Errorf("collector %s answered in part: %s", c.url, w)
		}
	}
	matrix, ok := value.(model.Matrix)
	if !ok {
		return nil, fmt.Errorf("collector %s: a range query answered %s, want a matrix", c.url, value.Type())
	}
	series := make([]planner.Series, 0, len(matrix))
	for _, stream := range matrix {
		s := planner.Series{Labels: map[string]string{}, Points: make([]forecast.Point, 0, len(stream.Values))}
		for name, v := range stream.Metric {
			s.Labels[string(name)] = string(v)
		}
		for _, pair := range stream.Values {
			s.Points = append(s.Points, forecast.Point{Time: pair.Timestamp.Time().UTC(), Value: float64(pair.Value)})
		}
		series = append(series, s)
	}
	return series, nil
}

// capped refuses answers above max bytes.
type capped struct {
	next http.RoundTripper
	max  int64
}

func (c capped) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.next.RoundTrip(r)
	if err == nil {
		resp.Body = &cappedBody{resp.Body, c.max, c.max}
	}
	return resp, err
}

type cappedBody struct {
	io.ReadCloser
	left, max int64
}

func (b *cappedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("answer is larger than %d bytes", b.max)
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
