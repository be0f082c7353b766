package dashboards

//lint:file-ignore SA1019 the classic schema is what every Grafana reads; dashboardv2 needs one from 12.

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
)

// Query is one query of one panel, as Grafana would send it.
type Query struct {
	Dashboard, Panel string
	Expr             string // PromQL, variables replaced by "everything"
	Legend           string // "{{tier}} P10"
	Instant          bool
	Interval         string // the shortest step of the panel's, "" for the data source's
	Metric, Label    string // of a variable that has the values of a label: whose, and which
}

var (
	labelValues = regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`)
	queryResult = regexp.MustCompile(`^query_result\((.+)\)$`)
	namedGroup  = regexp.MustCompile(`(\w+)="\(\?<(?:text|value)>`)
)

// Variables lists what d's variables ask for; the legend names the labels that the choices
// are of.
func Variables(d dashboard.Dashboard) ([]Query, error) {
	var queries []Query
	for _, v := range d.Templating.List {
		if v.Type != dashboard.VariableTypeQuery {
			continue
		}
		q := Query{Dashboard: *d.Title, Panel: "variable " + v.Name, Instant: true}
		if m := labelValues.FindStringSubmatch(*v.Query.String); m != nil {
			q.Metric, q.Label = m[1], m[2]
			q.Expr, q.Legend = "group by ("+q.Label+") ("+q.Metric+")", "{{"+q.Label+"}}"
		} else if m := queryResult.FindStringSubmatch(*v.Query.String); m != nil && v.Regex != nil {
			q.Expr = m[1]
			for _, group := range namedGroup.FindAllStringSubmatch(*v.Regex, -1) {
				q.Legend += "{{" + group[1] + "}}"
			}
		}
		if q.Legend == "" {
			return nil, fmt.Errorf("%s, variable %s: no choices in %s", *d.Title, v.Name, *v.Query.String)
		}
		queries = append(queries, q)
	}
	return queries, nil
}

// everything stands for Grafana's variables when a query is run without it.
var everything = strings.NewReplacer(
	"$cloud", ".*", "$cluster", ".*", "$zone", ".*", "$host", ".*", "$project", ".*", "$tier", ".*",
	"$__rate_interval", "5m", "$__interval", "1m",
)

// Queries lists all queries of d's panels, rows included.
func Queries(d dashboard.Dashboard) ([]Query, error) {
	var queries []Query
	add := func(p dashboard.Panel) error {
		for _, t := range p.Targets {
			var q prometheus.Dataquery
			switch t := t.(type) {
			case prometheus.Dataquery:
				q = t
			case *prometheus.Dataquery:
				q = *t
			default:
				return fmt.Errorf("%s, panel %q: a target of type %T", *d.Title, *p.Title, t)
			}
			expr := everything.Replace(q.Expr)
			if strings.Contains(expr, "$") {
				return fmt.Errorf("%s, panel %q: unknown variable in %s", *d.Title, *p.Title, q.Expr)
			}
			legend := ""
			if q.LegendFormat != nil {
				legend = *q.LegendFormat
			}
			interval := ""
			if p.Interval != nil {
				interval = *p.Interval
			}
			queries = append(queries, Query{Dashboard: *d.Title, Panel: *p.Title, Expr: expr, Legend: legend, Instant: q.Instant != nil && *q.Instant, Interval: interval})
		}
		return nil
	}
	for _, p := range d.Panels {
		if p.Panel != nil {
			if err := add(*p.Panel); err != nil {
				return nil, err
			}
		}
		if p.RowPanel != nil {
			for _, inner := range p.RowPanel.Panels {
				if err := add(inner); err != nil {
					return nil, err
				}
			}
		}
	}
	return queries, nil
}
