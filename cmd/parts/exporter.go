package parts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"mcloud/cmd/config"
	"mcloud/exporters"
	"mcloud/exporters/oslo"
	"mcloud/exporters/spool"
)

// CollectorURL is where the exporter and the planner find the collector.
func CollectorURL(f config.File) string {
	if f.Collector.URL != "" {
		return f.Collector.URL
	}
	return "http://" + f.Collector.Listen
}

// Exporter wires the Sources, the notification consumers and the spool that
// carries their records to the collector.
func Exporter(f config.File, open OpenMon, logger *slog.Logger) (Part, error) {
	poster, err := spool.NewHTTPPoster(spool.HTTPOptions{URL: CollectorURL(f)})
	if err != nil {
		return Part{}, err
	}
	records, err := spool.Open(spool.Options{Dir: filepath.Join(f.DataDir, "spool"), Poster: poster, Logger: logger})
	if err != nil {
		return Part{}, err
	}
	var sets []exporters.Set
	for _, s := range f.Exporter.Sets {
		sets = append(sets, exporters.Set(s))
	}
	runner := exporters.NewRunner(exporters.Options{Recorder: records, Logger: logger, Sets: sets, StopTimeout: 2 * time.Second})
	if err := runner.Registry().Register(records); err != nil {
		return Part{}, fmt.Errorf("metrics of the spool: %w", err)
	}
	sources, closeSources := Sources(f, open, logger)
	if len(sources) == 0 {
		logger.Warn(errNoSources.Error())
	}
	for _, s := range sources {
		if err := runner.Add(s); err != nil {
			closeSources()
			return Part{}, err
		}
	}
	var consumers []*oslo.Consumer
	for _, b := range f.Notifications {
		c, err := consumer(f, b, poster, logger)
		if err == nil {
			err = runner.Registry().Register(c)
		}
		if err != nil {
			closeSources()
			return Part{}, err
		}
		consumers = append(consumers, c)
	}
	ready := make(chan struct{})
	return Part{
		Name:  "exporter",
		Ready: ready,
		URL:   func() string { return "http://" + f.Exporter.Listen },
		Run: func(ctx context.Context) error {
			defer closeSources()
			l, err := listen(f.Exporter.Listen, "exporter.listen")
			if err != nil {
				return err
			}
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			var (
				parts sync.WaitGroup
				mu    sync.Mutex
				first error
			)
			run := func(f func(context.Context) error) {
				parts.Go(func() {
					if err := f(ctx); err != nil && !errors.Is(err, context.Canceled) {
						mu.Lock()
						first = errors.Join(first, err)
						mu.Unlock()
						cancel()
					}
				})
			}
			run(records.Run)
			run(runner.Run)
			for _, c := range consumers {
				run(c.Run)
			}
			run(func(ctx context.Context) error {
				return serve(ctx, l, f.Exporter.WebConfig, runner.Handler(), logger)
			})
			close(ready)
			parts.Wait()
			return first
		},
	}, nil
}

func consumer(f config.File, b config.Broker, poster oslo.Poster, logger *slog.Logger) (*oslo.Consumer, error) {
	address, err := b.Secret()
	if err != nil {
		return nil, err
	}
	return oslo.New(oslo.Options{Cloud: f.Cloud, URL: address, Topics: b.Topics, Logger: logger}, poster)
}
