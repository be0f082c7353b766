// Command compare sets what the exporter says beside what the clients of
// OpenStack, Ceph and OVN say about the lab at the same moment, and ends with 1
// when any value differs.
//
// The clients are programs of others, started as an operator would start them:
// no code of the exporters is used to read their side. A source's value and a
// client's cannot be read in the same instant, so when rows differ the clients
// are asked again after the exporter has looked again; a value of ours that
// then lies between the two answers is equal. That is done for some minutes, for
// what the cloud is about to change is told to its clients one after the other.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// errDiffers is the one error whose message is the table above it.
var errDiffers = errors.New("values differ")

// options are the command line.
type options struct {
	exporter string        // base URL
	lab      string        // $MCLOUD_LAB
	tools    string        // deploy/lab/openstack
	settle   time.Duration // how long to wait for sources to be refreshed
	patience time.Duration // how long to compare again what differs
	deadline time.Duration // for the whole run
	only     []string      // sections, none for all
	brief    bool          // only rows that differ
}

func main() {
	opts, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		ctx, cancel := context.WithTimeout(ctx, opts.deadline)
		defer cancel()
		err = run(ctx, opts, os.Stdout)
	}
	if err != nil && !errors.Is(err, errDiffers) {
		fmt.Fprintln(os.Stderr, "compare:", err)
	}
	if err != nil {
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var (
		opts options
		only string
	)
	lab := os.Getenv("MCLOUD_LAB")
	if lab == "" {
		lab = "/var/lib/mcloud-lab"
	}
	flags := flag.NewFlagSet("lab compare", flag.ContinueOnError)
	flags.StringVar(&opts.exporter, "exporter", "http://127.0.0.1:9198", "the exporter's base `URL`")
	flags.StringVar(&opts.lab, "lab", lab, "the lab's `folder`, also MCLOUD_LAB")
	flags.StringVar(&opts.tools, "tools", filepath.Join("deploy", "lab", "openstack"), "`folder` of the lab's openstack and ovn clients")
	flags.DurationVar(&opts.settle, "settle", 2*time.Minute, "longest wait for the exporter to look again when something differs")
	flags.DurationVar(&opts.patience, "patience", 3*time.Minute, "how long what differs is compared again; it is so at least twice")
	flags.DurationVar(&opts.deadline, "deadline", 15*time.Minute, "longest run")
	flags.StringVar(&only, "only", "", "`sections` to compare, separated by commas: "+strings.Join(namesOf(allSections()), ", "))
	flags.BoolVar(&opts.brief, "brief", false, "print only the rows that differ")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q; see --help", flags.Arg(0))
	}
	if only != "" {
		opts.only = strings.Split(only, ",")
	}
	for _, name := range opts.only {
		if !slices.Contains(namesOf(allSections()), name) {
			return options{}, fmt.Errorf("--only: no section %q; there are: %s", name, strings.Join(namesOf(allSections()), ", "))
		}
	}
	return opts, nil
}

// fewestRounds are made before a value is called different, however long they
// take: two that set ours between two answers of the client.
const fewestRounds = 3

// run compares all sections side by side.
func run(ctx context.Context, opts options, out io.Writer) error {
	clients, exporter := newClients(opts), &pages{exporter: opts.exporter}
	chosen := chooseSections(opts.only)
	results := make([]result, len(chosen))
	var all sync.WaitGroup
	for i, s := range chosen {
		all.Go(func() { results[i] = compareUntilEqual(ctx, opts, clients, exporter, s) })
	}
	all.Wait()
	return conclude(out, opts, results)
}

// result is what came of a section's last round.
type result struct {
	section  string
	rows     []row
	asking   error // the client could not be asked
	exporter error // the exporter could not be read
}

func (r result) wrong() bool {
	return r.asking != nil || r.exporter != nil || slices.ContainsFunc(r.rows, func(r row) bool { return !r.equal })
}

// compareUntilEqual compares a section, and again while it differs, until all is
// equal or the patience is over. Every round is as strict as the last one could
// be: all values lie between what the client said before and after the same look
// of the exporter. What is different for good is so in each round.
func compareUntilEqual(ctx context.Context, opts options, c *clients, exporter *pages, s section) result {
	var before readings
	var firstEnded time.Time
	for round := 1; ; round++ {
		last := result{section: s.name}
		var p page
		var after readings
		if round == 1 {
			// Nothing is known of when the exporter looked.
			after, last.asking = readClient(ctx, c, s)
			p, last.exporter = exporter.since(ctx, time.Now())
			firstEnded = time.Now()
		} else if p, last.exporter = exporter.refreshed(ctx, s.sources, time.Now(), opts.settle); last.exporter == nil {
			after, last.asking = readClient(ctx, c, s)
		}
		if before == nil {
			before = after
		}
		if last.exporter == nil {
			last.rows = compareOne(s, p, before, after)
		}
		over := ctx.Err() != nil || round == 1 && last.exporter != nil || round >= fewestRounds && time.Since(firstEnded) > opts.patience
		if !last.wrong() || over {
			return last
		}
		fmt.Fprintf(os.Stderr, "%s differs in round %d; waiting for the exporter to look again, at most %s, to compare again\n", s.name, round, opts.settle)
		if before = after; last.asking != nil {
			before = nil // half an answer would let what it lacks pass for what came meanwhile
		}
	}
}

// conclude prints the table and, last and short, what is wrong.
func conclude(w io.Writer, opts options, results []result) error {
	var all []row
	for _, r := range results {
		all = append(all, r.rows...)
	}
	printTable(w, all, opts.brief)
	var different []row
	var failures []string
	for _, r := range results {
		switch {
		case r.exporter != nil:
			failures = append(failures, fmt.Sprintf("%s: %.300s", r.section, r.exporter.Error()))
		case r.asking != nil:
			failures = append(failures, fmt.Sprintf("%s: the client could not be asked: %.300s", r.section, r.asking.Error()))
		default:
			different = append(different, slices.DeleteFunc(r.rows, func(r row) bool { return r.equal })...)
		}
	}
	if len(different) == 0 && len(failures) == 0 {
		return nil
	}
	printDifferences(w, different)
	for _, line := range failures {
		fmt.Fprintln(w, line)
	}
	return errDiffers
}
