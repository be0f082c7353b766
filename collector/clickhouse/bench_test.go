package clickhouse

import (
	"fmt"
	"math"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// cloud is what a collector sees: series of a hundred metrics on many hosts.
func cloud(n int) []labels.Labels {
	all := make([]labels.Labels, n)
	for i := range all {
		all[i] = series1(fmt.Sprintf("metric_%d", i%100), "cloud", "c1", "host", fmt.Sprintf("h%d", i/100), "instance", fmt.Sprint(i), "job", "mcloud", "zone", fmt.Sprintf("az%d", i%3))
	}
	return all
}

func scrape(series []labels.Labels, times int, from, step int64) Batch {
	b := Batch{Series: series}
	for k := range times {
		for i := range series {
			b.Ref, b.Time = append(b.Ref, uint32(i)), append(b.Time, from+int64(k)*step)
			b.Value = append(b.Value, math.Round(float64(i)+1000*math.Sin(float64(i+k)))/10)
		}
	}
	return b
}

// How many samples a second arrive: 10,000 series, 200,000 samples a batch.
func BenchmarkWriteSamples(b *testing.B) {
	db := open(b)
	batch := scrape(cloud(10_000), 20, base, 15_000)
	n := 0
	for b.Loop() {
		if err := db.WriteSamples(b.Context(), fmt.Sprint(n), batch); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(n*len(batch.Ref))/b.Elapsed().Seconds(), "samples/s")
}

// What a series costs that the writer has not seen: a start with 10,000.
func BenchmarkNewSeries(b *testing.B) {
	db := open(b)
	series := cloud(10_000)
	n := 0
	for b.Loop() {
		db.series.init()
		if err := db.WriteSamples(b.Context(), fmt.Sprint(n), scrape(series, 1, base, 1)); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(n*len(series))/b.Elapsed().Seconds(), "series/s")
}

// A dashboard's panel and a planner's question over half a year of 1,000 series
// at 30 minutes among 10,000.
func BenchmarkSelect(b *testing.B) {
	db := open(b)
	series := cloud(10_000)
	const days, perDay = 180, 48
	for d := range days {
		if err := db.WriteSamples(b.Context(), fmt.Sprint(d), scrape(series[:1000], perDay, base-int64(days-d)*dayMillis, dayMillis/perDay)); err != nil {
			b.Fatal(err)
		}
	}
	if err := db.WriteSamples(b.Context(), "now", scrape(series, 40, base, 15_000)); err != nil {
		b.Fatal(err)
	}
	metric := labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, "metric_7")
	host := labels.MustNewMatcher(labels.MatchEqual, "host", "h3")
	for _, c := range []struct {
		name       string
		mint, maxt int64
		ms         []*labels.Matcher
	}{
		{"one series 10m", base, base + 600_000, []*labels.Matcher{metric, host}},
		{"100 series 10m", base, base + 600_000, []*labels.Matcher{metric}},
		{"one host 10m", base, base + 600_000, []*labels.Matcher{host}},
		{"one series 180d", base - days*dayMillis, base, []*labels.Matcher{metric, host}},
		{"10 series 180d", base - days*dayMillis, base, []*labels.Matcher{metric}},
	} {
		b.Run(c.name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				q, err := db.Querier(c.mint, c.maxt)
				if err != nil {
					b.Fatal(err)
				}
				set := q.Select(b.Context(), true, nil, c.ms...)
				for set.Next() {
					n++
				}
				if err := set.Err(); err != nil {
					b.Fatal(err)
				}
			}
			if n == 0 {
				b.Fatal("nothing selected")
			}
		})
	}
}
