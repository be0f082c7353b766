package main

import (
	"strings"
	"testing"
	"time"

	"mcloud/cmd/config"
)

func TestRemoteFlags(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 3, 0, 0, time.UTC)
	r, err := (&remoteFlags{url: "http://p:9090/api/v1/read", from: "2026-01-31"}).remote(now)
	if err != nil || !r.From.Equal(time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)) || !r.To.Equal(now.Truncate(time.Hour).Add(-time.Hour)) || len(r.Selectors) != 1 || r.Selectors[0][0].String() != `__name__=~".+"` {
		t.Errorf("%+v %v", r, err)
	}
	r, err = (&remoteFlags{url: "http://p:9090/api/v1/read", from: "2026-01-31T08:00:00+01:00", to: "2026-02-01", match: []string{"up", `{job="a"}`}}).remote(now)
	if err != nil || r.From.Hour() != 7 || len(r.Selectors) != 2 || r.Selectors[1][0].String() != `job="a"` {
		t.Errorf("%+v %v", r, err)
	}
	for says, f := range map[string]remoteFlags{
		"--from":          {url: "http://p/read"},
		"--to":            {url: "http://p/read", from: "2026-01-31", to: "tomorrow"},
		"--match":         {url: "http://p/read", from: "2026-01-31", match: []string{"up["}},
		"--password-file": {url: "http://p/read", from: "2026-01-31", client: config.Client{User: "a"}},
		"no address to":   {url: "p", from: "2026-01-31"},
	} {
		if _, err := f.remote(now); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
}

func TestPassedOver(t *testing.T) {
	many := map[string]int{"b": 2, "a": 2, "c": 9}
	if n, text := passedOver(many); n != 13 || text != "c (9), a (2), b (2)" {
		t.Errorf("%d %q", n, text)
	}
	for _, x := range strings.Split("d e f g h i j k l", " ") {
		many[x] = 1
	}
	if n, text := passedOver(many); n != 22 || !strings.HasSuffix(text, "j (1) and 2 more metrics") {
		t.Errorf("%d %q", n, text)
	}
}
