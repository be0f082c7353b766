package query

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/annotations"
	"github.com/prometheus/prometheus/util/stats"
)

// Evaluator computes functions over time in the long-term store.
type Evaluator interface {
	// CanOverTime tells whether it knows a function of PromQL, or "", which stands for a
	// selector: the latest sample in the window unless that is a stale marker.
	CanOverTime(function string) bool
	// OverTime gives, for every series that matches and every t = start, start+step, … ≤
	// end, what the function makes of the samples in (t-window, t]: a sample at t, none
	// where there is no value. Labels are those of the function's result. Times are in
	// milliseconds, step may be 0 when start is end. An answer that could differ from
	// Prometheus's by more than 1e-9 has to be an error with a method Inexact() bool.
	OverTime(ctx context.Context, function string, start, end, step, window int64, matchers ...*labels.Matcher) ([]storage.Series, error)
}

// PushDown is an engine that leaves functions over time to the long-term store where
// that gives the same: in sum by (x) (rate(y[1h])) the rate is replaced by a selector
// that only this engine knows, whose samples are what the store computed at each step.
// Everything around it, and the steps that reach into the hot storage, remain with
// Prometheus's engine. When the store cannot, for whatever reason, the query runs as if
// there were no push-down.
type PushDown struct {
	promql.QueryEngine // does the rest
	Parser             parser.Parser
	// MinStep is the shortest step at which the store is asked for single samples (10 min):
	// at shorter ones nearly all samples that it has are sent anyway.
	MinStep time.Duration
	// Lookback is the engine's (5 min).
	Lookback time.Duration
	// DelayedNames says that the engine removes metric names at the end of a query; then
	// names inside of it have to be kept, which the store does not.
	DelayedNames bool
}

// pushedLabel marks a selector that stands for what the store computed.
const pushedLabel = "__mcloud_pushed__"

type pushDownKey struct{}

// WithPushDown switches push-down on or off for one query.
func WithPushDown(ctx context.Context, on bool) context.Context {
	return context.WithValue(ctx, pushDownKey{}, on)
}

// NewInstantQuery implements promql.QueryEngine.
func (p *PushDown) NewInstantQuery(ctx context.Context, q storage.Queryable, o promql.QueryOpts, expr string, at time.Time) (promql.Query, error) {
	return p.query(q, o, expr, grid{at.UnixMilli(), at.UnixMilli(), 0}, func(q storage.Queryable, expr string) (promql.Query, error) {
		return p.QueryEngine.NewInstantQuery(ctx, q, o, expr, at)
	}, func(expr string, g grid) (promql.Query, error) {
		return p.QueryEngine.NewInstantQuery(ctx, q, o, expr, time.UnixMilli(g.start))
	})
}

// NewRangeQuery implements promql.QueryEngine.
func (p *PushDown) NewRangeQuery(ctx context.Context, q storage.Queryable, o promql.QueryOpts, expr string, start, end time.Time, step time.Duration) (promql.Query, error) {
	return p.query(q, o, expr, grid{start.UnixMilli(), end.UnixMilli(), step.Milliseconds()}, func(q storage.Queryable, expr string) (promql.Query, error) {
		return p.QueryEngine.NewRangeQuery(ctx, q, o, expr, start, end, step)
	}, func(expr string, g grid) (promql.Query, error) {
		return p.QueryEngine.NewRangeQuery(ctx, q, o, expr, time.UnixMilli(g.start), time.UnixMilli(g.end), step)
	})
}

// grid is the steps of a query, in milliseconds; step is 0 for an instant one.
type grid struct{ start, end, step int64 }

// before cuts the grid in two: the steps before a time, and those from it on.
func (g grid) before(t int64) (early, late *grid) {
	switch {
	case t > g.end:
		return &g, nil
	case t <= g.start || g.step == 0:
		return nil, &g
	}
	first := g.start + (t-g.start+g.step-1)/g.step*g.step // not before t
	if first > g.end {
		return &g, nil
	}
	return &grid{g.start, first - g.step, g.step}, &grid{first, g.end, g.step}
}

func (p *PushDown) query(q storage.Queryable, o promql.QueryOpts, expr string, g grid, whole func(storage.Queryable, string) (promql.Query, error), part func(string, grid) (promql.Query, error)) (promql.Query, error) {
	plain, err := whole(q, expr)
	ours, is := q.(*Queryable)
	if err != nil || !is || ours.opts.Evaluator == nil || g.step == 0 && g.start != g.end || g.end < g.start {
		return plain, err
	}
	lookback := p.Lookback
	if lookback <= 0 {
		lookback = Limits{}.WithDefaults().LookbackDelta
	}
	if o != nil && o.LookbackDelta() > 0 {
		lookback = o.LookbackDelta()
	}
	start, err := ours.opts.Hot.StartTime()
	if err != nil {
		return plain, nil // the query meets the same error and reports it
	}
	calls := p.candidates(ours, expr, g, lookback, start)
	if len(calls) == 0 {
		return plain, nil
	}
	return &pushedQuery{Query: plain, engine: p, queryable: ours, expr: expr, calls: calls, whole: whole, part: part}, nil
}

// call is one function over time that the store may compute.
type call struct {
	expr        string // as it was written
	at          int    // where, in bytes
	function    string // "" for a selector: the latest sample of the lookback
	window      int64
	offset      int64
	matchers    []*labels.Matcher
	name        string           // the metric's
	early, late *grid            // the steps of the store, and those with hot samples; late may be nil
	plain       bool             // no range that is an expression
	selector    parser.Node      // for positions in annotations
	samples     []storage.Series // the result
	warnings    annotations.Annotations
}

// candidates finds the calls that can be pushed down, in the order of the text.
func (p *PushDown) candidates(q *Queryable, expr string, g grid, lookback time.Duration, hotStart int64) []*call {
	parsed, err := p.Parser.ParseExpr(expr)
	if err != nil {
		return nil
	}
	var calls []*call
	parser.Inspect(parsed, func(node parser.Node, path []parser.Node) error {
		one := &call{}
		var selector parser.Expr
		switch n := node.(type) {
		case *parser.Call:
			if len(n.Args) != 1 {
				return nil
			}
			m, is := n.Args[0].(*parser.MatrixSelector)
			if !is || !q.opts.Evaluator.CanOverTime(n.Func.Name) {
				return nil
			}
			one.function, one.window, one.selector, selector = n.Func.Name, m.Range.Milliseconds(), m, m.VectorSelector
			one.plain = m.RangeExpr == nil
		case *parser.VectorSelector:
			if len(path) > 0 {
				if _, is := path[len(path)-1].(*parser.MatrixSelector); is {
					return nil
				}
			}
			if g.step < p.minStep().Milliseconds() || !q.opts.Evaluator.CanOverTime("") {
				return nil
			}
			one.window, one.selector, selector, one.plain = lookback.Milliseconds(), n, n, true
		default:
			return nil
		}
		if reason := p.candidate(one, selector, path, g, hotStart); reason != "" {
			q.metrics.kept.WithLabelValues(reason).Inc()
			return nil
		}
		pos := node.PositionRange()
		one.at, one.expr = int(pos.Start), expr[pos.Start:pos.End]
		calls = append(calls, one)
		return nil
	})
	slices.SortFunc(calls, func(a, b *call) int { return a.at - b.at })
	return calls
}

// candidate returns a reason why a call cannot be pushed down, or fills in what it asks.
func (p *PushDown) candidate(one *call, selector parser.Expr, path []parser.Node, g grid, hotStart int64) string {
	s, is := selector.(*parser.VectorSelector)
	if !is {
		return "expression"
	}
	one.offset, one.matchers = s.OriginalOffset.Milliseconds(), s.LabelMatchers
	for _, match := range s.LabelMatchers {
		if match.Name == model.MetricNameLabel && match.Type == labels.MatchEqual && match.Value != "" {
			one.name = match.Value
		}
	}
	one.early, one.late = g.before(addSaturated(hotStart, one.offset))
	switch {
	case one.early == nil:
		return "hot"
	case s.Timestamp != nil || s.StartOrEnd != 0:
		return "at modifier"
	case s.OriginalOffsetExpr != nil || !one.plain || s.Anchored || s.Smoothed:
		return "expression"
	case one.name == "":
		// Series of several metrics may be the same without their names, which is an error.
		return "several metrics"
	}
	for i, above := range path {
		switch n := above.(type) {
		case *parser.SubqueryExpr:
			return "subquery"
		case *parser.Call:
			// These look at the selector itself.
			if n.Func.Name == "absent" || n.Func.Name == "info" || n.Func.Name == "timestamp" {
				return n.Func.Name
			}
		}
		if p.DelayedNames && i > 0 {
			return "name kept"
		}
	}
	return ""
}

func (p *PushDown) minStep() time.Duration {
	if p.MinStep > 0 {
		return p.MinStep
	}
	return 10 * time.Minute
}

func addSaturated(a, b int64) int64 {
	if b > 0 && a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// pushedQuery runs with push-down, or else as the query it stands for.
type pushedQuery struct {
	promql.Query // without push-down
	engine       *PushDown
	queryable    *Queryable
	expr         string
	calls        []*call
	whole        func(storage.Queryable, string) (promql.Query, error)
	part         func(string, grid) (promql.Query, error)
	pushed       promql.Query // with; nil when it did not come to that
}

// Exec implements promql.Query.
func (q *pushedQuery) Exec(ctx context.Context) *promql.Result {
	if on, is := ctx.Value(pushDownKey{}).(bool); is && !on {
		return q.Query.Exec(ctx)
	}
	m := q.queryable.metrics
	for _, c := range q.calls {
		if reason := q.compute(ctx, c); reason != "" {
			m.fellBack.WithLabelValues(reason).Inc()
			return q.Query.Exec(ctx)
		}
	}
	var text strings.Builder
	done := 0
	for i, c := range q.calls {
		fmt.Fprintf(&text, `%s{%s="%d"}`, q.expr[done:c.at], pushedLabel, i)
		done = c.at + len(c.expr)
	}
	text.WriteString(q.expr[done:])
	pushed, err := q.whole(pushedQueryable{q.queryable, q.calls}, text.String())
	if err != nil {
		m.fellBack.WithLabelValues("expression").Inc()
		return q.Query.Exec(ctx)
	}
	q.pushed = pushed
	m.pushed.Inc()
	return pushed.Exec(ctx)
}

// Stats implements promql.Query.
func (q *pushedQuery) Stats() *stats.Statistics {
	if q.pushed != nil {
		return q.pushed.Stats()
	}
	return q.Query.Stats()
}

// Cancel implements promql.Query.
func (q *pushedQuery) Cancel() {
	q.Query.Cancel()
	if q.pushed != nil {
		q.pushed.Cancel()
	}
}

// Close implements promql.Query.
func (q *pushedQuery) Close() {
	q.Query.Close()
	if q.pushed != nil {
		q.pushed.Close()
	}
}

// compute fills in the call's samples, or returns why it could not.
func (q *pushedQuery) compute(ctx context.Context, c *call) (reason string) {
	early := *c.early
	long, err := q.queryable.overTime(ctx, c.function, early.start-c.offset, early.end-c.offset, early.step, c.window, c.matchers)
	if err != nil {
		if errors.Is(err, errPaused) || q.queryable.opts.Unavailable(err) {
			return "store away"
		}
		var inexact interface{ Inexact() bool }
		if errors.As(err, &inexact) && inexact.Inexact() {
			return "inexact"
		}
		return "error"
	}
	var late promql.Matrix
	if c.late != nil {
		hot, err := q.part(c.expr, *c.late)
		if err != nil {
			return "expression"
		}
		defer hot.Close()
		res := hot.Exec(ctx)
		if res.Err != nil {
			return "hot part"
		}
		if late, err = res.Matrix(); err != nil {
			return "hot part"
		}
		for _, s := range late {
			if len(s.Histograms) > 0 {
				return "histograms"
			}
		}
		for _, w := range res.Warnings {
			if !errors.Is(w, annotations.PossibleNonCounterInfo) {
				c.warnings.Add(w)
			}
		}
	}
	if len(long)+len(late) > 0 && (c.function == "rate" || c.function == "increase") && !counterName(c.name) {
		c.warnings.Add(annotations.NewPossibleNonCounterInfo(c.name, c.selector.PositionRange()))
	}
	whole := grid{early.start, early.end, early.step}
	if c.late != nil {
		whole.end = c.late.end
	}
	c.samples = joined(long, c.offset, late, whole)
	return ""
}

func counterName(name string) bool {
	return slices.ContainsFunc([]string{"_total", "_sum", "_count", "_bucket"}, func(suffix string) bool { return strings.HasSuffix(name, suffix) })
}

// joined makes one series of what the store and the engine computed for it, with a
// stale marker at each step that has no value: none is to be taken from the step before.
func joined(long []storage.Series, offset int64, late promql.Matrix, g grid) []storage.Series {
	type line struct {
		labels labels.Labels
		points []promql.FPoint
	}
	var lines []*line
	by := map[uint64][]*line{}
	of := func(ls labels.Labels) *line {
		h := ls.Hash()
		for _, l := range by[h] {
			if labels.Equal(l.labels, ls) {
				return l
			}
		}
		l := &line{labels: ls}
		by[h] = append(by[h], l)
		lines = append(lines, l)
		return l
	}
	var it chunkenc.Iterator
	room := 1
	if g.step > 0 {
		room = min(int((g.end-g.start)/g.step)+1, 512)
	}
	for _, s := range long {
		l := of(s.Labels())
		l.points = make([]promql.FPoint, 0, room)
		it = s.Iterator(it)
		for it.Next() == chunkenc.ValFloat {
			t, v := it.At()
			l.points = append(l.points, promql.FPoint{T: t + offset, F: v})
		}
	}
	for _, s := range late {
		l := of(s.Metric.Copy())
		l.points = append(l.points, s.Floats...)
	}
	all := make([]storage.Series, 0, len(lines))
	for _, l := range lines {
		all = append(all, &computed{labels: l.labels, points: marked(l.points, g)})
	}
	return all
}

// marked puts a stale marker after each point that is not followed by one a step later.
func marked(all []promql.FPoint, g grid) []promql.FPoint {
	missing := 0
	for i, p := range all {
		if i+1 < len(all) && all[i+1].T > p.T+g.step || i+1 == len(all) && p.T < g.end {
			missing++
		}
	}
	if missing == 0 {
		return all
	}
	with := make([]promql.FPoint, 0, len(all)+missing)
	for i, p := range all {
		with = append(with, p)
		if i+1 < len(all) && all[i+1].T > p.T+g.step || i+1 == len(all) && p.T < g.end {
			with = append(with, promql.FPoint{T: p.T + g.step, F: math.Float64frombits(value.StaleNaN)})
		}
	}
	return with
}

// computed is a storage.Series.
type computed struct {
	labels labels.Labels
	points []promql.FPoint
}

func (c *computed) Labels() labels.Labels { return c.labels }

func (c *computed) Iterator(it chunkenc.Iterator) chunkenc.Iterator {
	if p, is := it.(*points); is {
		*p = points{points: c.points, at: -1}
		return p
	}
	return &points{points: c.points, at: -1}
}

// points is a chunkenc.Iterator.
type points struct {
	points []promql.FPoint
	at     int
}

func (p *points) kind() chunkenc.ValueType {
	if p.at >= len(p.points) {
		return chunkenc.ValNone
	}
	return chunkenc.ValFloat
}

func (p *points) Next() chunkenc.ValueType {
	p.at = min(p.at+1, len(p.points))
	return p.kind()
}

// millis: under its own name vet does not take Seek for io.Seeker's.
type millis = int64

func (p *points) Seek(t millis) chunkenc.ValueType {
	for p.at = max(p.at, 0); p.at < len(p.points) && p.points[p.at].T < t; {
		p.at++
	}
	return p.kind()
}

func (p *points) At() (int64, float64) { return p.points[p.at].T, p.points[p.at].F }
func (p *points) AtT() int64           { return p.points[p.at].T }
func (*points) AtST() int64            { return 0 }
func (*points) Err() error             { return nil }

func (p *points) AtHistogram(h *histogram.Histogram) (int64, *histogram.Histogram) {
	return p.AtT(), h
}

func (p *points) AtFloatHistogram(h *histogram.FloatHistogram) (int64, *histogram.FloatHistogram) {
	return p.AtT(), h
}

// pushedQueryable answers selectors that stand for calls, and leaves others to the
// Queryable.
type pushedQueryable struct {
	*Queryable
	calls []*call
}

func (p pushedQueryable) Querier(mint, maxt int64) (storage.Querier, error) {
	q, err := p.Queryable.Querier(mint, maxt)
	if err != nil {
		return nil, err
	}
	return pushedQuerier{q, p.calls}, nil
}

type pushedQuerier struct {
	storage.Querier
	calls []*call
}

func (p pushedQuerier) Select(ctx context.Context, sorted bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	for _, m := range matchers {
		if m.Name != pushedLabel {
			continue
		}
		var i int
		if _, err := fmt.Sscan(m.Value, &i); err == nil && i >= 0 && i < len(p.calls) {
			return &computedSet{call: p.calls[i]}
		}
	}
	return p.Querier.Select(ctx, sorted, hints, matchers...)
}

// computedSet is the result of a call as a series set; the engine does not ask for it sorted.
type computedSet struct {
	call *call
	at   int
}

func (s *computedSet) Next() bool                        { s.at++; return s.at <= len(s.call.samples) }
func (s *computedSet) At() storage.Series                { return s.call.samples[s.at-1] }
func (*computedSet) Err() error                          { return nil }
func (s *computedSet) Warnings() annotations.Annotations { return s.call.warnings }

// overTime asks the store under the same rules as every question.
func (q *Queryable) overTime(ctx context.Context, function string, start, end, step, window int64, matchers []*labels.Matcher) ([]storage.Series, error) {
	if err := q.breaker.allow(); err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, q.opts.Timeout)
	defer cancel()
	began := time.Now()
	series, err := q.opts.Evaluator.OverTime(bounded, function, start, end, step, window, matchers...)
	away := err != nil && !errors.Is(err, context.Canceled) && q.opts.Unavailable(err)
	switch {
	case away:
		q.breaker.failure(err)
	case ctx.Err() == nil:
		q.breaker.success()
	}
	if away || err == nil {
		q.metrics.observe(err, time.Since(began))
	}
	return series, err
}
