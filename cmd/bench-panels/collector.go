package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"mcloud/cmd/progress"
	"mcloud/deploy/freeport"
)

// collector is who is asked, and the demo around it if it is ours.
type collector struct {
	url string

	data      string // directory
	arguments []string
	binary    string
	command   *exec.Cmd // nil for a collector that is not ours
	pid       int       // 0: unknown
	ended     chan struct{}
	err       error // once ended
	took      time.Duration
	at        time.Time       // the present of the questions; zero: the clock's
	lacking   map[string]bool // queries that had no data when the wait was over
}

// answer is what came back.
type answer struct {
	took          time.Duration
	series, bytes int
	partial       bool // with warnings
}

// ask sends a question as Grafana does and reads all of the answer.
func (c *collector) ask(ctx context.Context, q question, span time.Duration, now time.Time) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	path, form := q.request(span, now)
	began := time.Now()
	status, body, err := c.post(ctx, path, form)
	a := answer{took: time.Since(began), bytes: len(body)}
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("HTTP %d: %.300s", status, body)
	}
	if err != nil {
		return a, err
	}
	if q.values != "" {
		var values struct{ Data []string }
		err = json.Unmarshal(body, &values)
		a.series = len(values.Data)
	} else {
		a.series = bytes.Count(body, []byte(`"metric":`))
	}
	a.partial = bytes.Contains(body, []byte(`"warnings":`))
	return a, err
}

// post asks; a variable is a GET, since there is no other.
func (c *collector) post(ctx context.Context, path string, form url.Values) (int, []byte, error) {
	if strings.HasPrefix(path, "/api/v1/label/") {
		return c.get(ctx, path+"?"+form.Encode())
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return answerOf(request)
}

func (c *collector) get(ctx context.Context, path string) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+path, nil)
	if err != nil {
		return 0, nil, err
	}
	return answerOf(request)
}

// client keeps as many connections as a browser has.
var client = &http.Client{Timeout: 3 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: browser}}

func answerOf(request *http.Request) (int, []byte, error) {
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

// sample is one series at an instant.
type sample struct {
	Metric map[string]string `json:"metric"`
	Value  value             `json:"value"`
}

type value struct{ v float64 }

func (v *value) UnmarshalJSON(b []byte) error {
	var pair [2]any
	if err := json.Unmarshal(b, &pair); err != nil {
		return err
	}
	text, _ := pair[1].(string)
	_, err := fmt.Sscanf(text, "%g", &v.v)
	return err
}

// samples asks at the present.
func (c *collector) samples(ctx context.Context, expr string) ([]sample, error) {
	status, body, err := c.post(ctx, "/api/v1/query", url.Values{"query": {expr}})
	if err != nil {
		return nil, err
	}
	var got struct {
		Status, Error string
		Data          struct{ Result []sample }
	}
	if err := json.Unmarshal(body, &got); err != nil || got.Status != "success" {
		return nil, fmt.Errorf("HTTP %d, %s %v: %.300s", status, got.Error, err, body)
	}
	return got.Data.Result, nil
}

// number is the one number that expr gives, and whether there is one.
func (c *collector) number(ctx context.Context, expr string) (float64, bool) {
	got, err := c.samples(ctx, expr)
	if err != nil || len(got) != 1 {
		return 0, false
	}
	return got[0].Value.v, true
}

// startDemo starts the program on addresses that are free.
func startDemo(ctx context.Context, o options) (*collector, error) {
	c := &collector{data: filepath.Join(o.dir, "demo"), binary: o.binary}
	c.arguments = []string{"run", "--demo", "--data-dir", c.data, "--demo.hosts", fmt.Sprint(o.hosts)}
	if o.days > 0 {
		c.arguments = append(c.arguments, "--demo.days", fmt.Sprint(o.days))
	}
	for _, part := range []string{"collector", "exporter", "store", "planner"} {
		address, err := freeport.Address()
		if err != nil {
			return nil, err
		}
		if part == "collector" {
			c.url = "http://" + address
		}
		c.arguments = append(c.arguments, "--"+part+".listen", address)
	}
	return c, c.start(ctx)
}

func (c *collector) logFile() string { return filepath.Join(filepath.Dir(c.data), "mcloud.log") }

// start starts the demo and waits until the exporter is scraped, which it is not before the
// past is stored.
func (c *collector) start(ctx context.Context) error {
	if err := os.MkdirAll(c.data, 0o750); err != nil {
		return err
	}
	log, err := os.OpenFile(c.logFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		return err
	}
	defer log.Close()
	c.command = exec.Command(c.binary, c.arguments...)
	c.command.Stdout, c.command.Stderr = log, log
	// A demo must not outlive who started it.
	c.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	began := time.Now()
	if err := c.command.Start(); err != nil {
		return fmt.Errorf("%w: run make build first", err)
	}
	c.pid, c.ended = c.command.Process.Pid, make(chan struct{})
	go func() {
		c.err = c.command.Wait()
		close(c.ended)
	}()
	err = c.until(ctx, 15*time.Minute, func() (bool, string) {
		n, there := c.number(ctx, "vector(1)")
		return there && n == 1, "the collector does not answer yet"
	})
	if err == nil {
		err = c.until(ctx, 45*time.Minute, func() (bool, string) {
			n, there := c.number(ctx, `min(scrape_samples_scraped{job="exporter"})`)
			return there && n > 0, "the cloud is not looked at yet: its past is being told"
		})
	}
	c.took = time.Since(began)
	return err
}

// until polls, and shows what is waited for.
func (c *collector) until(ctx context.Context, limit time.Duration, done func() (bool, string)) error {
	for began := time.Now(); ; {
		asked := time.Now()
		ok, what := done()
		if ok {
			progress.Line(os.Stderr, "")
			return nil
		}
		progress.Line(os.Stderr, "%4.0f s  %s", time.Since(began).Seconds(), what)
		if time.Since(began) > limit {
			progress.Line(os.Stderr, "")
			return fmt.Errorf("after %v: %s", limit, what)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.ended: // nil, and never, for a collector that is not ours
			return fmt.Errorf("mcloud ended: %v%s", c.err, c.tail())
		case <-time.After(max(time.Second, 5*time.Since(asked))): // to look must not be what takes the time
		}
	}
}

func (c *collector) tail() string {
	b, err := os.ReadFile(c.logFile())
	if err != nil || len(b) == 0 {
		return ""
	}
	return "\nits log ends:\n" + string(b[max(0, len(b)-3000):])
}

// stop ends the demo as Ctrl-C does.
func (c *collector) stop() {
	if c.command == nil {
		return
	}
	_ = c.command.Process.Signal(os.Interrupt)
	select {
	case <-c.ended:
	case <-time.After(time.Minute):
		_ = c.command.Process.Kill()
		<-c.ended
	}
}

// waitForPanels waits until every panel that has data in the demo shows some.
func (c *collector) waitForPanels(ctx context.Context, o options, boards []board) error {
	began := time.Now()
	var left []string
	seen, all := maps.Clone(c.lacking), 0
	if seen == nil {
		seen = map[string]bool{}
	}
	err := c.until(ctx, o.wait, func() (bool, string) {
		left, all = nil, 0
		for _, b := range boards {
			for _, q := range b.panels {
				if all++; q.empty != "" || seen[q.expr] || ctx.Err() != nil {
					continue
				}
				now := q
				now.instant = true
				got, err := c.ask(ctx, now, b.span, time.Now())
				if seen[q.expr] = err == nil && got.series > 0; !seen[q.expr] {
					left = append(left, b.title+": "+q.what)
				}
			}
		}
		return len(left) == 0, fmt.Sprintf("%d of %d panel queries have no data yet: %s", len(left), all, strings.Join(left, "; "))
	})
	if err == nil {
		fmt.Printf("all panels have data %s after the exporter was there, which it was after %s\n", seconds(time.Since(began)), seconds(c.took))
		return nil
	}
	if ctx.Err() != nil || all == 0 || len(left) > all/2 {
		return err
	}
	fmt.Printf("after %s no data in %s\n", seconds(o.wait), strings.Join(left, "; "))
	c.lacking = map[string]bool{}
	for expr, there := range seen {
		if !there {
			c.lacking[expr] = true
		}
	}
	return nil
}

// settle waits until two plans are made, the first leaves out the hosts' and the projects'
// forecasts and those after it read only what is new; and until the store has rolled up the
// past that the demo began with: in a collector that has run for long both are so.
func (c *collector) settle(ctx context.Context, o options) error {
	began := time.Now()
	made := map[float64]bool{}
	var state string
	err := c.until(ctx, o.settle, func() (bool, string) {
		if at, there := c.number(ctx, "max(mcloud_plan_run_timestamp_seconds)"); there {
			made[at] = true
		}
		left, known := c.number(ctx, "max(mcloud_store_rollup_pending_units)")
		state = fmt.Sprintf("%d of 2 plans are made, stretches of two hours to be rolled up: %v", len(made), left)
		return len(made) >= 2 && known && left == 0, state
	})
	if err == nil {
		fmt.Printf("two plans were made and the past was rolled up %s later\n", seconds(time.Since(began)))
		return nil
	}
	if ctx.Err() == nil && len(made) > 0 {
		fmt.Printf("after %s %s: planner and store are at work while panels are asked\n", seconds(o.settle), state)
		return nil
	}
	return err
}
