// Package horizon looks at a cloud's dashboard as somebody at the door does: its
// login page, without credentials, and one of the static files that the page
// names, because a page whose files are gone is of no use to anyone.
//
// Calls per round, horizon_login: 2 (each redirect within the host is one more).
package horizon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// api finds the dashboard in catalogues that have it; most do not.
var api = openstack.API{Name: "horizon", Types: []string{"dashboard"}}

const (
	// maxBytes bounds a page and a file. Horizon's login page has 9 KiB, its
	// largest script less than 2 MiB.
	maxBytes = 4 << 20
	// timeout bounds the answer to one request.
	timeout = 15 * time.Second
)

// Config configures Sources.
type Config struct {
	// URL is the dashboard's address; when empty, the catalogue's endpoint of type
	// dashboard, if it has one.
	URL    string
	Period time.Duration // 2 minutes if zero
}

// Sources returns what looks at Horizon: horizon_login.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source {
	cfg.Period = cmp.Or(cfg.Period, 2*time.Minute)
	return []exporters.Source{cloud.Source("horizon_login", "horizon", cfg.Period, time.Minute,
		func(ctx context.Context) (*exporters.Snapshot, error) { return collect(ctx, cloud, cfg.URL) },
		up, loginStatus, loginSeconds, loginBytes, loginForm, staticUp, staticSeconds, certificateExpiry)}
}

// Calls are the requests of this package: none, it asks without an account.
func Calls() []openstack.Call { return nil }

func gauge(name, unit, help string) *exporters.Family {
	return &exporters.Family{Name: name, Unit: unit, Type: exporters.Gauge, Set: exporters.SetBase, Call: "GET the login page", Help: help}
}

var (
	up = gauge("openstack_horizon_up", "",
		"Whether people can log in: 1 when the dashboard answers with a login form, or sends them to the login of another host; 0 otherwise.")
	loginStatus = gauge("openstack_horizon_login_status_code", "",
		"HTTP status of the login page, after redirects within the host; absent when nothing answered.")
	loginSeconds = gauge("openstack_horizon_login_seconds", "seconds",
		"How long the login page took, with redirects, to its end; absent when nothing answered.")
	loginBytes = gauge("openstack_horizon_login_bytes", "bytes",
		"Size of the login page; absent when nothing answered.")
	loginForm = gauge("openstack_horizon_login_form", "",
		"Whether the page has a login form with its token against forgery: 1 yes, 0 no, as on an error page; absent when nothing answered.")
	staticUp = gauge("openstack_horizon_static_up", "",
		"Whether a style sheet or script of the same host that the login page names answers: 1 yes, 0 no; absent when it names none.")
	staticSeconds = gauge("openstack_horizon_static_seconds", "seconds",
		"How long that style sheet or script took; absent when it did not answer.")
	certificateExpiry = gauge("openstack_horizon_certificate_expiry_timestamp_seconds", "seconds",
		"When the first of the certificates that the dashboard shows expires, as seconds since 1970; absent without TLS.")
)

func collect(ctx context.Context, cloud *openstack.Cloud, at string) (*exporters.Snapshot, error) {
	if at == "" {
		found, err := cloud.Endpoint(ctx, api)
		if errors.Is(err, exporters.ErrAbsent) {
			return nil, fmt.Errorf("%w: neither openstack.horizon in the configuration nor the catalogue says where Horizon is", exporters.ErrAbsent)
		}
		if err != nil {
			return nil, err
		}
		at = found
	}
	s := &exporters.Snapshot{Seen: 1}
	door, err := visit(ctx, cloud, at, "text/html")
	if !door.Expires.IsZero() {
		s.Add(certificateExpiry, float64(door.Expires.Unix()))
	}
	if door.Code != 0 {
		s.Add(loginStatus, float64(door.Code))
	}
	if err != nil {
		s.Add(up, 0)
		s.Failed = append(s.Failed, exporters.ObjectError{Object: "login page", Err: err})
		return s, nil
	}
	s.Add(loginSeconds, door.Took.Seconds())
	s.Add(loginBytes, float64(len(door.Body)))
	page := readPage(door.Body, door.URL)
	s.Add(loginForm, exporters.Bool(page.form))
	elsewhere := leadsElsewhere(door)
	s.Add(up, exporters.Bool(elsewhere || door.Code == http.StatusOK && page.form))
	switch {
	case elsewhere:
		return s, nil
	case door.Code != http.StatusOK:
		s.Failed = append(s.Failed, exporters.ObjectError{Object: "login page", Err: exporters.WithKind(fmt.Errorf("%s answers %d %s", door.URL, door.Code, http.StatusText(door.Code)), exporters.HTTPKind(door.Code))})
	case !page.form:
		s.Failed = append(s.Failed, exporters.ObjectError{Object: "login page", Err: exporters.WithKind(fmt.Errorf("%s answers with a page that has no login form", door.URL), exporters.KindDecode)})
	}
	if page.asset != "" {
		addStatic(ctx, cloud, s, page.asset)
	}
	return s, nil
}

// leadsElsewhere says that the page is a redirect to another host: a single
// sign-on, which is not ours to visit.
func leadsElsewhere(v openstack.Visit) bool {
	from, errFrom := url.Parse(v.URL)
	to, errTo := url.Parse(v.Location)
	return errFrom == nil && errTo == nil && to.Host != "" && to.Host != from.Host
}

func addStatic(ctx context.Context, cloud *openstack.Cloud, s *exporters.Snapshot, at string) {
	s.Seen++
	file, err := visit(ctx, cloud, at, "*/*")
	if err == nil && (file.Code != http.StatusOK || len(file.Body) == 0) {
		err = exporters.WithKind(fmt.Errorf("%s answers %d with %d bytes", at, file.Code, len(file.Body)), exporters.HTTPKind(file.Code))
	}
	s.Add(staticUp, exporters.Bool(err == nil))
	if err != nil {
		s.Failed = append(s.Failed, exporters.ObjectError{Object: "static file", Err: err})
		return
	}
	s.Add(staticSeconds, file.Took.Seconds())
}

func visit(ctx context.Context, cloud *openstack.Cloud, at, accept string) (openstack.Visit, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return cloud.Visit(ctx, "horizon", at, accept, maxBytes)
}
