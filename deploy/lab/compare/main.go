// Command compare sets what the exporter says beside what the clients of
// OpenStack, Ceph and OVN say about the lab at the same moment, and ends with 1
// when any value differs.
//
// The clients are programs of others, started as an operator would start them:
// no code of the exporters is used to read their side. A source's value and a
// client's cannot be read in the same instant, so when rows differ the clients
// are asked again after the exporter has looked again; a value of ours that
// then lies between the two answers is equal.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
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
		err = run(ctx, opts)
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
	flags.DurationVar(&opts.deadline, "deadline", 10*time.Minute, "longest run")
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

// run compares once, and a second time what differed.
func run(ctx context.Context, opts options) error {
	clients := newClients(opts)
	chosen := chooseSections(opts.only)

	before, failed := readClients(ctx, clients, chosen)
	asked := time.Now()
	page, err := fetchPage(ctx, opts.exporter)
	if err != nil {
		return err
	}
	rows := compareSections(chosen, page, before, before)

	if again := sectionsThatDiffer(rows, chosen); len(again) > 0 {
		fmt.Fprintf(os.Stderr, "%s differ; waiting for the exporter to look again, at most %s, to compare again\n",
			strings.Join(namesOf(again), ", "), opts.settle)
		refreshed, err := waitForRefresh(ctx, opts.exporter, sourcesOf(again), asked, opts.settle)
		if err != nil {
			return err
		}
		after, failedAgain := readClients(ctx, clients, again)
		for name, err := range failedAgain {
			failed[name] = err
		}
		rows = append(slices.DeleteFunc(rows, func(r row) bool { return slices.Contains(namesOf(again), r.section) }),
			compareSections(again, refreshed, before, after)...)
	}

	different := printTable(os.Stdout, rows, opts.brief)
	for _, s := range chosen {
		if err := failed[s.name]; err != nil {
			fmt.Fprintf(os.Stdout, "%s: the client could not be asked: %v\n", s.name, err)
		}
	}
	if different > 0 || len(failed) > 0 {
		return errDiffers
	}
	return nil
}
