package ceph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"mcloud"
	"mcloud/exporters"
)

// cluster is what the Sources of one cluster share.
type cluster struct {
	cfg  ClusterConfig
	mon  Mon
	fsid atomic.Pointer[string]
}

func (c *cluster) learnFSID(fsid string) {
	if fsid != "" {
		c.fsid.Store(&fsid)
	}
}

// knownFSID is "" until the monitors were asked once.
func (c *cluster) knownFSID() string {
	if p := c.fsid.Load(); p != nil {
		return *p
	}
	return ""
}

// look gathers one Snapshot from several commands; one that fails costs only
// what it would have given.
type look struct {
	*cluster
	ctx  context.Context
	snap exporters.Snapshot
	errs []error
}

func (c *cluster) look(ctx context.Context) *look { return &look{cluster: c, ctx: ctx} }

// fetch sends one command and decodes its answer. ok is false when that failed,
// and the reason is kept for the end of the look.
func fetch[T any](l *look, prefix string, args map[string]any) (answer T, ok bool) {
	answer, err := command[T](l.ctx, l.mon, prefix, args)
	if err != nil {
		l.errs = append(l.errs, fmt.Errorf("ceph cluster %s: %w", l.cfg.Name, err))
		return answer, false
	}
	return answer, true
}

// read sends one command whose answer is not one JSON document, or too large to
// be held as one, and has decode read it. ok is false when either failed.
func (l *look) read(prefix string, args map[string]any, decode func([]byte) error) (ok bool) {
	if err := ask(l.ctx, l.mon, prefix, args, decode); err != nil {
		l.errs = append(l.errs, fmt.Errorf("ceph cluster %s: %w", l.cfg.Name, err))
		return false
	}
	return true
}

func command[T any](ctx context.Context, mon Mon, prefix string, args map[string]any) (answer T, err error) {
	err = ask(ctx, mon, prefix, args, func(b []byte) error { return decodeJSON(b, &answer) })
	return answer, err
}

func ask(ctx context.Context, mon Mon, prefix string, args map[string]any, decode func([]byte) error) error {
	full := map[string]any{"prefix": prefix, "format": "json"}
	for k, v := range args {
		full[k] = v
	}
	start := time.Now()
	b, err := mon.Command(ctx, full)
	code := "0"
	if err == nil {
		err = decode(b)
	}
	if err != nil {
		code = exporters.KindOf(err)
		err = fmt.Errorf("%s: %w", prefix, err)
	}
	exporters.CountCall(ctx, "mon", code, time.Since(start))
	return err
}

// done ends the look: nothing at all is an error without a Snapshot, so that
// the former one ages instead of being replaced by emptiness.
func (l *look) done() (*exporters.Snapshot, error) {
	err := errors.Join(l.errs...)
	if err != nil && len(l.snap.Samples) == 0 && len(l.snap.Inventories) == 0 {
		return nil, err
	}
	return &l.snap, err
}

func (l *look) fail(object string, err error) {
	l.snap.Failed = append(l.snap.Failed, exporters.ObjectError{Object: object, Err: err})
}

func (l *look) inventory(kind mcloud.Kind, complete bool, objects []mcloud.Object) {
	l.snap.Inventories = append(l.snap.Inventories, mcloud.Inventory{
		Cloud: l.cfg.Cloud, Scope: "ceph/" + l.cfg.Name, Kind: kind,
		Time: l.cfg.Now().UTC(), Complete: complete, Objects: objects,
	})
}

// decodeJSON is json.Unmarshal for what Ceph prints: ratios of an empty cluster
// come as bare nan or inf, which is not JSON, and are read as null.
func decodeJSON(b []byte, v any) error {
	err := json.Unmarshal(b, v)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		if again := json.Unmarshal(nullNonFinite(b), v); again == nil {
			return nil
		}
	}
	return err
}

// nullNonFinite replaces the words nan and inf, with their sign, by null
// wherever they stand outside of strings.
func nullNonFinite(b []byte) []byte {
	out := make([]byte, 0, len(b)+16)
	for i := 0; i < len(b); {
		switch {
		case b[i] == '"':
			end := endOfString(b, i)
			out = append(out, b[i:end]...)
			i = end
		default:
			if n := nonFinite(b[i:]); n > 0 {
				out = append(out, "null"...)
				i += n
				continue
			}
			out = append(out, b[i])
			i++
		}
	}
	return out
}

// endOfString returns the index after the quote that ends the string at start.
func endOfString(b []byte, start int) int {
	for i := start + 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

func nonFinite(b []byte) int {
	for _, word := range []string{"nan", "-nan", "inf", "-inf"} {
		if len(b) >= len(word) && string(b[:len(word)]) == word {
			return len(word)
		}
	}
	return 0
}
