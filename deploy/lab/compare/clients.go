package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// clients starts the client programs, at most two at a time.
type clients struct {
	lab   string
	tools string
	turns chan struct{}
}

func newClients(opts options) *clients {
	return &clients{lab: opts.lab, tools: opts.tools, turns: make(chan struct{}, 2)}
}

// question is one command of a client and what its JSON is decoded into.
type question struct {
	command string
	answer  any
}

// openstack asks all questions of one openstack client through its standard
// input, for the client spends two seconds on its own start. It answers with one
// JSON document a command; one that fails gives none and a line on stderr.
func (c *clients) openstack(ctx context.Context, questions ...question) error {
	var commands strings.Builder
	for _, q := range questions {
		commands.WriteString(q.command + " -f json\n")
	}
	stdout, stderr, err := c.start(ctx, commands.String(), filepath.Join(c.tools, "client"))
	// At the end of its input the client always exits with 1, so that says
	// nothing; the number of documents does.
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("openstack: %w: %s", err, stderr)
	}
	documents := json.NewDecoder(bytes.NewReader(stdout))
	for _, q := range questions {
		if err := documents.Decode(q.answer); errors.Is(err, io.EOF) {
			return fmt.Errorf("openstack: fewer answers than commands: %s", stderr)
		} else if err != nil {
			return fmt.Errorf("openstack %s: its answer is no JSON of the expected shape: %w; %s", q.command, err, stderr)
		}
	}
	return nil
}

// ask starts a program for one question.
func (c *clients) ask(ctx context.Context, answer any, program string, args ...string) error {
	asked := filepath.Base(program) + " " + strings.Join(args, " ")
	stdout, stderr, err := c.start(ctx, "", program, args...)
	if err != nil {
		return fmt.Errorf("%s: %w: %s", asked, err, stderr)
	}
	if err := json.Unmarshal(stdout, answer); err != nil {
		return fmt.Errorf("%s: its answer is no JSON of the expected shape: %w", asked, err)
	}
	return nil
}

// start waits for its turn, runs the program and returns what it said.
func (c *clients) start(ctx context.Context, input, program string, args ...string) (stdout []byte, stderr string, err error) {
	select {
	case c.turns <- struct{}{}:
		defer func() { <-c.turns }()
	case <-ctx.Done():
		return nil, "", ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, program, args...)
	command.WaitDelay = 5 * time.Second
	command.Stdin = strings.NewReader(input)
	var out, complaint bytes.Buffer
	command.Stdout, command.Stderr = &out, &complaint
	if err = command.Run(); err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return out.Bytes(), strings.TrimSpace(complaint.String()), err
}

func (c *clients) ovnSouthbound(ctx context.Context, answer any, args ...string) error {
	return c.ask(ctx, answer, filepath.Join(c.tools, "ovn-sbctl"), append([]string{"--format=json"}, args...)...)
}

func (c *clients) ceph(ctx context.Context, cluster string, answer any, args ...string) error {
	conf := filepath.Join(c.lab, "ceph", cluster, cluster+".conf")
	return c.ask(ctx, answer, "ceph", append([]string{"--conf", conf, "--connect-timeout", "10", "--format", "json"}, args...)...)
}

// cephClusters are the clusters that the lab has made.
func (c *clients) cephClusters() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(c.lab, "ceph"))
	if err != nil {
		return nil, fmt.Errorf("the lab's Ceph clusters: %w; bring them up with: deploy/lab/lab up ceph", err)
	}
	var names []string
	for _, entry := range entries {
		if entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	if len(names) == 0 {
		return nil, errors.New("the lab has no Ceph cluster; bring them up with: deploy/lab/lab up ceph")
	}
	return names, nil
}
