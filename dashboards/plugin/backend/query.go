package backend

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// The types of queries.
const (
	typeCapacity = "capacity"
	typeForecast = "forecast"
	typeHeadroom = "headroom"
	typePlans    = "plans"
	typeUsage    = "usage"
	typeEvents   = "events"
)

// The formats of answers.
const (
	formatTable  = "table"
	formatSeries = "time_series"
	formatNumber = "number" // names and one number in each row: what alert rules take
)

// viewTier is the capacity of storage; the other views are of hosts.
const viewTier = "tier"

// query is what a panel, an alert rule or an annotation asks, checked by readQuery.
type query struct {
	Type   string `json:"queryType"`
	Format string `json:"format"`
	// Value is the one number of a row in the format number.
	Value string `json:"value"`

	By    string `json:"by"` // of capacity: zone, host, aggregate, cell, cloud, tier
	Class string `json:"class"`
	// Tier and Zone may name several, with commas between them.
	Tier    string `json:"tier"`
	Zone    string `json:"zone"`
	Series  string `json:"series"`
	Limit   string `json:"limit"` // of a series; a number
	Horizon string `json:"horizon"`

	Flavor  string   `json:"flavor"`
	Plan    string   `json:"plan"`
	Project string   `json:"project"`
	Group   string   `json:"group"` // of usage: project, sku, meter
	Show    []string `json:"show"`  // of events: events, dates, maintenance

	Sources    string   `json:"sources"` // of events, with commas between them
	Kinds      string   `json:"kinds"`
	Severities []string `json:"severities"`
	Resource   string   `json:"resource"`
	MaxEvents  int      `json:"maxEvents"`

	refID    string
	from, to time.Time
	interval time.Duration
	points   int64
}

// kind says what a type of query can be answered as; what comes first is the default.
type kind struct {
	formats []string
	values  []string
}

var capacityValues, tierValues = []string{"used_ratio", "allocated", "allocatable", "free", "limit", "stranded"}, []string{"used_ratio", "stored", "limit", "full", "provisioned", "survivable"}

// kinds are the types of queries. Which fields each has is in choices of the query editor.
func kindOf(q query) (kind, bool) {
	switch q.Type {
	case typeCapacity:
		if q.By == viewTier {
			return kind{[]string{formatTable, formatNumber, formatSeries}, tierValues}, true
		}
		return kind{[]string{formatTable, formatNumber, formatSeries}, capacityValues}, true
	case typeForecast:
		return kind{[]string{formatSeries, formatTable, formatNumber}, []string{"days_p10", "days_p50", "days_p90", "days_order_by", "probability", "used_ratio"}}, true
	case typeHeadroom:
		return kind{[]string{formatTable, formatNumber}, []string{"servers", "hosts", "largest"}}, true
	case typePlans:
		return kind{[]string{formatTable, formatNumber}, []string{"plans"}}, true
	case typeUsage:
		return kind{[]string{formatTable, formatNumber, formatSeries}, []string{"cost", "unit_hours"}}, true
	case typeEvents:
		return kind{[]string{formatTable}, nil}, true
	}
	return kind{}, false
}

var (
	types      = []string{typeCapacity, typeForecast, typeHeadroom, typePlans, typeUsage, typeEvents}
	views      = []string{"zone", "host", "aggregate", "cell", "cloud", viewTier}
	groups     = []string{"project", "sku", "meter"}
	shows      = []string{"events", "dates", "maintenance"}
	severities = []string{"debug", "info", "warning", "error", "critical"}
)

const (
	maxNames     = 50
	maxTextBytes = 4096
	maxEvents    = 10_000
)

// readQuery reads and checks the JSON of a query. alone says that an alert rule or an
// expression asks, which can do with numbers only. Grafana's own fields are left alone.
func readQuery(in backend.DataQuery, alone bool) (query, error) {
	var q query
	if err := json.Unmarshal(in.JSON, &q); err != nil {
		if at, ok := err.(*json.UnmarshalTypeError); ok && at.Field != "" {
			return q, wrongQuery(at.Field, "it is a %s, want a %s", at.Value, at.Type)
		}
		return q, wrongQuery("query", "it is no JSON object: %v", err)
	}
	if in.QueryType != "" {
		q.Type = in.QueryType
	}
	q.refID, q.from, q.to, q.interval, q.points = in.RefID, in.TimeRange.From.UTC(), in.TimeRange.To.UTC(), in.Interval, in.MaxDataPoints
	if err := q.checkTexts(); err != nil {
		return q, err
	}
	if q.Type == typeCapacity && q.By == "" {
		q.By = "zone"
	}
	k, ok := kindOf(q)
	if !ok {
		if q.Type == "" {
			return q, wrongQuery("queryType", "it is missing; choose one of %s", strings.Join(types, ", "))
		}
		return q, wrongQuery("queryType", "%q is not known; choose one of %s", q.Type, strings.Join(types, ", "))
	}
	if q.Format == "" {
		q.Format = k.formats[0]
	}
	// A table is of no use to an alert rule; a number may be.
	if alone && q.Format != formatSeries && slices.Contains(k.formats, formatNumber) {
		q.Format = formatNumber
	}
	if len(k.values) > 0 && q.Value == "" {
		q.Value = k.values[0]
	}
	if err := q.check(k); err != nil {
		return q, err
	}
	if !q.to.After(q.from) || q.from.Year() < 1971 || q.to.Year() > 2200 {
		return q, wrongQuery("timeRange", "it goes from %s to %s: choose one that ends after its begin", q.from.Format(time.RFC3339), q.to.Format(time.RFC3339))
	}
	return q, nil
}

// checkTexts bounds what is sent on and trims it.
func (q *query) checkTexts() error {
	for _, f := range []struct {
		name string
		text *string
	}{
		{"tier", &q.Tier}, {"zone", &q.Zone}, {"class", &q.Class}, {"series", &q.Series}, {"limit", &q.Limit}, {"horizon", &q.Horizon}, {"flavor", &q.Flavor},
		{"plan", &q.Plan}, {"project", &q.Project}, {"sources", &q.Sources}, {"kinds", &q.Kinds}, {"resource", &q.Resource},
	} {
		*f.text = strings.TrimSpace(*f.text)
		if len(*f.text) > maxTextBytes {
			return wrongQuery(f.name, "it has %d bytes, at most %d are taken", len(*f.text), maxTextBytes)
		}
		if f.name != "series" && len(names(*f.text)) > maxNames {
			return wrongQuery(f.name, "it has %d names, at most %d are taken", len(names(*f.text)), maxNames)
		}
	}
	return nil
}

func (q *query) check(k kind) error {
	switch {
	case !slices.Contains(k.formats, q.Format):
		return wrongQuery("format", "%q is no format of %s; choose %s", q.Format, q.Type, strings.Join(k.formats, ", "))
	case q.Format == formatNumber && !slices.Contains(k.values, q.Value):
		return wrongQuery("value", "%q is no number of %s; choose %s", q.Value, q.Type, strings.Join(k.values, ", "))
	}
	switch q.Type {
	case typeCapacity:
		return q.checkCapacity()
	case typeForecast:
		return q.checkForecast()
	case typeUsage:
		if q.Group == "" {
			q.Group = groups[0]
		}
		if !slices.Contains(groups, q.Group) {
			return wrongQuery("group", "%q is not known; choose %s", q.Group, strings.Join(groups, ", "))
		}
	case typeEvents:
		return q.checkEvents()
	}
	return nil
}

func (q *query) checkCapacity() error {
	switch {
	case !slices.Contains(views, q.By):
		return wrongQuery("by", "%q is not known; choose %s", q.By, strings.Join(views, ", "))
	case q.Format == formatSeries && q.By != "zone" && q.By != viewTier:
		return wrongQuery("by", "what was used over time is known of zones and tiers; choose zone or tier, or the format table")
	}
	return nil
}

func (q *query) checkForecast() error {
	asked := 0
	for _, what := range []string{q.Tier, q.Zone, q.Series} {
		if what != "" {
			asked++
		}
	}
	switch {
	case asked > 1:
		return wrongQuery("tier", "name one of tier, zone and series, not several")
	case asked == 0 && q.Format == formatSeries:
		return wrongQuery("tier", "it is missing; name a tier, a zone or a series")
	case q.Class != "" && q.Zone == "":
		return wrongQuery("class", "it is of a zone; name the zone")
	case q.Limit != "" && q.Series == "":
		return wrongQuery("limit", "tiers and zones have limits of their own; one can be set for a series")
	}
	if q.Limit != "" {
		if v, err := strconv.ParseFloat(q.Limit, 64); err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return wrongQuery("limit", "%q is no number; write one in the unit of the series", q.Limit)
		}
	}
	if q.Horizon != "" {
		n, err := strconv.Atoi(strings.TrimRight(q.Horizon, "hdwy"))
		if err != nil || n < 1 || len(q.Horizon) > 6 || !strings.ContainsAny(q.Horizon, "hdwy") {
			return wrongQuery("horizon", "%q is no time; write for example 90d or 26w", q.Horizon)
		}
	}
	return nil
}

func (q *query) checkEvents() error {
	if len(q.Show) == 0 {
		q.Show = shows[:1]
	}
	for _, s := range q.Show {
		if !slices.Contains(shows, s) {
			return wrongQuery("show", "%q is not known; choose of %s", s, strings.Join(shows, ", "))
		}
	}
	for _, s := range q.Severities {
		if !slices.Contains(severities, s) {
			return wrongQuery("severities", "%q is not known; choose of %s", s, strings.Join(severities, ", "))
		}
	}
	if q.MaxEvents == 0 {
		q.MaxEvents = 1000
	}
	if q.MaxEvents < 1 || q.MaxEvents > maxEvents {
		return wrongQuery("maxEvents", "it is %d, want 1 to %d", q.MaxEvents, maxEvents)
	}
	return nil
}

// names are those of a list with commas between them.
func names(list string) (all []string) {
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}
