package config

import (
	"errors"
	"fmt"
	"net/url"
)

// Exporter serves the samples.
type Exporter struct {
	Listen    string `yaml:"listen"`
	WebConfig string `yaml:"web_config"`
	TLS       TLS    `yaml:"tls"`
	// Insecure serves on an address off loopback without TLS or without asking who
	// asks, which is refused otherwise.
	Insecure bool     `yaml:"insecure"`
	Sets     []string `yaml:"sets"` // besides base: objects, perf, debug
	// Memory is what a process that only exports tries to stay below: the
	// collector of garbage works harder near it. 0 leaves it to $GOMEMLIMIT.
	Memory Bytes `yaml:"memory"`
	// Compat are the peers under whose names the same values are served besides:
	// "openstack-exporter".
	Compat []string `yaml:"compat"`
	// Shard divides a cloud's systems among several exporters; nil for one alone.
	Shard *Shard `yaml:"shard"`
	// Pair is the other exporter of an active and a standing-by one.
	Pair *Pair `yaml:"pair"`
}

// Shard is one exporter's share of the systems.
type Shard struct {
	Index int `yaml:"index"` // 0 to of-1
	Of    int `yaml:"of"`
}

// Pair says where the other exporter of a pair is.
type Pair struct {
	Peer         string   `yaml:"peer"`      // http://exporter-2:9198
	Preferred    bool     `yaml:"preferred"` // begins when neither is active
	Takeover     Duration `yaml:"takeover"`  // how long the other may be silent, default 10s
	CA           string   `yaml:"ca"`
	User         string   `yaml:"user"`
	PasswordFile string   `yaml:"password_file"`
}

func (e Exporter) validate() error {
	for _, s := range e.Sets {
		switch s {
		case "objects", "perf", "debug":
		default:
			return fmt.Errorf("exporter.sets: %q, want objects, perf or debug; base is always on", s)
		}
	}
	if s := e.Shard; s != nil && (s.Of < 1 || s.Index < 0 || s.Index >= s.Of) {
		return fmt.Errorf("exporter.shard: index %d of %d, want an index from 0 to of-1", s.Index, s.Of)
	}
	for _, c := range e.Compat {
		if c != "openstack-exporter" {
			return fmt.Errorf("exporter.compat: %q, want openstack-exporter", c)
		}
	}
	if p := e.Pair; p != nil {
		if !webAddress(p.Peer) {
			return errors.New("exporter.pair.peer: want the other exporter's address, http://host:9198 or https://host:9198")
		}
		if (p.User == "") != (p.PasswordFile == "") {
			return errors.New("exporter.pair: user and password_file go together")
		}
	}
	return nil
}

// webAddress says whether s is an http or https URL with a host.
func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
