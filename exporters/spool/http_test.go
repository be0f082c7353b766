package spool

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mcloud"
	"mcloud/exporters"
)

func serve(t *testing.T, h http.HandlerFunc, change func(*HTTPOptions)) *HTTPPoster {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	opts := HTTPOptions{URL: server.URL + "/prefix/"}
	if change != nil {
		change(&opts)
	}
	p, err := NewHTTPPoster(opts)
	check(t, err)
	return p
}

func TestHTTPPosterSendsGzippedJSON(t *testing.T) {
	p := serve(t, func(w http.ResponseWriter, r *http.Request) {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		var b mcloud.Batch
		if err := json.NewDecoder(z).Decode(&b); err != nil || b.Events[0].ID != "1" {
			t.Errorf("%v %v", b, err)
		}
		if r.URL.Path != "/prefix"+mcloud.RecordsPath || r.Header.Get("Authorization") != "Bearer s3cret" {
			t.Errorf("%s %v", r.URL, r.Header)
		}
	}, func(o *HTTPOptions) { o.Token = "s3cret" })
	check(t, p.Post(t.Context(), mcloud.Batch{Events: []mcloud.Event{event("1", 1)}}))
}

func TestHTTPPosterErrors(t *testing.T) {
	for _, c := range []struct {
		code      int
		retry     string
		permanent bool
		after     time.Duration
		kind      string
	}{
		{400, "", true, 0, exporters.KindOther},
		{401, "", false, 0, exporters.KindUnauthorized},
		{413, "", true, 0, exporters.KindOther},
		{429, "7", false, 7 * time.Second, exporters.KindThrottled},
		{503, "30", false, 30 * time.Second, exporters.KindServerError},
		{302, "", false, 0, exporters.KindOther},
	} {
		p := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", c.retry)
			http.Error(w, "because", c.code)
		}, nil)
		err := p.Post(t.Context(), mcloud.Batch{})
		var e *PostError
		if !errors.As(err, &e) || e.Permanent() != c.permanent || e.RetryAfter() != c.after || exporters.KindOf(err) != c.kind || !strings.Contains(err.Error(), "because") {
			t.Errorf("%d: %v", c.code, err)
		}
	}
}

func TestHTTPPosterHasADeadline(t *testing.T) {
	release := make(chan struct{})
	p := serve(t, func(http.ResponseWriter, *http.Request) { <-release }, func(o *HTTPOptions) { o.Timeout = 50 * time.Millisecond })
	defer close(release)
	if err := p.Post(context.Background(), mcloud.Batch{}); exporters.KindOf(err) != exporters.KindTimeout {
		t.Errorf("%v is of kind %s", err, exporters.KindOf(err))
	}
}

func TestHTTPOptions(t *testing.T) {
	for _, o := range []HTTPOptions{{URL: "127.0.0.1:9090"}, {URL: "http://user:pw@host"}, {URL: "http://host", Token: "t", User: "u"}} {
		if _, err := NewHTTPPoster(o); err == nil || strings.Contains(err.Error(), "pw") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
