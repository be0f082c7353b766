package backend

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

const (
	// maxBuckets bounds the points of a series of usage, maxLines the series.
	maxBuckets = 2000
	maxLines   = 100
)

// usage answers what projects used: in sums with their cost, or over time.
func (d *Datasource) usage(ctx context.Context, r *round, q query) (data.Frames, error) {
	// What still runs is billed up to the end that is asked for.
	to := q.to
	if now := d.now().UTC(); to.After(now) {
		to = now
	}
	if !to.After(q.from) {
		return nil, wrongQuery("timeRange", "it begins in the future, %s; nothing was used then", q.from.Format(time.RFC3339))
	}
	parameters := url.Values{"from": {q.from.Format(time.RFC3339)}, "to": {to.Format(time.RFC3339)}}
	if q.Project != "" {
		parameters.Set("project", q.Project)
	}
	bill, err := fetch[wireBill](ctx, r, "/api/v1/chargeback", parameters)
	if err != nil {
		return nil, err
	}
	var f *data.Frame
	if q.Format == formatSeries {
		f = usageOverTime(bill, q, to)
	} else if f, err = usageSums(bill, q); err != nil {
		return nil, err
	}
	if len(bill.Unpriced) > 0 {
		notice(f, data.NoticeSeverityWarning, "the rate card has no price for "+some(bill.Unpriced)+": their cost is absent")
	}
	if len(bill.Unread) > 0 {
		notice(f, data.NoticeSeverityWarning, "stored records cannot be read and are not in it: "+some(bill.Unread))
	}
	if bill.Estimated > 0 {
		notice(f, data.NoticeSeverityInfo, fmt.Sprintf("%d stretches of usage begin or end between two looks at the inventory: their length is estimated", bill.Estimated))
	}
	return data.Frames{f}, nil
}

// some names the first few of a list.
func some(all []string) string {
	const most = 5
	if len(all) > most {
		return strings.Join(all[:most], ", ") + " and " + strconv.Itoa(len(all)-most) + " more"
	}
	return strings.Join(all, ", ")
}

// projectName is the name of a project, or its id where the name is not known.
func (b wireBill) projectName(id string) string { return cmp.Or(b.Projects[id], id) }

func usageSums(bill wireBill, q query) (*data.Frame, error) {
	costs := make([]*float64, len(bill.Sums))
	for i, s := range bill.Sums {
		// A sum without any price is 0 in the bill, beside the name in Unpriced.
		if s.Cost == "" || slices.Contains(bill.Unpriced, s.Meter+" "+s.SKU) && isZero(s.Cost) {
			continue
		}
		v, err := strconv.ParseFloat(s.Cost, 64)
		if err != nil {
			return nil, &failure{backend.StatusBadGateway, backend.ErrorSourceDownstream, fmt.Sprintf("the planner's bill has the cost %q, which is no number", bounded(s.Cost))}
		}
		costs[i] = &v
	}
	fields := []*data.Field{
		column("project", "Project", "", of(bill.Sums, func(s wireSum) string { return bill.projectName(s.Project) })),
		column("project_id", "Project id", "", of(bill.Sums, func(s wireSum) string { return s.Project })),
		column("meter", "Meter", "", of(bill.Sums, func(s wireSum) string { return s.Meter })),
		column("sku", "SKU", "", of(bill.Sums, func(s wireSum) string { return s.SKU })),
		column("unit_hours", "Unit hours", unitCount, of(bill.Sums, func(s wireSum) float64 { return s.UnitSeconds / 3600 })),
		column("cost", "Cost", "currency:"+bill.Currency, costs),
	}
	if q.Format == formatNumber {
		return numbers("usage", q.Value, fields...), nil
	}
	return table("usage", fields...), nil
}

func isZero(cost string) bool { return strings.Trim(cost, "0.-") == "" }

// usageOverTime is how many servers ran and how many GiB volumes had, on average of each
// bucket of time.
func usageOverTime(bill wireBill, q query, to time.Time) *data.Frame {
	bucket := max(q.interval, time.Minute)
	most := int64(maxBuckets)
	if q.points > 0 {
		most = min(most, q.points)
	}
	for int64(to.Sub(q.from)/bucket)+1 > most {
		bucket *= 2
	}
	begin := q.from.Truncate(bucket)
	n := int(to.Sub(begin)/bucket) + 1
	type key struct{ meter, name string }
	sums := map[key][]float64{}
	for _, l := range bill.Lines {
		k := key{meter: l.Meter}
		switch q.Group {
		case "project":
			k.name = bill.projectName(l.Project)
		case "sku":
			k.name = l.SKU
		}
		if sums[k] == nil {
			sums[k] = make([]float64, n)
		}
		spread(sums[k], l, q.from, to, begin, bucket)
	}
	keys := make([]key, 0, len(sums))
	total := map[key]float64{}
	for k, values := range sums {
		keys = append(keys, k)
		for _, v := range values {
			total[k] += v
		}
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.meter, b.meter), cmp.Compare(total[b], total[a]), cmp.Compare(a.name, b.name))
	})
	left := 0
	if len(keys) > maxLines {
		slices.SortFunc(keys, func(a, b key) int {
			return cmp.Or(cmp.Compare(total[b], total[a]), cmp.Compare(a.meter, b.meter), cmp.Compare(a.name, b.name))
		})
		left = len(keys) - maxLines
		keys = keys[:maxLines]
	}
	lines := make([]line, 0, len(keys))
	for _, k := range keys {
		l := line{name: k.meter, labels: data.Labels{"meter": k.meter}, config: data.FieldConfig{DisplayNameFromDS: strings.TrimSpace(k.name + " " + k.meter), Unit: unitOfMeter(k.meter)}}
		if k.name != "" {
			l.labels[q.Group] = k.name
		}
		for i, v := range sums[k] {
			// A bucket counts as long as it lies in what was asked for.
			from, end := begin.Add(time.Duration(i)*bucket), begin.Add(time.Duration(i+1)*bucket)
			if length := overlap(from, end, q.from, to); length > 0 {
				l.points = append(l.points, wirePoint{latest(from, q.from), v / length.Seconds()})
			}
		}
		lines = append(lines, l)
	}
	f := wide("usage", q.from, to, lines)
	if left > 0 {
		notice(f, data.NoticeSeverityWarning, fmt.Sprintf("the %d largest series are shown, %d smaller ones are left out", maxLines, left))
	}
	return f
}

// spread adds l's quantity × seconds to the buckets it lies in.
func spread(buckets []float64, l wireLine, from, to, begin time.Time, bucket time.Duration) {
	start, end := latest(l.From, from), l.To
	if end.After(to) {
		end = to
	}
	if !end.After(start) {
		return
	}
	for i := int(start.Sub(begin) / bucket); i < len(buckets); i++ {
		b := begin.Add(time.Duration(i) * bucket)
		if !b.Before(end) {
			return
		}
		buckets[i] += l.Quantity * overlap(b, b.Add(bucket), start, end).Seconds()
	}
}

// overlap is how long both stretches are at once.
func overlap(from, to, otherFrom, otherTo time.Time) time.Duration {
	if otherTo.Before(to) {
		to = otherTo
	}
	return max(0, to.Sub(latest(from, otherFrom)))
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func unitOfMeter(meter string) string {
	if meter == "server" {
		return "suffix: servers"
	}
	return "gbytes"
}
