package collector

import (
	"context"
	"log/slog"
	"slices"
	"strings"
)

// quiet passes on what Prometheus's own parts log, which is written for who
// debugs Prometheus: their information becomes Debug, and so do their warnings
// while they are being stopped.
type quiet struct {
	slog.Handler
	stopping func() bool
}

// repairing are the ends of what the TSDB warns of while it repairs its WAL, step
// by step; openHot says afterwards what that took away.
var repairing = []string{
	"WAL read error, attempting repair", "Starting corruption repair",
	"Deleting all segments newer than corrupted segment", "Rewrite corrupted segment",
}

// quieted is l for a part of Prometheus. stopping may be nil.
func quieted(l *slog.Logger, stopping func() bool) *slog.Logger {
	return slog.New(quiet{l.Handler(), stopping})
}

func (q quiet) level(l slog.Level) slog.Level {
	if l <= slog.LevelInfo || l <= slog.LevelWarn && q.stopping != nil && q.stopping() {
		return min(l, slog.LevelDebug)
	}
	return l
}

// Enabled implements slog.Handler.
func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return q.Handler.Enabled(ctx, q.level(l))
}

// Handle implements slog.Handler.
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	r.Level = q.level(r.Level)
	if slices.ContainsFunc(repairing, func(m string) bool { return strings.HasSuffix(r.Message, m) }) {
		r.Level = slog.LevelDebug
	}
	if !q.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return q.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler {
	return quiet{q.Handler.WithAttrs(attrs), q.stopping}
}

// WithGroup implements slog.Handler.
func (q quiet) WithGroup(name string) slog.Handler {
	return quiet{q.Handler.WithGroup(name), q.stopping}
}
