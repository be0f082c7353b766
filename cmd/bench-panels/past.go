package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"mcloud/cmd/progress"
)

// blockSpan is how long a block of the hot storage is.
const blockSpan = 2 * time.Hour

// age makes the collector one that has run for o.past: it is stopped, what it has by now
// is written as blocks before its first sample, and it is started again.
func (c *collector) age(ctx context.Context, o options, boards []board) error {
	progress.Line(os.Stderr, "reading all series")
	all, err := c.samples(ctx, `{__name__!=""}`)
	if err != nil {
		return fmt.Errorf("all series: %w", err)
	}
	counters, err := c.counters(ctx)
	if err != nil {
		return err
	}
	recorded, err := c.recorded(ctx)
	if err != nil {
		return err
	}
	c.stop()
	hot := filepath.Join(c.data, "collector", "hot")
	since, err := wholeSince(hot)
	if err != nil {
		return err
	}
	began, written := time.Now(), 0
	for from := since.Add(-o.past); from.Before(since); {
		to := from.Truncate(blockSpan).Add(blockSpan)
		if to.After(since) {
			to = since
		}
		progress.Line(os.Stderr, "writing %d series from %s to %s", len(all), from.Format("15:04"), to.Format("15:04"))
		n, err := writeBlock(ctx, hot, all, kinds{counters, recorded}, since, from, to, o)
		if err != nil {
			return fmt.Errorf("the past: %w", err)
		}
		written += n
		from = to
	}
	// Or the collector asks the store for all that is before.
	if err := os.Remove(filepath.Join(hot, "whole-since")); err != nil {
		return err
	}
	progress.Line(os.Stderr, "")
	fmt.Printf("%s of %d series written into the hot storage: %.1f million samples in %s\n", hours(o.past), len(all), float64(written)/1e6, seconds(time.Since(began)))
	if err := c.start(ctx); err != nil {
		return err
	}
	fmt.Printf("the exporter is there again after %s\n", seconds(c.took))
	return c.waitForPanels(ctx, o, boards)
}

// wholeSince is from when on the collector has samples of its own.
func wholeSince(hot string) (time.Time, error) {
	text, err := os.ReadFile(filepath.Join(hot, "whole-since"))
	if errors.Is(err, os.ErrNotExist) {
		return time.Time{}, fmt.Errorf("%s has a past already: -past 0 takes it as it is", hot)
	}
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339Nano, strings.TrimSpace(string(text)))
}

// counters are the names of what only grows.
func (c *collector) counters(ctx context.Context) (map[string]bool, error) {
	status, body, err := c.get(ctx, "/api/v1/metadata")
	if err != nil || status != http.StatusOK {
		return nil, fmt.Errorf("metadata: HTTP %d: %w", status, err)
	}
	var got struct {
		Data map[string][]struct{ Type string }
	}
	if err := json.Unmarshal(body, &got); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	names := map[string]bool{}
	for name, of := range got.Data {
		if len(of) == 0 {
			continue
		}
		switch of[0].Type {
		case "counter":
			names[name] = true
		case "histogram", "summary":
			names[name+"_bucket"], names[name+"_sum"], names[name+"_count"] = true, true, true
		}
	}
	return names, nil
}

// recorded is how often what rules record is worked out, by its name.
func (c *collector) recorded(ctx context.Context) (map[string]time.Duration, error) {
	status, body, err := c.get(ctx, "/api/v1/rules?type=record")
	if err != nil || status != http.StatusOK {
		return nil, fmt.Errorf("rules: HTTP %d: %w", status, err)
	}
	return intervals(body)
}

// intervals reads what Prometheus's API answers about recording rules.
func intervals(body []byte) (map[string]time.Duration, error) {
	var got struct {
		Data struct {
			Groups []struct {
				Interval float64 // seconds
				Rules    []struct{ Name string }
			}
		}
	}
	if err := json.Unmarshal(body, &got); err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	every := map[string]time.Duration{}
	for _, group := range got.Data.Groups {
		for _, rule := range group.Rules {
			every[rule.Name] = time.Duration(group.Interval * float64(time.Second))
		}
	}
	return every, nil
}

// kinds says what is known of series by their names.
type kinds struct {
	counters map[string]bool          // of what only grows
	recorded map[string]time.Duration // how often a rule works it out
}

// writeBlock writes one block of [from, to).
func writeBlock(ctx context.Context, hot string, all []sample, of kinds, since, from, to time.Time, o options) (written int, err error) {
	// The writer takes samples that are up to half of its span older than the newest;
	// series come here one after the other.
	w, err := tsdb.NewBlockWriter(slog.New(slog.DiscardHandler), hot, 2*blockSpan.Milliseconds())
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	app := w.Appender(ctx)
	pending := 0
	for i, s := range all {
		n, err := appendPast(app, s, of, uint64(i), since, from, to, o)
		if err != nil {
			return written, err
		}
		written += n
		if pending += n; pending > 200_000 {
			if err := app.Commit(); err != nil {
				return written, err
			}
			app, pending = w.Appender(ctx), 0
		}
		if i%1000 == 0 && ctx.Err() != nil {
			return written, errors.Join(ctx.Err(), app.Rollback())
		}
	}
	if err := app.Commit(); err != nil {
		return written, err
	}
	_, err = w.Flush(ctx)
	return written, err
}

// appendPast makes a past of a series: a counter grows to its value, with a rate of its
// own; of a measured value every tenth sample is another one; what is 0 or 1 was so. It has
// a sample at each scrape, or at each evaluation of the rule that records it.
func appendPast(app storage.Appender, s sample, of kinds, seed uint64, since, from, to time.Time, o options) (int, error) {
	set, name := labels.FromMap(s.Metric), s.Metric[model.MetricNameLabel]
	counter, step := of.counters[name], max(o.step, of.recorded[name])
	// By series and block, so that it does not matter which is written first.
	r := rand.New(rand.NewPCG(seed, uint64(from.Unix())))
	var ref storage.SeriesRef
	var err error
	n, was := 0, s.Value.v
	steady := was == 0 || was == 1 || math.IsNaN(was)
	whole := was == math.Trunc(was)
	offset := time.Duration(seed%1000) * time.Millisecond
	for t := from.Truncate(step).Add(offset); t.Before(to.Add(-time.Second)); t = t.Add(step) {
		if t.Before(from) {
			continue
		}
		v := was
		switch {
		case steady:
		case counter:
			v = s.Value.v * (1 - 0.5*float64(since.Sub(t))/float64(o.past))
		case r.IntN(10) == 0:
			was = s.Value.v * (1 + 0.02*r.Float64() - 0.01)
			v = was
		}
		if whole {
			v = math.Round(v)
		}
		if ref, err = app.Append(ref, set, t.UnixMilli(), v); err != nil {
			return n, fmt.Errorf("%s: %w", set, err)
		}
		n++
	}
	return n, nil
}
