package parts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mcloud/cmd/access"
	"mcloud/cmd/config"
	"mcloud/exporters"
	"mcloud/exporters/compat"
	"mcloud/exporters/oslo"
	"mcloud/exporters/pair"
	"mcloud/exporters/spool"
)

// Poster posts records to the collector.
func Poster(f config.File) (*spool.HTTPPoster, error) {
	transport, err := toCollector(f)
	if err != nil {
		return nil, err
	}
	return spool.NewHTTPPoster(spool.HTTPOptions{URL: f.CollectorURL(), Transport: transport})
}

// exporter is what stays while watches come and go.
type exporter struct {
	file    config.File
	open    OpenMon
	logger  *slog.Logger
	poster  *spool.HTTPPoster
	records *spool.Spool
	pair    *pair.Pair // nil for an exporter that is alone
	front   front
	serving atomic.Pointer[http.Handler]
}

// Exporter wires the Sources, the notification consumers and the spool that
// carries their records to the collector. One of a pair does so while it is
// active; its spool delivers what it holds in any case.
func Exporter(f config.File, open OpenMon, logger *slog.Logger) (Part, error) {
	e := &exporter{file: f, open: open, logger: logger}
	var err error
	if e.front, err = newFront(f, "exporter", access.ExporterPolicy, logger); err != nil {
		return Part{}, err
	}
	if e.poster, err = Poster(f); err != nil {
		return Part{}, err
	}
	if e.records, err = spool.Open(spool.Options{Dir: filepath.Join(f.DataDir, "spool"), Poster: e.poster, Logger: logger}); err != nil {
		return Part{}, err
	}
	if p := f.Exporter.Pair; p != nil {
		options := pair.Options{Peer: p.Peer, CA: p.CA, User: p.User, PasswordFile: p.PasswordFile}
		if p.CA == "" && p.User == "" {
			if options.Transport, err = access.Transport(access.ClientOf(f, "exporter", true), p.Peer); err != nil {
				return Part{}, err
			}
		}
		options.Preferred, options.Takeover, options.Logger = p.Preferred, time.Duration(p.Takeover), logger
		e.pair, err = pair.New(options)
		if err != nil {
			return Part{}, err
		}
	}
	// Made now so that a mistake in the configuration ends the start, not a takeover.
	first, err := e.watch(true)
	if err != nil {
		return Part{}, err
	}
	ready := make(chan struct{})
	return Part{
		Name:  "exporter",
		Ready: ready,
		URL:   func() string { return f.Listeners()["exporter"].URL() },
		Run:   func(ctx context.Context) error { return e.run(ctx, first, ready) },
	}, nil
}

// watch is one stretch of looking at the cloud, or of standing by.
type watch struct {
	active    bool
	runner    *exporters.Runner
	consumers []*oslo.Consumer
	close     func()
}

// watch makes ready to look; one that is not active has nothing to look at.
func (e *exporter) watch(active bool) (_ *watch, err error) {
	var sets []exporters.Set
	for _, s := range e.file.Exporter.Sets {
		sets = append(sets, exporters.Set(s))
	}
	w := &watch{active: active, close: func() {}}
	w.runner = exporters.NewRunner(exporters.Options{Recorder: e.records, Logger: e.logger, Sets: sets, StopTimeout: 2 * time.Second})
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if err := w.runner.Registry().Register(e.records); err != nil {
		return nil, fmt.Errorf("metrics of the spool: %w", err)
	}
	if err := e.front.register(w.runner.Registry()); err != nil {
		return nil, err
	}
	if e.pair != nil {
		if err := w.runner.Registry().Register(e.pair); err != nil {
			return nil, fmt.Errorf("metrics of the pair: %w", err)
		}
	}
	if !active {
		return w, nil
	}
	shard := exporters.Shard{}
	if s := e.file.Exporter.Shard; s != nil {
		shard = exporters.Shard{Index: s.Index, Of: s.Of}
	}
	sources, closeSources := Sources(e.file, e.open, e.logger)
	w.close = closeSources
	if len(sources) == 0 {
		e.logger.Warn(errNoSources.Error())
	}
	for _, s := range shard.Own(sources) {
		if err := w.runner.Add(s); err != nil {
			return nil, err
		}
	}
	for i, b := range e.file.Notifications {
		if !shard.Owns(fmt.Sprintf("notifications %d", i)) {
			continue
		}
		c, err := consumer(e.file, b, e.poster, e.logger)
		if err == nil {
			err = w.runner.Registry().Register(c)
		}
		if err != nil {
			return nil, err
		}
		w.consumers = append(w.consumers, c)
	}
	return w, nil
}

// run serves, delivers and watches until ctx ends.
func (e *exporter) run(ctx context.Context, first *watch, ready chan<- struct{}) error {
	l, err := listen(e.file.Exporter.Listen, "exporter.listen")
	if err != nil {
		first.close()
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { (*e.serving.Load()).ServeHTTP(w, r) })
	if e.pair != nil {
		mux.Handle("GET "+pair.Path, e.pair)
	}
	e.serve(first)
	return together(ctx, func(run func(func(context.Context) error)) {
		run(e.records.Run)
		run(func(ctx context.Context) error { return e.watches(ctx, first) })
		run(func(ctx context.Context) error { return serve(ctx, l, e.front, mux, e.logger) })
		if e.pair != nil {
			run(e.pair.Run)
		}
		close(ready)
	})
}

func (e *exporter) serve(w *watch) {
	handler := w.runner.Handler()
	if rules := CompatRules(e.file.Exporter.Compat); len(rules) > 0 {
		mux := http.NewServeMux()
		mux.Handle("/", handler)
		mux.Handle("GET /metrics", promhttp.HandlerFor(compat.Gatherer(w.runner.Gatherer(), rules), promhttp.HandlerOpts{
			ErrorLog: slog.NewLogLogger(e.logger.Handler(), slog.LevelError), ErrorHandling: promhttp.ContinueOnError,
		}))
		handler = mux
	}
	e.serving.Store(&handler)
}

// CompatRules are the translations for the peers named.
func CompatRules(peers []string) []compat.Rule {
	if slices.Contains(peers, "openstack-exporter") {
		return compat.OpenStackExporter()
	}
	return nil
}

// watches runs one watch after the other, as the pair decides.
func (e *exporter) watches(ctx context.Context, w *watch) error {
	for {
		want := e.pair == nil || e.pair.Active()
		if w == nil || w.active != want {
			if w != nil {
				w.close()
			}
			var err error
			if w, err = e.watch(want); err != nil {
				return err
			}
			e.serve(w)
		}
		watching, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- w.run(watching) }()
		var err error
		select {
		case err = <-done:
		case <-e.changes():
			stop()
			if late := <-done; late != nil {
				e.logger.Warn("the watch that ends did not end cleanly", "error", late.Error())
			}
		}
		stop()
		w.close()
		w = nil
		if ctx.Err() != nil || err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
	}
}

// changes yields when the pair decides otherwise; never without one.
func (e *exporter) changes() <-chan struct{} {
	if e.pair == nil {
		return nil
	}
	return e.pair.Changed()
}

func (w *watch) run(ctx context.Context) error {
	return together(ctx, func(run func(func(context.Context) error)) {
		run(w.runner.Run)
		for _, c := range w.consumers {
			run(c.Run)
		}
	})
}

// together runs what start hands to run until ctx ends or one of them fails, and
// returns when all have ended.
func together(ctx context.Context, start func(run func(func(context.Context) error))) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		parts sync.WaitGroup
		mu    sync.Mutex
		first error
	)
	start(func(f func(context.Context) error) {
		parts.Go(func() {
			if err := f(ctx); err != nil && !errors.Is(err, context.Canceled) {
				mu.Lock()
				first = errors.Join(first, err)
				mu.Unlock()
				cancel()
			}
		})
	})
	parts.Wait()
	return first
}

func consumer(f config.File, b config.Broker, poster oslo.Poster, logger *slog.Logger) (*oslo.Consumer, error) {
	address, err := b.Secret()
	if err != nil {
		return nil, err
	}
	return oslo.New(oslo.Options{Cloud: f.Cloud, URL: address, Topics: b.Topics, Queue: b.Queue, Exchanges: b.Exchanges, Logger: logger}, poster)
}
