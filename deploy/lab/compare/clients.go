package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// clients starts the client programs, at most two at a time: the openstack
// client needs a second of processor for each answer.
type clients struct {
	lab   string
	tools string
	turns chan struct{}
}

func newClients(opts options) *clients {
	return &clients{lab: opts.lab, tools: opts.tools, turns: make(chan struct{}, 2)}
}

// ask runs a program and decodes what it prints as JSON into answer.
func (c *clients) ask(ctx context.Context, answer any, program string, args ...string) error {
	select {
	case c.turns <- struct{}{}:
		defer func() { <-c.turns }()
	case <-ctx.Done():
		return ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, program, args...)
	command.WaitDelay = 5 * time.Second
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	asked := filepath.Base(program) + " " + strings.Join(args, " ")
	if err := command.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("%s: %w: %s", asked, err, strings.TrimSpace(stderr.String()))
	}
	if err := json.Unmarshal(stdout.Bytes(), answer); err != nil {
		return fmt.Errorf("%s: its answer is no JSON of the expected shape: %w", asked, err)
	}
	return nil
}

func (c *clients) openstack(ctx context.Context, answer any, args ...string) error {
	return c.ask(ctx, answer, filepath.Join(c.tools, "client"), append(args, "-f", "json")...)
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
