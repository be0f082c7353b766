package alerts

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
)

// mutant is a rule with one thing changed.
type mutant struct {
	what string
	expr parser.Expr
	hold time.Duration // before it fires
	keep time.Duration // after what it fires for is over
}

// turned is the comparison that answers otherwise, bordering the one that does at the
// border only.
var turned = map[parser.ItemType]parser.ItemType{
	parser.EQLC: parser.NEQ, parser.NEQ: parser.EQLC,
	parser.GTR: parser.LSS, parser.LSS: parser.GTR, parser.GTE: parser.LTE, parser.LTE: parser.GTE,
}

// mutants changes each comparison, each number and each offset of the alert, and how long it
// waits before and after.
func mutants(t *testing.T, r rulefmt.Rule) []mutant {
	t.Helper()
	hold, keep := time.Duration(r.For), time.Duration(r.KeepFiringFor)
	var all []mutant
	// change parses the expression anew, so that one change is all that is changed.
	change := func(n int, do func(parser.Node) string) {
		e, i := parsed(t, r), 0
		parser.Inspect(e, func(node parser.Node, _ []parser.Node) error {
			if i == n {
				all = append(all, mutant{what: do(node), expr: e, hold: hold, keep: keep})
			}
			i++
			return nil
		})
	}
	compares := strings.ContainsAny(parsed(t, r).String(), "<>=")
	n := 0
	parser.Inspect(parsed(t, r), func(node parser.Node, _ []parser.Node) error {
		at := n
		n++
		switch node := node.(type) {
		case *parser.BinaryExpr:
			if other, compares := turned[node.Op]; compares {
				change(at, func(node parser.Node) string {
					b := node.(*parser.BinaryExpr)
					was := b.String()
					b.Op = other
					return fmt.Sprintf("%s for %s", other, was)
				})
			}
		case *parser.VectorSelector:
			if node.OriginalOffset == 0 {
				return nil
			}
			for _, v := range []time.Duration{node.OriginalOffset / 2, node.OriginalOffset * 2} {
				change(at, func(node parser.Node) string {
					s := node.(*parser.VectorSelector)
					was := s.String()
					s.OriginalOffset = v
					return fmt.Sprintf("%s for %s", s, was)
				})
			}
		case *parser.NumberLiteral:
			if !compares {
				return nil // vector(1)
			}
			for _, v := range around(node.Val) {
				change(at, func(node parser.Node) string {
					l := node.(*parser.NumberLiteral)
					was := l.Val
					l.Val = v
					return fmt.Sprintf("%g for %g", v, was)
				})
			}
		}
		return nil
	})
	if hold > 0 {
		all = append(all, mutant{"no for", parsed(t, r), 0, keep}, mutant{"for doubled", parsed(t, r), 2 * hold, keep})
	}
	if keep > 0 {
		all = append(all, mutant{"no keep_firing_for", parsed(t, r), hold, 0}, mutant{"keep_firing_for doubled", parsed(t, r), hold, 2 * keep})
	}
	return all
}

// around are numbers a little to both sides of v.
func around(v float64) []float64 {
	if v == math.Trunc(v) && math.Abs(v) <= 10 {
		return []float64{v - 1, v + 1}
	}
	return []float64{0.75 * v, 1.25 * v}
}

// TestMutantsAreCaught changes every alert in every way that mutants knows, and wants a
// case in tests/ to fail for each.
func TestMutantsAreCaught(t *testing.T) {
	files, tests := ruleFiles(t), testFiles(t)
	var made atomic.Int64
	t.Run("files", func(t *testing.T) {
		for file, groups := range files {
			t.Run(file, func(t *testing.T) {
				t.Parallel()
				for _, g := range groups {
					for i, r := range g.Rules {
						if r.Alert == "" {
							continue
						}
						for _, m := range mutants(t, r) {
							made.Add(1)
							if !caught(t, file, before(t, g.Rules[:i]), r, m, tests) {
								t.Errorf("%s: no test fails with %s", r.Alert, m.what)
							}
						}
					}
				}
			})
		}
	})
	t.Logf("%d mutants", made.Load())
	if made.Load() < 500 {
		t.Errorf("%d mutants", made.Load())
	}
}

// before are the recording rules that an alert of the group may build on.
func before(t *testing.T, group []rulefmt.Rule) []rulefmt.Rule {
	t.Helper()
	var records []rulefmt.Rule
	for _, r := range group {
		if r.Record != "" {
			records = append(records, r)
		}
	}
	return records
}

func caught(t *testing.T, file string, records []rulefmt.Rule, r rulefmt.Rule, m mutant, tests map[string]testFile) bool {
	t.Helper()
	r.KeepFiringFor = model.Duration(m.keep)
	for _, f := range tests {
		if len(f.RuleFiles) == 0 || filepath.Base(f.RuleFiles[0]) != file {
			continue
		}
		for _, s := range f.Tests {
			about := s
			about.Alerts = nil
			for _, e := range s.Alerts {
				if e.Alertname == r.Alert {
					about.Alerts = append(about.Alerts, e)
				}
			}
			if len(about.Alerts) == 0 {
				continue
			}
			var what []rules.Rule
			for _, record := range records {
				if strings.Contains(r.Expr, record.Record) || strings.HasPrefix(record.Record, "mcloud_osd") {
					what = append(what, built(t, record, parsed(t, record), 0))
				}
			}
			what = append(what, built(t, r, m.expr, m.hold))
			if differs(about, play(t, about, time.Duration(f.EvaluationInterval), what), "") != "" {
				return true
			}
		}
	}
	return false
}
