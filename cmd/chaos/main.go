// Command chaos breaks a collector and its store under load, again and again, and counts
// after each time what it had acknowledged: missing and doubled samples have to be 0.
//
// It runs the built bin/mcloud, as operators do, with data of its own below -dir. Each
// round is one fault of faults.go at a random moment; then everything is put right, the
// load stops, and when the shipper says that it is done, the store is read. The disk of
// the collector is a small tmpfs where the process may mount one, so that it can be full.
//
// Not done here: a real slow disk and a jump of the machine's clock, which need a machine
// that may be hurt. A store that gets a twentieth of its time, and a sender whose clock
// jumps, stand for them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	var (
		rounds = flag.Int("rounds", 100, "rounds")
		seed   = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the choice of faults and moments")
		only   = flag.String("only", "", "a part of a fault's name: only those")
		away   = flag.Duration("away", 20*time.Second, "the longest time that the store is away")
		series = flag.Int("series", 500, "series of the load")
		binary = flag.String("mcloud", "bin/mcloud", "the program to break")
		stand  = flag.Duration("rules-may-stand", 10*time.Second, "how long a rule with an interval of 1 s may go without an evaluation")
		dir    = flag.String("dir", "", "where data and logs go; a temporary directory unless set")
	)
	flag.Parse()
	faults := choose(*only)
	if len(faults) == 0 {
		return fmt.Errorf("no fault is called %q; there are %s", *only, strings.Join(names(choose("")), ", "))
	}
	program, err := filepath.Abs(*binary)
	if err != nil {
		return err
	}
	if _, err := os.Stat(program); err != nil {
		return fmt.Errorf("%w; run make build first", err)
	}
	if *dir == "" {
		if *dir, err = os.MkdirTemp("", "mcloud-chaos-"); err != nil {
			return err
		}
		defer func() {
			if err == nil {
				err = os.RemoveAll(*dir)
				return
			}
			fmt.Fprintf(os.Stderr, "data and logs are kept in %s\n", *dir)
		}()
	}
	p, err := newProduct(program, *dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()

	chance := rand.New(rand.NewPCG(*seed, 0))
	fmt.Printf("%d rounds, seed %d, %d series; collector's disk: %s\n\n", *rounds, *seed, *series, p.disk)
	out := newReport(os.Stdout, *stand)
	load := newLoad(p, *series)
	if err := p.start(ctx); err != nil {
		return err
	}
	began := time.Now()
	for n := range *rounds {
		// Each fault in turn, in another order each time around.
		if n%len(faults) == 0 {
			chance.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
		}
		r, err := round(ctx, p, load, faults[n%len(faults)], trouble{chance: chance, away: *away})
		if err != nil || ctx.Err() != nil { // what the rounds before came to is worth knowing
			out.summary(time.Since(began))
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("round %d, %s: %w\n%s", n+1, faults[n%len(faults)].name, err, p.lastWords())
		}
		out.add(n+1, r)
	}
	return out.end(time.Since(began))
}

// outcome is what a round came to.
type outcome struct {
	fault            string
	took             time.Duration
	acknowledged     int // samples
	missing, doubled int
	rulesStood       time.Duration // the longest time without an evaluation while the collector answered
	arrived          time.Duration // from the end of the load until all was in the store
	note             string
}

// round breaks the product once under load, puts it right, and counts.
func round(ctx context.Context, p *product, l *load, f fault, t trouble) (outcome, error) {
	began := time.Now()
	loading, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan struct{})
	go func() { defer close(done); l.run(loading) }()
	o := outcome{fault: f.name}
	if err := l.taken(ctx); err != nil {
		return o, err
	}
	sleep(ctx, t.moment(time.Second, 3*time.Second))
	t.product, t.load = p, l
	rules := watchRules(loading, p)
	note, err := f.do(ctx, t)
	if err != nil {
		return o, err
	}
	if err := p.start(ctx); err != nil { // what the fault left down
		return o, err
	}
	if err := l.taken(ctx); err != nil {
		return o, fmt.Errorf("after the fault: %w", err)
	}
	sleep(ctx, t.moment(time.Second, 2*time.Second))
	stop()
	<-done
	if stood := rules(); !f.noRules {
		o.rulesStood = stood
	}
	ended := time.Now()
	o.acknowledged, o.missing, o.doubled, err = l.count(ctx)
	if err != nil {
		return o, err
	}
	o.note, o.arrived, o.took = strings.TrimPrefix(note+"; "+l.gap, "; "), time.Since(ended), time.Since(began)
	o.note = strings.TrimSuffix(o.note, "; ")
	return o, nil
}

// sleep waits, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
