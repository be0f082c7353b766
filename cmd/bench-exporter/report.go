package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"mcloud/cmd/machine"
)

// report is everything that was measured.
type report struct {
	bench       *bench
	cold        delta
	rounds      []delta
	first, last []source
	load        string   // of the machine when the cold start began
	missing     []string // sources without a complete look when the wait ended
	rss, peak   machine.KiB
	scrapes     []scrape
	total       state
}

// What is to be reached.
const (
	coldTime   = 60 * time.Second
	roundCalls = 500
	roundTime  = 10 * time.Second
	mostMemory = machine.KiB(600_000_000 / 1024)
	scrapeTime = 300 * time.Millisecond
)

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "missed"
}

func (r report) print(out io.Writer) {
	s := r.bench.size
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(t, "\n%s; load when the cold start began: %s\n", machine.Describe(), r.load)
	fmt.Fprintf(t, "data: %d hypervisors, %d servers, %d projects, %d volumes, %d ports, %d clusters × %d OSDs; %v for each call and %v for each 1,000 objects\n"+
		"cold start: from the process's start until every source has had one complete look; a round: one openstack.period (%v), 1 %% of servers, volumes and ports changed at its beginning; "+
		"sources with longer periods look in some rounds only, Ceph's and OVN's shorter ones several times\n\n",
		s.hosts, s.servers, s.projects, s.volumes, s.ports, clusters, s.osds, s.latency, s.perThousand, r.bench.period)
	fmt.Fprintln(t, "FIGURE\tMEASURED\tTO REACH\t")
	row := func(name, measured, goal string, met bool) {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", name, measured, goal, verdict(met))
	}
	limit := s.hosts + 3*s.projects + 1000
	whole := len(r.missing) == 0
	row("cold start: calls", fmt.Sprint(r.cold.total()), fmt.Sprintf("≤ %d (R + 3·P + 1,000)", limit), whole && r.cold.total() <= limit)
	row("cold start: time", seconds(r.cold.took), "≤ "+seconds(coldTime), whole && r.cold.took <= coldTime)
	fmt.Fprintf(t, "cold start: processor\t%s\t\t\n", seconds(r.cold.cpu))
	if !whole {
		fmt.Fprintf(t, "cold start: never complete\t%s\tnone\tmissed\n", strings.Join(r.missing, ", "))
	}
	most, longest := delta{}, delta{}
	var busy, calls time.Duration
	for _, d := range r.rounds {
		if d.total() >= most.total() {
			most = d
		}
		if d.longest >= longest.longest {
			longest = d
		}
		busy += d.cpu
		calls += time.Duration(d.total())
	}
	if n := time.Duration(len(r.rounds)); n > 0 {
		row("later round: calls, most", fmt.Sprint(most.total()), fmt.Sprint("≤ ", roundCalls), most.total() <= roundCalls)
		fmt.Fprintf(t, "later round: calls, mean\t%d\t\t\n", calls/n)
		row("later round: time, longest look", fmt.Sprintf("%s (%s)", seconds(longest.longest), longest.slowest), "≤ "+seconds(roundTime), longest.longest <= roundTime)
		fmt.Fprintf(t, "later round: processor, mean\t%s of %v\t\t\n", seconds(busy/n), r.bench.period)
		fmt.Fprintf(t, "later round: posted, last\t%d posts, %.1f MB\t\t\n", r.rounds[n-1].posts, float64(r.rounds[n-1].bytes)/1e6)
	}
	row("memory: resident, at the end", r.rss.String(), "≤ "+mostMemory.String(), r.rss <= mostMemory)
	row("memory: resident, peak", r.peak.String(), "≤ "+mostMemory.String(), r.peak <= mostMemory)
	for _, c := range r.scrapes {
		row("scrape: "+c.form+fmt.Sprintf(", median of %d", scrapeTimes), c.median.Round(time.Millisecond/10).String(), "≤ "+scrapeTime.String(), c.median <= scrapeTime)
		size := fmt.Sprintf("%.2f MB", float64(c.bytes)/1e6)
		if c.samples > 0 {
			size += fmt.Sprintf(", %d samples", c.samples)
		}
		fmt.Fprintf(t, "scrape: %s, size\t%s\t\t\n", c.form, size)
	}

	fmt.Fprint(t, "\nAPI\tCOLD START\tMOST CALLS OF A ROUND\t\n")
	for _, api := range slices.Sorted(maps.Keys(r.cold.calls)) {
		fmt.Fprintf(t, "%s\t%d\t%d\t\n", api, r.cold.calls[api], most.calls[api])
	}
	fmt.Fprintln(t, "\nCALL\tCOLD START\tMOST CALLS OF A ROUND\t")
	for _, call := range slices.SortedFunc(maps.Keys(r.cold.detail), func(a, b string) int { return cmp.Compare(r.cold.detail[b], r.cold.detail[a]) }) {
		if r.cold.detail[call] >= 10 || most.detail[call] >= 5 {
			fmt.Fprintf(t, "%s\t%d\t%d\t\n", call, r.cold.detail[call], most.detail[call])
		}
	}
	fmt.Fprintln(t, "\nSOURCE\tLOOK BEFORE THE ROUNDS\tLAST LOOK\tCALLS IN ALL\tOBJECTS\tCOMPLETE")
	said := 0
	for _, last := range r.last {
		first := source{}
		for _, f := range r.first {
			if f.name == last.name {
				first = f
			}
		}
		said += last.calls
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%v\n", last.name, seconds(first.duration), seconds(last.duration), last.calls, last.objects, complete(last))
	}
	counted := 0
	for _, n := range r.total.calls {
		counted += n
	}
	fmt.Fprintf(t, "\ncalls in all: %d counted by the cloud, %d by the exporter's mcloud_source_calls_total (which has the control sockets' too)\n", counted, said)
	if len(r.rounds) > 0 {
		fmt.Fprintf(t, "changed in the last round: %+v\n", r.rounds[len(r.rounds)-1].changed)
	}
	_ = t.Flush() // out is the terminal: nobody to tell
}

func complete(s source) string {
	if s.absent {
		return "absent"
	}
	return fmt.Sprint(s.complete)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
