package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// horizonURL is where the lab's dashboard is (see openstack/up).
const horizonURL = "http://127.0.0.1:8080/"

// horizonOurs leaves the page's size out: no two of its pages have the same.
func horizonOurs(p page) readings {
	out := make(readings)
	for family, thing := range map[string]string{
		"openstack_horizon_login_status_code": "login page status", "openstack_horizon_login_form": "login form",
	} {
		p.each(family, func(_ map[string]string, v float64) { out.add(thing, "horizon", v) })
	}
	return out
}

// answered is what curl writes of a page that it read.
type answered struct {
	Code int `json:"http_code"`
}

func horizonReadings(a answered, body string) readings {
	out := make(readings)
	out.add("login page status", "horizon", float64(a.Code))
	out.add("login form", "horizon", truth(strings.Contains(body, "<form") && strings.Contains(body, "csrfmiddlewaretoken")))
	return out
}

func horizonTheirs(ctx context.Context, c *clients) (readings, error) {
	stdout, stderr, err := c.start(ctx, "", "curl", "--silent", "--show-error", "--location", "--max-time", "30", "--write-out", `\n%{json}`, horizonURL)
	if err != nil {
		return nil, fmt.Errorf("curl %s: %w: %s", horizonURL, err, stderr)
	}
	body, line := string(stdout), ""
	if at := strings.LastIndex(body, "\n"); at >= 0 {
		body, line = body[:at], body[at+1:]
	}
	var a answered
	if err := json.Unmarshal([]byte(line), &a); err != nil {
		return nil, fmt.Errorf("curl %s: %w", horizonURL, err)
	}
	return horizonReadings(a, body), nil
}
