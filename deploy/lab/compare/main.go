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
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
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

// run compares, and again what differed, until all is equal or the patience is
// over. Every round is as strict as the last one could be: all values of a
// section lie between what the client said before and after the same look. What
// is different for good is so in each round.
func run(ctx context.Context, opts options, out io.Writer) error {
	clients := newClients(opts)
	began, firstEnded := time.Now(), time.Time{}
	open := chooseSections(opts.only) // what is not yet equal
	rows := make(map[string][]row)    // of each section's last round
	failed := make(map[string]error)  // clients, in the same
	var before map[string]readings
	for round := 1; ; round++ {
		p, after, failedNow, err := lookAgain(ctx, opts, clients, open, round == 1)
		if err != nil {
			if round > 1 {
				_ = conclude(out, opts, rows, failed)
			}
			return err
		}
		if round == 1 {
			firstEnded = time.Now()
		}
		open = slices.DeleteFunc(open, func(s section) bool {
			earlier, ok := before[s.name]
			if !ok {
				earlier = after[s.name]
			}
			rows[s.name] = compareOne(s, p, earlier, after[s.name])
			delete(failed, s.name)
			if err := failedNow[s.name]; err != nil {
				failed[s.name] = err
				return false
			}
			return !slices.ContainsFunc(rows[s.name], func(r row) bool { return !r.equal })
		})
		if len(open) == 0 || round >= fewestRounds && time.Since(firstEnded) > opts.patience {
			return conclude(out, opts, rows, failed)
		}
		// Half an answer would let what it lacks pass for what came meanwhile.
		maps.DeleteFunc(after, func(name string, _ readings) bool { return failedNow[name] != nil })
		before = after
		fmt.Fprintf(os.Stderr, "round %d, %.0f s: %s differ; waiting for the exporter to look again, at most %s, to compare again\n",
			round, time.Since(began).Seconds(), strings.Join(namesOf(open), ", "), opts.settle)
	}
}

// lookAgain reads the exporter and asks the clients. The first time nothing is
// known of when the exporter looked; later, it has looked before the clients are
// asked and after they were asked in the former round.
func lookAgain(ctx context.Context, opts options, c *clients, chosen []section, first bool) (p page, theirs map[string]readings, failed map[string]error, err error) {
	if first {
		theirs, failed = readClients(ctx, c, chosen)
		p, err = fetchPage(ctx, opts.exporter)
		return p, theirs, failed, err
	}
	p, err = waitForRefresh(ctx, opts.exporter, sourcesOf(chosen), time.Now(), opts.settle)
	if err != nil {
		return nil, nil, nil, err
	}
	theirs, failed = readClients(ctx, c, chosen)
	return p, theirs, failed, nil
}

// conclude prints the table and, last and short, what is wrong.
func conclude(w io.Writer, opts options, rows map[string][]row, failed map[string]error) error {
	var all []row
	for _, s := range chooseSections(opts.only) {
		all = append(all, rows[s.name]...)
	}
	different := printTable(w, all, opts.brief)
	if len(different) == 0 && len(failed) == 0 {
		return nil
	}
	printDifferences(w, slices.DeleteFunc(different, func(r row) bool { return failed[r.section] != nil }))
	for _, name := range slices.Sorted(maps.Keys(failed)) {
		fmt.Fprintf(w, "%s: the client could not be asked: %.300s\n", name, failed[name].Error())
	}
	return errDiffers
}
