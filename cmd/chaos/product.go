package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"mcloud/deploy/freeport"
)

// product is a collector and a store, each a process of its own.
type product struct {
	program, config        string
	collectorAt, storeAt   string // host:port
	collector, store       *process
	collectorLog, storeLog string
	collectorDir           string
	disk                   string // that of the collector, in words
	small                  bool   // it is a small one of its own
	flags                  []string
}

// smallDisk is the size of the collector's disk. The shipper may hold half of it.
const smallDisk = 768 << 20

// config scrapes itself and has a rule, so that there is something to evaluate.
const configuration = `cloud: chaos
collector:
  scrape_interval: 1s
  prometheus:
    rule_files: [rules.yml]
`

const rules = `groups:
  - name: chaos
    interval: 1s
    rules:
      - {record: chaos_rule, expr: vector(time())}
`

func newProduct(program, dir string) (*product, error) {
	p := &product{program: program, config: filepath.Join(dir, "mcloud.yaml"), collectorDir: filepath.Join(dir, "data", "collector")}
	var exporter, planner string
	for _, at := range []*string{&p.collectorAt, &p.storeAt, &exporter, &planner} {
		var err error
		if *at, err = freeport.Address(); err != nil {
			return nil, err
		}
	}
	p.flags = []string{"--config", p.config, "--data-dir", filepath.Join(dir, "data"),
		"--collector.listen", p.collectorAt, "--store.listen", p.storeAt, "--exporter.listen", exporter, "--planner.listen", planner}
	p.collectorLog, p.storeLog = filepath.Join(dir, "collector.log"), filepath.Join(dir, "store.log")
	for path, text := range map[string]string{p.config: configuration, filepath.Join(dir, "rules.yml"): rules} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(p.collectorDir, 0o750); err != nil {
		return nil, err
	}
	switch err := syscall.Mount("tmpfs", p.collectorDir, "tmpfs", 0, fmt.Sprintf("size=%d", smallDisk)); {
	case err == nil:
		p.small, p.disk = true, fmt.Sprintf("tmpfs of %d MiB", smallDisk>>20)
	default:
		p.disk = fmt.Sprintf("that of %s, which is never full (no tmpfs could be mounted: %v)", dir, err)
	}
	return p, nil
}

func (p *product) wal() string { return filepath.Join(p.collectorDir, "hot", "wal") }

// start starts what does not run.
func (p *product) start(ctx context.Context) error {
	if p.store == nil || p.store.ended() {
		s, err := begin(p.program, p.storeLog, append([]string{"store"}, p.flags...)...)
		if err != nil {
			return err
		}
		p.store = s
		if err := p.store.answers(ctx, "http://"+p.storeAt+"/ping"); err != nil {
			return fmt.Errorf("the store: %w", err)
		}
	}
	return p.startCollector(ctx)
}

func (p *product) startCollector(ctx context.Context) error {
	if p.collector != nil && !p.collector.ended() {
		return nil
	}
	c, err := begin(p.program, p.collectorLog, append([]string{"collector"}, p.flags...)...)
	if err != nil {
		return err
	}
	p.collector = c
	if err := p.collector.answers(ctx, "http://"+p.collectorAt+"/-/ready"); err != nil {
		return fmt.Errorf("the collector: %w", err)
	}
	return nil
}

func (p *product) close() error {
	for _, one := range []*process{p.collector, p.store} {
		if one != nil {
			one.kill()
		}
	}
	if p.small {
		return syscall.Unmount(p.collectorDir, syscall.MNT_DETACH)
	}
	return nil
}

// lastWords are the ends of the logs.
func (p *product) lastWords() string {
	var out strings.Builder
	for _, path := range []string{p.collectorLog, p.storeLog} {
		text, err := os.ReadFile(path)
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		fmt.Fprintf(&out, "--- the end of %s (%v)\n%s\n", path, err, strings.Join(lines[max(0, len(lines)-15):], "\n"))
	}
	return out.String()
}

// process is one that was started here.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	log  *os.File
}

func begin(program, log string, args ...string) (*process, error) {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	p := &process{cmd: cmd, done: make(chan struct{}), log: f}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // how it ended is in its log
		_ = f.Close()
	}()
	return p, nil
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // has ended already, then
	<-p.done
	http.DefaultClient.CloseIdleConnections()
}

func (p *process) signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

// answers waits until the address does.
func (p *process) answers(ctx context.Context, url string) error {
	const limit = 2 * time.Minute
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		select {
		case <-p.done:
			return errors.New("it ended instead of answering")
		case <-ctx.Done():
			return fmt.Errorf("no answer from %s within %s", url, limit)
		case <-time.After(50 * time.Millisecond):
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			continue
		}
		_ = response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return nil
		}
	}
}
