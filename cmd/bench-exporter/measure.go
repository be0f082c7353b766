package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"mcloud"
	"mcloud/cmd/machine"
	"mcloud/deploy/freeport"
	"mcloud/deploy/sim/model"
)

// bench is one run.
type bench struct {
	size   size
	period time.Duration
	dir    string

	cloud    *child
	where    served
	exporter *child
	page     string // URL of the exporter
	posts    posts
}

// posts are what the collector got.
type posts struct{ n, bytes atomic.Int64 }

func (p *posts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.n.Add(1)
	p.bytes.Add(n)
	_, _ = io.WriteString(w, "{}\n") // the exporter is gone: nobody to tell
}

// state is everything that is counted, at one moment.
type state struct {
	at     time.Time
	calls  map[string]int // by API
	detail map[string]int // by call
	cpu    time.Duration
	posts  int64
	bytes  int64
}

func measure(ctx context.Context, arguments []string) (err error) {
	b := bench{}
	flags := flag.NewFlagSet("bench-exporter", flag.ContinueOnError)
	b.size.flags(flags)
	flags.DurationVar(&b.period, "period", time.Minute, "of the OpenStack looks and of a round: openstack.period in mcloud.yaml")
	rounds := flags.Int("rounds", 3, "later rounds")
	wait := flags.Duration("wait", 4*time.Minute, "for one complete look of every source")
	keep := flags.Bool("keep", false, "keep the directory with the logs")
	memory := flags.String("memory", "500MiB", "exporter.memory in mcloud.yaml")
	extra := flags.String("config", "", "more lines for mcloud.yaml")
	profile := flags.String("profile", "", "address for net/http/pprof of the exporter")
	cloudProfile := flags.String("cloud-profile", "", "address for net/http/pprof of the simulated cloud")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return err
	}
	if *keep {
		fmt.Println("logs are kept in", b.dir)
	} else {
		defer os.RemoveAll(b.dir)
	}
	fmt.Println(machine.Describe())
	if err := b.startCloud(ctx, *cloudProfile); err != nil {
		return fmt.Errorf("the simulated cloud: %w%s", err, tail(b.dir, "cloud"))
	}
	defer b.cloud.stop()
	collector := httptest.NewServer(http.StripPrefix(mcloud.RecordsPath, &b.posts))
	defer collector.Close()
	if err := b.writeConfig(collector.URL, *memory, *extra); err != nil {
		return err
	}

	before, err := b.state()
	if err != nil {
		return err
	}
	before.at, before.cpu = time.Now(), 0
	monitors := strings.TrimPrefix(b.where.Address, "http://")
	if b.exporter, err = start(b.dir, "exporter", "-config", filepath.Join(b.dir, "mcloud.yaml"), "-monitors", monitors, "-profile", *profile); err != nil {
		return err
	}
	b.exporter.watch()
	defer b.exporter.stop()
	r := report{bench: &b, load: machine.Load()}
	cold, err := b.coldStart(ctx, *wait, &r)
	if err != nil {
		return fmt.Errorf("the exporter: %w%s", err, tail(b.dir, "exporter"))
	}
	r.cold, r.peak = difference(before, cold), b.memory("VmHWM")
	if len(r.missing) == 0 {
		fmt.Printf("cold start: every source has looked at everything once after %v\n", r.cold.took.Round(time.Second/10))
	} else {
		fmt.Printf("cold start: after %v no complete look yet of: %s\n", r.cold.took.Round(time.Second/10), strings.Join(r.missing, ", "))
	}
	for i := range *rounds {
		round, err := b.round(ctx)
		if err != nil {
			return fmt.Errorf("round %d: %w%s", i+1, err, tail(b.dir, "exporter"))
		}
		r.rounds = append(r.rounds, round)
		fmt.Printf("round %d: %d calls\n", i+1, round.total())
	}
	r.rss, r.peak = b.memory("VmRSS"), max(r.peak, b.memory("VmHWM"))
	if r.scrapes, err = b.scrapes(ctx); err != nil {
		return err
	}
	if r.last, err = b.sources(); err != nil {
		return err
	}
	if r.total, err = b.state(); err != nil {
		return err
	}
	r.print(os.Stdout)
	return nil
}

func (b *bench) startCloud(ctx context.Context, profile string) (err error) {
	started := time.Now()
	if b.cloud, err = start(b.dir, "cloud", append(b.size.arguments(), "-dir", b.dir, "-profile", profile)...); err != nil {
		return err
	}
	told := make(chan error, 1)
	go func() { told <- json.NewDecoder(b.cloud.stdout).Decode(&b.where) }()
	select {
	case err := <-told:
		b.cloud.watch()
		if err != nil {
			b.cloud.stop()
			return fmt.Errorf("ended before it served: %w", err)
		}
	case <-ctx.Done():
		b.cloud.watch()
		b.cloud.stop()
		return ctx.Err()
	case <-time.After(10 * time.Minute):
		b.cloud.watch()
		b.cloud.stop()
		return fmt.Errorf("is not there after 10 minutes")
	}
	fmt.Printf("simulated cloud: there after %v\n", time.Since(started).Round(time.Second/10))
	return nil
}

// writeConfig writes a mcloud.yaml as an operator's.
func (b *bench) writeConfig(collector, memory, extra string) error {
	address, err := freeport.Address()
	if err != nil {
		return err
	}
	b.page = "http://" + address
	text := fmt.Sprintf("cloud: bench\ndata_dir: data\nopenstack: {clouds_file: clouds.yaml, cloud: bench, period: %v}\novn: {northbound: %q, southbound: %q}\n"+
		"exporter: {listen: %q, memory: %s}\ncollector: {url: %q}\novs:\n  - {host: %s, sockets: [%q]}\nceph:\n", b.period, b.where.NB, b.where.SB, address, memory, collector, b.where.Host, b.where.Sockets)
	for _, c := range b.where.Clusters {
		text += fmt.Sprintf("  - {name: %s, conf: simulated, sockets: [%q]}\n", c.Name, c.Sockets)
	}
	return os.WriteFile(filepath.Join(b.dir, "mcloud.yaml"), []byte(text+extra+"\n"), 0o600)
}

// coldStart waits until every source that the cloud has anything for has had one
// complete look, or the time is up, and counts then. A source that was looked at
// in part is waited for.
func (b *bench) coldStart(ctx context.Context, wait time.Duration, r *report) (state, error) {
	deadline := time.Now().Add(wait)
	whole := map[string]bool{}
	for {
		code, body, err := get(b.page + "/-/ready")
		ready := err == nil && code == http.StatusOK
		if err == nil {
			if r.first, err = b.sources(); err != nil {
				return state{}, err
			}
		}
		now, errState := b.state()
		if errState != nil {
			return state{}, errState
		}
		r.missing = nil
		for _, s := range r.first {
			whole[s.name] = whole[s.name] || s.complete || s.absent
			if !whole[s.name] {
				r.missing = append(r.missing, s.name)
			}
		}
		switch {
		case ready && len(r.missing) == 0:
			return now, nil
		case time.Now().After(deadline) && len(r.first) == 0:
			return now, fmt.Errorf("not there after %v: %v %s", wait, err, body)
		case time.Now().After(deadline):
			return now, nil
		}
		select {
		case <-ctx.Done():
			return state{}, ctx.Err()
		case <-b.exporter.ended:
			return state{}, fmt.Errorf("ended: %v", b.exporter.err)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// round changes 1 % of all objects and counts what the exporter does about it in
// one period.
func (b *bench) round(ctx context.Context) (delta, error) {
	before, err := b.state()
	if err != nil {
		return delta{}, err
	}
	var changed model.Churned
	resp, err := http.Post(b.where.Address+"/-/churn?part=0.01", "", nil)
	if err != nil {
		return delta{}, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&changed); err != nil {
		return delta{}, err
	}
	select {
	case <-ctx.Done():
		return delta{}, ctx.Err()
	case <-b.exporter.ended:
		return delta{}, fmt.Errorf("the exporter ended: %v", b.exporter.err)
	case <-time.After(time.Until(before.at.Add(b.period))):
	}
	after, err := b.state()
	if err != nil {
		return delta{}, err
	}
	d := difference(before, after)
	d.changed = changed
	sources, err := b.sources()
	if err != nil {
		return delta{}, err
	}
	for _, s := range sources {
		if s.ended.After(before.at) && s.duration > d.longest {
			d.longest, d.slowest = s.duration, s.name
		}
	}
	return d, nil
}

// state counts everything now.
func (b *bench) state() (state, error) {
	s := state{at: time.Now(), calls: map[string]int{}, posts: b.posts.n.Load(), bytes: b.posts.bytes.Load()}
	_, body, err := get(b.where.Address + "/-/requests")
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(body, &s.detail); err != nil {
		return s, err
	}
	for call, n := range s.detail {
		s.calls[apiOf(call)] += n
	}
	if b.exporter != nil {
		s.cpu = cpu(b.exporter.command.Process.Pid)
	}
	return s, nil
}

// apis by the first segment of their paths.
var apis = map[string]string{
	"identity": "keystone", "compute": "nova", "volume": "cinder", "networking": "neutron", "placement": "placement", "image": "glance",
	"orchestration": "heat", "key-manager": "barbican", "load-balancer": "octavia", "dns": "designate", "instance-ha": "masakari",
	"dashboard": "horizon", "auth": "horizon",
}

func apiOf(call string) string {
	if strings.HasPrefix(call, "mon ") {
		return "mon"
	}
	_, path, _ := strings.Cut(call, " ")
	if path == "" {
		path = call
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if name := apis[first]; name != "" {
		return name
	}
	return "other"
}

// delta is what happened between two states.
type delta struct {
	took    time.Duration
	calls   map[string]int
	detail  map[string]int
	cpu     time.Duration
	posts   int64
	bytes   int64
	changed model.Churned
	longest time.Duration // look
	slowest string
}

func difference(a, b state) delta {
	d := delta{took: b.at.Sub(a.at), calls: map[string]int{}, detail: map[string]int{}, cpu: b.cpu - a.cpu, posts: b.posts - a.posts, bytes: b.bytes - a.bytes}
	for api, n := range b.calls {
		d.calls[api] = n - a.calls[api]
	}
	for call, n := range b.detail {
		if n > a.detail[call] {
			d.detail[call] = n - a.detail[call]
		}
	}
	return d
}

func (d delta) total() (n int) {
	for api, calls := range d.calls {
		if api != "mon" {
			n += calls
		}
	}
	return n
}

// source is what the exporter says about one of its sources.
type source struct {
	name     string
	duration time.Duration // of its last look
	ended    time.Time     // when that was, if it gave anything
	calls    int
	objects  int
	complete bool
	absent   bool // the cloud does not have what it looks at
}

// sources reads the exporter's page about itself.
func (b *bench) sources() ([]source, error) {
	_, body, err := get(b.page + "/metrics")
	if err != nil {
		return nil, err
	}
	of := map[string]*source{}
	for line := range strings.Lines(string(body)) {
		name, labels, value, found := sample(line)
		if !found || !strings.HasPrefix(name, "mcloud_source_") {
			continue
		}
		key := labels["source"]
		if labels["cluster"] != "" && !strings.Contains(key, labels["cluster"]) {
			key += "/" + labels["cluster"]
		}
		s := of[key]
		if s == nil {
			s = &source{name: key}
			of[key] = s
		}
		switch name {
		case "mcloud_source_duration_seconds":
			s.duration = time.Duration(value * float64(time.Second))
		case "mcloud_source_last_success_timestamp_seconds":
			s.ended = time.UnixMilli(int64(value * 1000))
		case "mcloud_source_calls_total":
			s.calls += int(value)
		case "mcloud_source_complete":
			s.complete = value == 1
		case "mcloud_source_absent":
			s.absent = value == 1
		case "mcloud_source_objects":
			if labels["state"] == "seen" {
				s.objects = int(value)
			}
		}
	}
	var list []source
	for _, s := range of {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b source) int { return strings.Compare(a.name, b.name) })
	return list, nil
}

// scrape is one form of the page.
type scrape struct {
	form    string
	median  time.Duration
	bytes   int
	samples int
}

const scrapeTimes = 11

// scrapes fetches the page as a Prometheus does, some times each way.
func (b *bench) scrapes(ctx context.Context) ([]scrape, error) {
	var all []scrape
	for _, form := range []struct{ name, accept, encoding string }{
		{"text", "text/plain;version=0.0.4", "identity"},
		{"text, gzip", "text/plain;version=0.0.4", "gzip"},
		{"OpenMetrics, gzip", "application/openmetrics-text;version=1.0.0", "gzip"},
	} {
		s := scrape{form: form.name}
		var times []time.Duration
		for range scrapeTimes {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.page+"/metrics", nil)
			if err != nil {
				return nil, err
			}
			req.Header.Set("Accept", form.accept)
			req.Header.Set("Accept-Encoding", form.encoding)
			started := time.Now()
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return nil, err
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusOK {
				return nil, fmt.Errorf("scrape: %s: %w", resp.Status, err)
			}
			times = append(times, time.Since(started))
			s.bytes = len(body)
			if form.encoding == "identity" {
				s.samples = 0
				for line := range strings.Lines(string(body)) {
					if !strings.HasPrefix(line, "#") {
						s.samples++
					}
				}
			}
		}
		slices.Sort(times)
		s.median = times[len(times)/2]
		all = append(all, s)
	}
	return all, nil
}
