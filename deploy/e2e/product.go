//go:build lab

// Package e2e runs the built programs against the real lab and asks of them
// what their users would: are the values right, does the page come, is the bill
// exact. The lab must be up and seeded (make lab-up lab-seed); make e2e runs it.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mcloud/dashboards"
	"mcloud/deploy/freeport"
)

// root is the project's folder.
const root = "../.."

// product is one running `mcloud run`, with ports and data of its own.
type product struct {
	collector, exporter, store, planner string // host:port
	dataDir, config                     string
	command                             *exec.Cmd
	log                                 *lockedBuffer
	exited                              chan error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lockedBuffer) tail(lines int) string {
	all := strings.Split(strings.TrimSpace(l.String()), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// freeAddress is a loopback address that nobody listens on now.
func freeAddress(t testing.TB) string {
	t.Helper()
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func binary(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(root, "bin", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run make build first", err)
	}
	return path
}

// newProduct prepares a product; start runs it.
func newProduct(t testing.TB, config string) *product {
	t.Helper()
	return &product{collector: freeAddress(t), exporter: freeAddress(t), store: freeAddress(t), planner: freeAddress(t), dataDir: t.TempDir(), config: config, log: &lockedBuffer{}}
}

func (p *product) flags() []string {
	return []string{"--collector.listen", p.collector, "--exporter.listen", p.exporter, "--store.listen", p.store, "--planner.listen", p.planner, "--data-dir", p.dataDir}
}

// start runs `mcloud run` (or the subcommand given) and registers its end.
func (p *product) start(t testing.TB, args ...string) {
	t.Helper()
	if len(args) == 0 {
		args = []string{"run", "--config", p.config}
	}
	p.command = exec.Command(binary(t, "mcloud"), append(args, p.flags()...)...)
	p.command.Stdout, p.command.Stderr = p.log, p.log
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	p.exited = exited
	command := p.command
	go func() { exited <- command.Wait(); close(exited) }()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of mcloud's log:\n%s", p.log.tail(60))
		}
		p.stop(t)
	})
}

// stop ends the product as Ctrl-C does and says how long that took.
func (p *product) stop(t testing.TB) time.Duration {
	t.Helper()
	began := time.Now()
	_ = p.command.Process.Signal(os.Interrupt)
	select {
	case <-p.exited:
	case <-time.After(20 * time.Second):
		t.Errorf("mcloud did not stop in 20 s")
		_ = p.command.Process.Kill()
		<-p.exited
	}
	return time.Since(began)
}

// waitFor polls until ok, or fails with what was seen last.
func waitFor(t testing.TB, what string, limit time.Duration, ok func() (bool, string)) {
	t.Helper()
	began := time.Now()
	var last string
	for time.Since(began) < limit {
		var done bool
		if done, last = ok(); done {
			t.Logf("%s after %.1f s", what, time.Since(began).Seconds())
			return
		}
		time.Sleep(250 * time.Millisecond)
	}
	t.Fatalf("%s: not within %s; last seen: %s", what, limit, last)
}

func get(ctx context.Context, address string) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<20))
	return response.StatusCode, body, err
}

type promSeries struct {
	Metric map[string]string `json:"metric"`
	Value  [2]any            `json:"value"`
	Values [][2]any          `json:"values"`
}

func (s promSeries) number() float64 {
	text, _ := s.Value[1].(string)
	v, _ := strconv.ParseFloat(text, 64)
	return v
}

// query asks the collector at one instant.
func (p *product) query(expr string) ([]promSeries, error) {
	return p.prom("/api/v1/query?query=" + url.QueryEscape(expr))
}

func (p *product) prom(path string) ([]promSeries, error) {
	status, body, err := get(context.Background(), "http://"+p.collector+path)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Status string `json:"status"`
		Error  string `json:"error"`
		Data   struct {
			Result []promSeries `json:"result"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.Status != "success" {
		return nil, fmt.Errorf("HTTP %d, %s %v: %.300s", status, answer.Error, err, body)
	}
	return answer.Data.Result, nil
}

// waitForQuery polls until expr returns something.
func (p *product) waitForQuery(t testing.TB, expr string, limit time.Duration) {
	t.Helper()
	waitFor(t, expr, limit, func() (bool, string) {
		select {
		case err := <-p.exited:
			t.Fatalf("mcloud ended: %v\n%s", err, p.log.tail(30))
		default:
		}
		got, err := p.query(expr)
		if err != nil {
			return false, err.Error()
		}
		return len(got) > 0, "no series"
	})
}

// waitForPanels polls until the queries of all dashboards return something, and names those
// that do not within the limit; one that is known to have nothing here has to run all the
// same.
func (p *product) waitForPanels(t testing.TB, where string, limit time.Duration) {
	t.Helper()
	all, err := dashboards.All()
	if err != nil {
		t.Fatal(err)
	}
	var left []dashboards.Query
	for _, d := range all {
		queries, err := dashboards.Queries(d)
		if err != nil {
			t.Fatal(err)
		}
		variables, err := dashboards.Variables(d)
		if err != nil {
			t.Fatal(err)
		}
		left = append(append(left, queries...), variables...)
	}
	wrong := map[dashboards.Query]string{}
	var took []time.Duration
	for began := time.Now(); ; time.Sleep(time.Second) {
		asked := len(left)
		left = slices.DeleteFunc(left, func(q dashboards.Query) bool {
			asking := time.Now()
			got, err := p.query(q.Expr)
			took = append(took, time.Since(asking))
			why := q.WithoutData(where)
			wrong[q] = "nothing"
			switch {
			case err != nil:
				wrong[q] = err.Error()
			case why != "":
				t.Logf("%s, %s: %d series, may be none: %s", q.Dashboard, q.Panel, len(got), why)
			}
			return err == nil && (why != "" || len(got) > 0)
		})
		if len(left) < asked {
			t.Logf("%d of %d panel queries have data after %.1f s", asked-len(left), asked, time.Since(began).Seconds())
		}
		if n := len(left); 0 < n && n < asked && n < 5 {
			t.Logf("waiting for %v", left)
		}
		if len(left) == 0 || time.Since(began) > limit {
			break
		}
	}
	slices.Sort(took)
	t.Logf("%d panel queries: p50 %s, p95 %s, slowest %s", len(took), took[len(took)/2], took[len(took)*95/100], took[len(took)-1])
	for _, q := range left {
		t.Errorf("%s, %s: %s\n\t%s", q.Dashboard, q.Panel, wrong[q], q.Expr)
	}
}

// plan runs mcloud-plan and returns what it printed.
func (p *product) plan(t testing.TB, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, binary(t, "mcloud-plan"), append(args, "--url", "http://"+p.planner)...)
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	err = command.Run()
	return out.String(), errs.String(), err
}

// mustPlan is plan that has to succeed.
func (p *product) mustPlan(t testing.TB, args ...string) string {
	t.Helper()
	out, errs, err := p.plan(t, args...)
	if err != nil {
		t.Fatalf("mcloud-plan %s: %v\n%s%s", strings.Join(args, " "), err, out, errs)
	}
	return out
}

// lab runs deploy/lab/lab.
func lab(t testing.TB, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, filepath.Join(root, "deploy/lab/lab"), args...).CombinedOutput(); err != nil {
		t.Fatalf("lab %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// client runs the openstack client as an account of the lab and decodes its JSON.
func client(t testing.TB, account string, into any, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if into != nil {
		args = append(args, "-f", "json")
	}
	command := exec.CommandContext(ctx, filepath.Join(root, "deploy/lab/openstack/client"), args...)
	command.Env = append(os.Environ(), "OS_CLOUD="+account)
	var errs bytes.Buffer
	command.Stderr = &errs
	out, err := command.Output()
	if err != nil {
		t.Fatalf("openstack %s: %v\n%s%s", strings.Join(args, " "), err, out, errs.String())
	}
	if into != nil {
		if err := json.Unmarshal(out, into); err != nil {
			t.Fatalf("openstack %s: %v in %.300s", strings.Join(args, " "), err, out)
		}
	}
}

// command is one of the openstack client's and what its JSON is decoded into.
type command struct {
	into any
	args []string
}

// clientAll gives several commands to one client, which spends two seconds of the
// processor on its own start. Each must answer with JSON.
func clientAll(t testing.TB, account string, commands ...command) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var input strings.Builder
	for _, c := range commands {
		input.WriteString(strings.Join(c.args, " ") + " -f json\n")
	}
	run := exec.CommandContext(ctx, filepath.Join(root, "deploy/lab/openstack/client"))
	run.Env = append(os.Environ(), "OS_CLOUD="+account)
	run.Stdin = strings.NewReader(input.String())
	var errs bytes.Buffer
	run.Stderr = &errs
	// At the end of its input it always ends with 1: the number of answers tells.
	out, err := run.Output()
	answers := json.NewDecoder(bytes.NewReader(out))
	for _, c := range commands {
		if decodeErr := answers.Decode(c.into); decodeErr != nil {
			t.Fatalf("openstack %s: %v in %.300s\n%v %s", strings.Join(c.args, " "), decodeErr, out, err, errs.String())
		}
	}
}

// slow leaves a test out with -short, as CI does: those that fill the cloud or a tier take
// minutes each.
func slow(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it fills the cloud, which takes minutes; make e2e does")
	}
}
