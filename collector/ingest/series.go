package ingest

import (
	"fmt"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunks"
)

var _ tsdb.SeriesLifecycleCallback = (*Gate)(nil)

// PreCreation refuses a series beyond the limits: it is asked for each series that the
// hot storage does not have yet. Many at the same moment may exceed a limit by as many.
func (g *Gate) PreCreation(l labels.Labels) error {
	if !g.open.Load() {
		return nil
	}
	job := l.Get("job")
	g.mu.Lock()
	series, ofJob := g.series, g.ofJob[job]
	g.mu.Unlock()
	switch {
	case g.limits.JobSeries > 0 && ofJob >= g.limits.JobSeries:
		return &refusal{reasonJobSeries, fmt.Sprintf("series %s is new, and its job has %d series already, the limit (collector.limits.job_series); "+
			"series that nothing was sent of for some hours make room", shown(l), ofJob)}
	case g.limits.Series > 0 && series >= g.limits.Series:
		return &refusal{reasonSeries, fmt.Sprintf("series %s is new, and the hot storage has %d series already, the limit (collector.limits.series); "+
			"series that nothing was sent of for some hours make room", shown(l), series)}
	}
	return nil
}

// PostCreation counts a series that was made.
func (g *Gate) PostCreation(l labels.Labels) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.series++
	g.ofJob[l.Get("job")]++
}

// PostDeletion counts off series that the hot storage let go.
func (g *Gate) PostDeletion(gone map[chunks.HeadSeriesRef]labels.Labels) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, l := range gone {
		job := l.Get("job")
		g.series--
		if g.ofJob[job]--; g.ofJob[job] <= 0 {
			delete(g.ofJob, job)
		}
	}
}
