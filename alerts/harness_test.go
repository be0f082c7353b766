package alerts

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
	"go.yaml.in/yaml/v3"
)

// The files in tests/ are promtool's, and `make check-alerts` has promtool run them.
// Here they run in this process over plain slices, so that a thousand mutants of the
// rules take seconds.

// testFile is what promtool reads, of which the tests of PromQL are promtool's alone.
type testFile struct {
	RuleFiles          []string       `yaml:"rule_files"`
	EvaluationInterval model.Duration `yaml:"evaluation_interval"`
	Tests              []scenario     `yaml:"tests"`
}

type scenario struct {
	Name        string         `yaml:"name"`
	Interval    model.Duration `yaml:"interval"`
	InputSeries []struct {
		Series string `yaml:"series"`
		Values string `yaml:"values"`
	} `yaml:"input_series"`
	Alerts []expectation `yaml:"alert_rule_test"`
	Exprs  []any         `yaml:"promql_expr_test"`
}

// expectation is what fires of one alert at one moment.
type expectation struct {
	EvalTime  model.Duration `yaml:"eval_time"`
	Alertname string         `yaml:"alertname"`
	ExpAlerts []firing       `yaml:"exp_alerts"`
}

type firing struct {
	Labels      map[string]string `yaml:"exp_labels"`
	Annotations map[string]string `yaml:"exp_annotations"`
}

func (f firing) String() string { return fmt.Sprintf("%v %v", f.Labels, f.Annotations) }

var promQL = parser.NewParser(parser.Options{})

// ruleFiles are the groups of every file in rules/, by its name.
func ruleFiles(t *testing.T) map[string][]rulefmt.RuleGroup {
	t.Helper()
	names, err := fs.Glob(Rules, "rules/*.yml")
	if err != nil || len(names) == 0 {
		t.Fatalf("no rules: %v", err)
	}
	files := map[string][]rulefmt.RuleGroup{}
	for _, name := range names {
		content, err := fs.ReadFile(Rules, name)
		if err != nil {
			t.Fatal(err)
		}
		groups, errs := rulefmt.Parse(content, false, model.UTF8Validation, promQL, slog.New(slog.DiscardHandler))
		for _, err := range errs {
			t.Errorf("%s: %v", name, err)
		}
		if groups == nil {
			t.FailNow()
		}
		files[filepath.Base(name)] = groups.Groups
	}
	return files
}

// testFiles are the files in tests/, by their name.
func testFiles(t *testing.T) map[string]testFile {
	t.Helper()
	names, err := filepath.Glob("tests/*_test.yml")
	if err != nil || len(names) == 0 {
		t.Fatalf("no rule tests: %v", err)
	}
	files := map[string]testFile{}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var f testFile
		if err := yaml.Unmarshal(content, &f); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if f.EvaluationInterval == 0 {
			t.Fatalf("%s: no evaluation_interval", name)
		}
		files[filepath.Base(name)] = f
	}
	return files
}

// built is a rule that can be evaluated.
func built(t *testing.T, r rulefmt.Rule, expr parser.Expr, hold time.Duration) rules.Rule {
	t.Helper()
	if r.Record != "" {
		return rules.NewRecordingRule(r.Record, expr, labels.FromMap(r.Labels))
	}
	return rules.NewAlertingRule(r.Alert, expr, hold, time.Duration(r.KeepFiringFor), labels.FromMap(r.Labels), labels.FromMap(r.Annotations), labels.EmptyLabels(), "", true, slog.New(slog.DiscardHandler))
}

func parsed(t *testing.T, r rulefmt.Rule) parser.Expr {
	t.Helper()
	e, err := promQL.ParseExpr(r.Expr)
	if err != nil {
		t.Fatalf("%s%s: %v", r.Alert, r.Record, err)
	}
	return e
}

// play evaluates the rules in their order over the scenario as promtool does, and
// returns what fires at each of the moments that are asked for.
func play(t *testing.T, s scenario, every time.Duration, what []rules.Rule) map[model.Duration]map[string][]firing {
	t.Helper()
	m := load(t, s)
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, Parser: promQL, EnableAtModifier: true, EnableNegativeOffset: true})
	query := rules.EngineQueryFunc(engine, m)
	var moments []time.Duration
	for _, a := range s.Alerts {
		moments = append(moments, time.Duration(a.EvalTime))
	}
	slices.Sort(moments)
	moments = slices.Compact(moments)
	fired := map[model.Duration]map[string][]firing{}
	for at := time.Duration(0); len(moments) > 0; at += every {
		ts := time.Unix(0, 0).UTC().Add(at)
		for _, r := range what {
			vector, err := r.Eval(context.Background(), 0, ts, query, &url.URL{}, 0)
			if err != nil {
				t.Fatalf("%s: %v", r.Name(), err)
			}
			if _, records := r.(*rules.RecordingRule); records {
				m.add(vector)
			}
		}
		for len(moments) > 0 && moments[0] < at+every {
			now := map[string][]firing{}
			for _, r := range what {
				if a, ok := r.(*rules.AlertingRule); ok {
					now[a.Name()] = firings(a)
				}
			}
			fired[model.Duration(moments[0])] = now
			moments = moments[1:]
		}
	}
	return fired
}

func firings(a *rules.AlertingRule) []firing {
	var all []firing
	for _, alert := range a.ActiveAlerts() {
		if alert.State == rules.StateFiring {
			l := alert.Labels.Map()
			delete(l, "alertname")
			all = append(all, firing{Labels: l, Annotations: alert.Annotations.Map()})
		}
	}
	return ordered(all)
}

func ordered(f []firing) []firing {
	sort.Slice(f, func(i, j int) bool { return f[i].String() < f[j].String() })
	return f
}

// differs says what of the scenario's expectations is not met, "" when all are.
func differs(s scenario, fired map[model.Duration]map[string][]firing, only string) string {
	var b strings.Builder
	for _, want := range s.Alerts {
		if only != "" && want.Alertname != only {
			continue
		}
		got := fmt.Sprint(fired[want.EvalTime][want.Alertname])
		if expected := fmt.Sprint(ordered(slices.Clone(want.ExpAlerts))); got != expected {
			fmt.Fprintf(&b, "%s, %s at %s:\n got  %s\n want %s\n", s.Name, want.Alertname, want.EvalTime, got, expected)
		}
	}
	return b.String()
}

// memory is a storage of few series.
type memory struct{ series []*held }

type held struct {
	labels  labels.Labels
	samples []chunks.Sample
}

func load(t *testing.T, s scenario) *memory {
	t.Helper()
	m := &memory{}
	for _, in := range s.InputSeries {
		l, values, err := promQL.ParseSeriesDesc(in.Series + " " + in.Values)
		if err != nil {
			t.Fatalf("%s: %s: %v", s.Name, in.Series, err)
		}
		h := &held{labels: l}
		for i, v := range values {
			if !v.Omitted {
				h.samples = append(h.samples, sample{int64(i) * time.Duration(s.Interval).Milliseconds(), v.Value})
			}
		}
		m.series = append(m.series, h)
	}
	return m
}

// add keeps what a recording rule made. Series that it no longer makes just end: no
// test looks at one within the five minutes in which that would show.
func (m *memory) add(vector promql.Vector) {
	for _, v := range vector {
		i := slices.IndexFunc(m.series, func(h *held) bool { return labels.Equal(h.labels, v.Metric) })
		if i < 0 {
			i = len(m.series)
			m.series = append(m.series, &held{labels: v.Metric})
		}
		m.series[i].samples = append(m.series[i].samples, sample{v.T, v.F})
	}
}

// Querier implements storage.Queryable.
func (m *memory) Querier(_, _ int64) (storage.Querier, error) { return m, nil }

// Close implements storage.Querier.
func (m *memory) Close() error { return nil }

// LabelValues implements storage.Querier.
func (m *memory) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

// LabelNames implements storage.Querier.
func (m *memory) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

// Select implements storage.Querier.
func (m *memory) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	found := &set{}
	for _, h := range m.series {
		if !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(h.labels.Get(m.Name)) }) {
			found.series = append(found.series, storage.NewListSeries(h.labels, h.samples))
		}
	}
	slices.SortFunc(found.series, func(a, b storage.Series) int { return labels.Compare(a.Labels(), b.Labels()) })
	return found
}

type set struct {
	series []storage.Series
	next   int
}

func (s *set) Next() bool                        { s.next++; return s.next <= len(s.series) }
func (s *set) At() storage.Series                { return s.series[s.next-1] }
func (s *set) Err() error                        { return nil }
func (s *set) Warnings() annotations.Annotations { return nil }

type sample struct {
	t int64
	f float64
}

func (s sample) T() int64                      { return s.t }
func (s sample) ST() int64                     { return 0 }
func (s sample) F() float64                    { return s.f }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }
