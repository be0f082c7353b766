package openstack

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	json "github.com/go-json-experiment/json/v1"

	"mcloud/exporters"
)

// Microversion is "2.100": two numbers, not a decimal fraction. The zero value
// means none.
type Microversion struct{ Major, Minor int }

// ParseMicroversion reads "2.100".
func ParseMicroversion(s string) (Microversion, error) {
	major, minor, ok := strings.Cut(s, ".")
	a, errA := strconv.Atoi(major)
	b, errB := strconv.Atoi(minor)
	if !ok || errA != nil || errB != nil || a < 0 || b < 0 {
		return Microversion{}, fmt.Errorf("%q is not a microversion such as 2.88", s)
	}
	return Microversion{a, b}, nil
}

// String is "2.100".
func (m Microversion) String() string { return fmt.Sprintf("%d.%d", m.Major, m.Minor) }

// Less compares number by number.
func (m Microversion) Less(o Microversion) bool {
	return m.Major < o.Major || m.Major == o.Major && m.Minor < o.Minor
}

// AtLeast says that m is major.minor or newer.
func (m Microversion) AtLeast(major, minor int) bool { return !m.Less(Microversion{major, minor}) }

// negotiationLife is how long a negotiated version is believed: a service may be
// upgraded, or moved back, while the exporter runs.
const negotiationLife = time.Hour

// negotiation is what one API offers.
type negotiation struct {
	busy    chan struct{} // held by the one who negotiates; guards the fields below
	base    string        // URL of resources, without a slash at its end
	from    string        // endpoint that base was made of
	offered versionRange
	until   time.Time
}

// negotiate returns where the API's resources are and the newest microversion
// that both sides know.
func (c *Cloud) negotiate(ctx context.Context, api API, t *token) (string, Microversion, error) {
	endpoint, err := c.endpoint(t.catalog, api.Types)
	if err != nil {
		return "", Microversion{}, err
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return "", Microversion{}, fmt.Errorf("the catalogue's endpoint of %s is not a URL: %q", api.Name, endpoint)
	}
	n := c.negotiation(api.Name)
	select {
	case n.busy <- struct{}{}:
		defer func() { <-n.busy }()
	case <-ctx.Done():
		return "", Microversion{}, ctx.Err()
	}
	if n.from != endpoint || time.Now().After(n.until) {
		at := withVersion(u, api.Version)
		if api.Unscoped {
			if at, err = url.Parse(strings.TrimSuffix(versionRoot(at), "/")); err != nil {
				return "", Microversion{}, err
			}
		}
		offered := versionRange{}
		if api.Header != "" {
			if offered, err = c.offered(ctx, api, versionRoot(at), t); err != nil {
				return "", Microversion{}, err
			}
		}
		n.base, n.from, n.offered, n.until = at.String(), endpoint, offered, time.Now().Add(negotiationLife)
		c.log.Debug("an API was found", "api", api.Name, "url", n.base, "oldest", offered.min.String(), "newest", offered.max.String())
	}
	if api.Header == "" {
		return n.base, Microversion{}, nil
	}
	use, err := c.choose(api, n.offered)
	return n.base, use, err
}

// choose is the newest microversion that the API offers, its package knows and
// Options.MaxMicroversions allows.
func (c *Cloud) choose(api API, offered versionRange) (Microversion, error) {
	most := api.Max
	if lower, ok := c.opts.MaxMicroversions[api.Name]; ok {
		m, err := ParseMicroversion(lower)
		if err != nil {
			return m, fmt.Errorf("max microversion of %s: %w", api.Name, err)
		}
		if m.Less(most) {
			most = m
		}
	}
	use := offered.max
	if most.Less(use) {
		use = most
	}
	if use.Less(offered.min) || use.Less(api.Min) {
		return use, fmt.Errorf("%s speaks microversions %v to %v and mcloud %v to %v: they have none in common", api.Name, offered.min, offered.max, api.Min, most)
	}
	return use, nil
}

func (c *Cloud) negotiation(api string) *negotiation {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.versions[api]
	if n == nil {
		n = &negotiation{busy: make(chan struct{}, 1)}
		c.versions[api] = n
	}
	return n
}

// forget makes the next call to the API negotiate again.
func (c *Cloud) forget(api string) {
	n := c.negotiation(api)
	select {
	case n.busy <- struct{}{}:
		n.until = time.Time{}
		<-n.busy
	default: // someone negotiates just now
	}
}

// offered reads the API's version document.
func (c *Cloud) offered(ctx context.Context, api API, document string, t *token) (versionRange, error) {
	code, _, body, err := c.send(ctx, api.Name, document, map[string]string{"X-Auth-Token": t.id})
	if err != nil {
		return versionRange{}, c.asError(api.Name, http.MethodGet, "version document "+document, err)
	}
	if code != http.StatusOK && code != http.StatusMultipleChoices {
		return versionRange{}, statusError(api.Name, "version document "+document, code, body)
	}
	ranges, err := parseVersions(body)
	if err != nil {
		return versionRange{}, &Error{API: api.Name, Method: http.MethodGet, Path: document, Err: err, kind: exporters.KindDecode, Hint: "is the endpoint in the catalogue right?"}
	}
	for _, r := range ranges {
		if r.max.Major == api.Max.Major {
			return r, nil
		}
	}
	// Magnum says its microversions only before the version in the path.
	if u, err := url.Parse(document); err == nil && root(u) != document {
		return c.offered(ctx, api, root(u), t)
	}
	return versionRange{}, fmt.Errorf("%s at %s offers no microversions of %d.x; mcloud needs %v or newer", api.Name, document, api.Max.Major, api.Min)
}

type versionRange struct{ min, max Microversion }

// parseVersions reads a version document: {"version": {…}}, {"versions": […]}
// or Keystone's {"versions": {"values": […]}}. The newest microversion is called
// "version" by Nova and Cinder and "max_version" by Placement. Entries without
// microversions are left out.
func parseVersions(body []byte) ([]versionRange, error) {
	type entry struct {
		Min     string `json:"min_version"`
		Max     string `json:"max_version"`
		Version string `json:"version"`
	}
	var doc struct {
		Version  *entry          `json:"version"`
		Versions json.RawMessage `json:"versions"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, err
	}
	var entries []entry
	if doc.Version != nil {
		entries = append(entries, *doc.Version)
	}
	if doc.Versions != nil {
		var list []entry
		var values struct{ Values []entry }
		if err := json.Unmarshal(doc.Versions, &list); err != nil {
			if err := json.Unmarshal(doc.Versions, &values); err != nil {
				return nil, err
			}
			list = values.Values
		}
		entries = append(entries, list...)
	}
	var ranges []versionRange
	for _, e := range entries {
		least, errMin := ParseMicroversion(e.Min)
		most, errMax := ParseMicroversion(e.Max + e.Version) // one of them is empty
		if errMin == nil && errMax == nil {
			ranges = append(ranges, versionRange{least, most})
		}
	}
	return ranges, nil
}
