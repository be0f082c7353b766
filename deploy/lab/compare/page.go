package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// maxPageBytes bounds what is read of /metrics; a lab's page has a few MB.
const maxPageBytes = 256 << 20

// page is the exporter's /metrics: families by name.
type page map[string]*dto.MetricFamily

func parsePage(r io.Reader) (page, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(r)
}

// each calls see for every series of a gauge, counter or untyped family; none
// when the exporter has no such family, which then shows as absent rows.
func (p page) each(family string, see func(labels map[string]string, value float64)) {
	for _, metric := range p[family].GetMetric() {
		labels := make(map[string]string, len(metric.GetLabel()))
		for _, label := range metric.GetLabel() {
			labels[label.GetName()] = label.GetValue()
		}
		switch {
		case metric.Gauge != nil:
			see(labels, metric.GetGauge().GetValue())
		case metric.Counter != nil:
			see(labels, metric.GetCounter().GetValue())
		case metric.Untyped != nil:
			see(labels, metric.GetUntyped().GetValue())
		}
	}
}

// unrefreshed lists those of the named sources whose last look began before the
// moment, or never succeeded.
func (p page) unrefreshed(sources []string, since time.Time) []string {
	took := make(map[string]float64)
	p.each("mcloud_source_duration_seconds", func(labels map[string]string, value float64) { took[labels["source"]] = value })
	refreshed := make(map[string]bool) // by source without cluster; all clusters must be
	p.each("mcloud_source_last_success_timestamp_seconds", func(labels map[string]string, ended float64) {
		name, _, _ := strings.Cut(labels["source"], "/")
		began := ended - took[labels["source"]]
		earlier, seen := refreshed[name]
		refreshed[name] = (earlier || !seen) && began > float64(since.UnixMilli())/1000
	})
	return slices.DeleteFunc(slices.Clone(sources), func(name string) bool { return refreshed[name] })
}

func fetchPage(ctx context.Context, exporter string) (page, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, exporter+"/metrics", nil)
	if err != nil {
		return nil, fmt.Errorf("--exporter %q: %w", exporter, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("read the exporter: %w; start it with: bin/mcloud run --config deploy/lab/mcloud.yaml", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read the exporter: %s answered %s", request.URL, response.Status)
	}
	p, err := parsePage(io.LimitReader(response.Body, maxPageBytes))
	if err != nil {
		return nil, fmt.Errorf("read the exporter: %s: %w", request.URL, err)
	}
	return p, nil
}

// pollEvery is how often the exporter is read while something is waited for.
const pollEvery = 2 * time.Second

// pages reads the exporter for all sections: those that wait at the same time
// share a page, which is large.
type pages struct {
	exporter string

	mu    sync.Mutex
	last  page
	began time.Time // when last was asked for
}

// since returns a page that was asked for no earlier than the moment.
func (ps *pages) since(ctx context.Context, moment time.Time) (page, error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.last != nil && !ps.began.Before(moment) {
		return ps.last, nil
	}
	began := time.Now()
	p, err := fetchPage(ctx, ps.exporter)
	if err == nil {
		ps.last, ps.began = p, began
	}
	return p, err
}

// refreshed returns the first page on which the sources have looked and
// succeeded after the moment, or, when the time is over, the last one there was:
// rows of a source that does not succeed then differ, which is the truth.
func (ps *pages) refreshed(ctx context.Context, sources []string, since time.Time, longest time.Duration) (page, error) {
	timer := time.NewTimer(longest)
	defer timer.Stop()
	for wait := time.Duration(0); ; wait = pollEvery {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for sources %v to be refreshed: %w", sources, ctx.Err())
		case <-time.After(wait):
		}
		moment := time.Now().Add(-pollEvery)
		if moment.Before(since) {
			moment = since
		}
		p, err := ps.since(ctx, moment)
		if err != nil {
			return nil, err
		}
		late := p.unrefreshed(sources, since)
		if len(late) == 0 {
			return p, nil
		}
		select {
		case <-timer.C:
			fmt.Fprintf(os.Stderr, "not refreshed after %s: %s\n", longest, strings.Join(late, ", "))
			return p, nil
		default:
		}
	}
}
