package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mcloud"
)

func TestWriteSlowQueries(t *testing.T) {
	at := time.Date(2026, 11, 20, 12, 30, 1, 5e6, time.UTC)
	queries := []mcloud.SlowQuery{
		{ID: "1", Time: at, Kind: "range", Start: at.Add(-30 * 24 * time.Hour), End: at, StepSeconds: 3600, Seconds: 12.34, Samples: 5_000_000, Reason: mcloud.SlowTimeout, Error: "query timed out", User: "noc",
			Expression: "sum by (host) (\n\trate(x{a=\"<\x1b[31m\"}[5m])\n)"},
		{ID: "2", Time: at, Kind: "instant", Seconds: 5.1, Reason: mcloud.SlowAnswered, Expression: strings.Repeat("x", 200)},
	}
	var out strings.Builder
	if err := writeSlowQueries(&out, "table", "24h", queries); err != nil {
		t.Fatal(err)
	}
	want := `BEGAN (UTC)          SECONDS  REASON   SAMPLES  ASKED FOR   BY   EXPRESSION
2026-11-20 12:30:01  12.3     timeout  5000000  30d by 1h   noc  sum by (host) ( rate(x{a="< [31m"}[5m]) )
2026-11-20 12:30:01  5.1      slow     0        an instant  -    ` + strings.Repeat("x", 99) + "…\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	out.Reset()
	if err := writeSlowQueries(&out, "json", "24h", queries); err != nil {
		t.Fatal(err)
	}
	var back []mcloud.SlowQuery
	if err := json.Unmarshal([]byte(out.String()), &back); err != nil || cmp.Diff(queries, back) != "" || !strings.Contains(out.String(), "<") {
		t.Errorf("%v %s", err, out.String())
	}
	out.Reset()
	if err := writeSlowQueries(&out, "table", "7d", nil); err != nil || out.String() != "no slow queries in the last 7d\n" {
		t.Errorf("%v %q", err, out.String())
	}
}
