package clickhouse

import (
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// selection turns matchers and a time range into a condition on the table
// series. Matchers mean what they mean in Prometheus: a label that a series
// lacks is the empty string, which is also what a Map gives for a missing key,
// and regular expressions match the whole value.
type selection struct {
	where conditions
	args  []any
}

// during adds the condition that a row's days overlap [mint, maxt], milliseconds.
func (s *selection) during(mint, maxt int64) {
	mint, maxt = clamp(mint), clamp(maxt)
	first, last := dayOf(mint), dayOf(maxt)
	s.where.add(fmt.Sprintf("month >= %s AND month <= %s", first.month().sql(), last.sql()))
}

// seen narrows that to the days a series was seen in, which only the table
// series knows.
func (s *selection) seen(mint, maxt int64) {
	s.where.add(fmt.Sprintf("first <= %s AND last >= %s", dayOf(clamp(maxt)).sql(), dayOf(clamp(mint)).sql()))
}

// clamp keeps a time within what the tables can hold: queries for "everything"
// ask from before the big bang.
func clamp(ms int64) int64 { return max(0, min(ms, maxTime-1)) }

func (d day) sql() string { return "toDate('" + d.time().Format(time.DateOnly) + "')" }

func (s *selection) param(kind string, value any) string {
	name := "p" + strconv.Itoa(len(s.args))
	s.args = append(s.args, named(name, value))
	return "{" + name + ":" + kind + "}"
}

// label is the expression for a label's value.
func (s *selection) label(name string) string {
	if name == model.MetricNameLabel {
		return "metric"
	}
	return "labels[" + s.param("String", name) + "]"
}

func (s *selection) match(matchers []*labels.Matcher) {
	hasMetric := false
	for _, m := range matchers {
		hasMetric = hasMetric || m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual && m.Value != ""
	}
	for _, m := range matchers {
		switch value := m.Value; m.Type {
		case labels.MatchEqual:
			s.where.add(s.label(m.Name) + " = " + s.param("String", value))
			if !hasMetric && m.Name != model.MetricNameLabel && value != "" {
				// Without a metric the index says which series to look at.
				month := s.where[0]
				s.where.add("id IN (SELECT id FROM label_index WHERE " + month + " AND name = " + s.param("String", m.Name) + " AND value = " + s.param("String", value) + ")")
			}
		case labels.MatchNotEqual:
			s.where.add(s.label(m.Name) + " != " + s.param("String", value))
		case labels.MatchRegexp, labels.MatchNotRegexp:
			s.regexp(m)
		}
	}
}

func (s *selection) regexp(m *labels.Matcher) {
	not := ""
	if m.Type == labels.MatchNotRegexp {
		not = "NOT "
	}
	switch set := m.SetMatches(); {
	case m.Value == ".*" && m.Type == labels.MatchRegexp:
		// Everything, also a label that is not there.
	case m.Value == ".+":
		s.where.add(not + "(" + s.label(m.Name) + " != '')")
	case len(set) > 0:
		s.where.add(not + "(" + s.label(m.Name) + " IN " + s.param("Array(String)", set) + ")")
	default:
		// As in Prometheus: anchored, and the dot matches a line end as well.
		s.where.add(not + "match(" + s.label(m.Name) + ", " + s.param("String", "^(?s:"+m.Value+")$") + ")")
	}
}
