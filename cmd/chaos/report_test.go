package main

import (
	"strings"
	"testing"
	"time"
)

func TestReport(t *testing.T) {
	const s = time.Second
	good := outcome{fault: "kill", took: 9 * s, acknowledged: 500, arrived: s, rulesStood: 2 * s}
	worse := outcome{fault: "kill", took: 12 * s, acknowledged: 100, arrived: 4 * s, rulesStood: s}
	for says, rounds := range map[string][]outcome{
		"":                           {good, worse, {fault: "disk full", took: s, acknowledged: 7}},
		"2 acknowledged samples are": {good, {fault: "kill", acknowledged: 9, missing: 2}},
		"1 doubled":                  {good, {fault: "kill", acknowledged: 9, doubled: 1}},
		"stood still for more":       {good, {fault: "kill", acknowledged: 9, rulesStood: 11 * s}},
		"that is no load":            {good, {fault: "kill"}},
	} {
		var text strings.Builder
		r := newReport(&text, 10*s)
		for i, o := range rounds {
			r.add(i+1, o)
		}
		err := r.end(time.Minute)
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
		if says != "" {
			continue
		}
		_, summary, _ := strings.Cut(text.String(), "\n\n")
		const want = `FAULT      ROUNDS  ACKNOWLEDGED  MISSING  DOUBLED  LONGEST ROUND  ALL STORED AFTER AT MOST  RULES STOOD AT MOST
disk full  1       7             0        0        1.0s           0.0s                      0.0s
kill       2       600           0        0        12.0s          4.0s                      2.0s

3 rounds in 1m0s: 607 samples acknowledged, 0 missing, 0 doubled; rules stood still for 2.0 s at most
`
		if summary != want {
			t.Errorf("%s\nwant\n%s", summary, want)
		}
	}
}
