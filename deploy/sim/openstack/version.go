package openstack

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// version is a microversion.
type version struct{ major, minor int }

func (v version) String() string { return fmt.Sprintf("%d.%d", v.major, v.minor) }

// since says whether the call negotiated major.minor or newer.
func (c *call) since(minor int) bool { return c.version.minor >= minor }

func parseVersion(text string) (version, bool) {
	major, minor, ok := strings.Cut(text, ".")
	if !ok {
		return version{}, false
	}
	a, err1 := strconv.Atoi(major)
	b, err2 := strconv.Atoi(minor)
	return version{a, b}, err1 == nil && err2 == nil && a >= 0 && b >= 0
}

// negotiate sets c.version from the request's headers and names it in the
// answer's; it returns the refusal when the version is not served. The format
// is that of the API SIG's microversion specification.
func (svc *service) negotiate(c *call) *answer {
	want := svc.fallback
	text := c.Header.Get(svc.old)
	for _, line := range c.Header.Values("OpenStack-API-Version") {
		for _, one := range strings.Split(line, ",") {
			if name, v, ok := strings.Cut(strings.TrimSpace(one), " "); ok && name == svc.name {
				text = strings.TrimSpace(v)
			}
		}
	}
	switch text {
	case "":
	case "latest":
		want = svc.high
	default:
		v, ok := parseVersion(text)
		if !ok {
			a := svc.fail(c, http.StatusBadRequest, "API Version String %s is of invalid format. Must be of format MajorNum.MinorNum.", text)
			return &a
		}
		want = v
	}
	c.header.Add("Vary", "OpenStack-API-Version")
	served := want.major == svc.high.major && want.minor >= svc.low.minor && want.minor <= svc.high.minor
	if served || svc.old != "" || svc == volume { // Placement names none that it does not serve
		c.header.Set("OpenStack-API-Version", svc.name+" "+want.String())
	}
	if svc.old != "" {
		c.header.Set(svc.old, want.String())
		c.header.Add("Vary", svc.old)
	}
	if !served {
		a := svc.fail(c, http.StatusNotAcceptable, "Version %s is not supported by the API. Minimum is %s and maximum is %s.", want, svc.low, svc.high)
		return &a
	}
	c.version = want
	return nil
}
