package parts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"

	"mcloud/cmd/config"
	"mcloud/exporters"
)

// Estimate says how many series a cloud makes.
type Estimate struct {
	Sets     []SetSeries    `json:"sets"`
	Families []FamilySeries `json:"families"`
	// Failed are the sources that gave nothing or only a part: what they would
	// give is not counted.
	Failed []string `json:"failed,omitempty"`
}

// SetSeries is the size of one set.
type SetSeries struct {
	Set      exporters.Set `json:"set"`
	Served   bool          `json:"served"` // by the configuration as it is
	Families int           `json:"families"`
	Series   int           `json:"series"`
}

// FamilySeries is the size of one family.
type FamilySeries struct {
	Name   string        `json:"name"`
	Set    exporters.Set `json:"set"`
	Series int           `json:"series"`
}

// AllSets are the sets, cheapest first.
var AllSets = []exporters.Set{exporters.SetBase, exporters.SetObjects, exporters.SetPerf, exporters.SetDebug}

// EstimateSeries lets every Source that f asks for look once, with all sets, and
// counts the series. It records nothing. progress is told how many have not
// looked yet.
func EstimateSeries(ctx context.Context, f config.File, open OpenMon, logger *slog.Logger, progress func(waiting, of int)) (Estimate, error) {
	served := map[exporters.Set]bool{exporters.SetBase: true}
	for _, s := range f.Exporter.Sets {
		served[exporters.Set(s)] = true
	}
	f.Exporter.Sets = nil
	for _, s := range AllSets {
		f.Exporter.Sets = append(f.Exporter.Sets, string(s))
	}
	sources, closeSources := Sources(f, open, logger)
	defer closeSources()
	if len(sources) == 0 {
		return Estimate{}, errNoSources
	}
	runner := exporters.NewRunner(exporters.Options{Sets: AllSets, Logger: logger, StopTimeout: 2 * time.Second})
	for _, s := range sources {
		if err := runner.Add(s); err != nil {
			return Estimate{}, err
		}
	}
	run, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(run) }()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for looked := false; !looked; {
		select {
		case <-runner.Ready():
			looked = true
		case <-ctx.Done():
			looked = true // what came is counted, the rest named
		case <-tick.C:
			progress(len(runner.Waiting()), len(sources))
		}
	}
	gathered, err := runner.Gatherer().Gather()
	cancel()
	err = errors.Join(err, <-ended)
	if len(gathered) == 0 && err != nil {
		return Estimate{}, fmt.Errorf("counting the series: %w", err)
	}
	return estimate(exporters.List(sources), gathered, served), nil
}

// estimate sorts what was gathered into its sets.
func estimate(families []exporters.Family, gathered []*dto.MetricFamily, served map[exporters.Set]bool) Estimate {
	setOf := map[string]exporters.Set{}
	for _, f := range families {
		setOf[f.Name] = f.Set
	}
	var e Estimate
	bySet := map[exporters.Set]*SetSeries{}
	for _, s := range AllSets {
		bySet[s] = &SetSeries{Set: s, Served: served[s]}
	}
	for _, g := range gathered {
		set, ok := setOf[g.GetName()]
		if !ok {
			continue
		}
		e.Families = append(e.Families, FamilySeries{Name: g.GetName(), Set: set, Series: len(g.Metric)})
		bySet[set].Families++
		bySet[set].Series += len(g.Metric)
		if g.GetName() == "mcloud_source_complete" {
			e.Failed = incomplete(g)
		}
	}
	for _, s := range AllSets {
		e.Sets = append(e.Sets, *bySet[s])
	}
	slices.SortStableFunc(e.Families, func(a, b FamilySeries) int { return b.Series - a.Series })
	return e
}

func incomplete(g *dto.MetricFamily) []string {
	var names []string
	for _, m := range g.Metric {
		if m.GetGauge().GetValue() == 1 {
			continue
		}
		for _, l := range m.Label {
			if l.GetName() == "source" {
				names = append(names, l.GetValue())
			}
		}
	}
	slices.SortFunc(names, strings.Compare)
	return names
}
