package clickhouse

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"mcloud/collector/embedded/embeddedtest"
)

const deployed = "../../deploy/clickhouse/"

// The examples for administrators are understood by the engine.
func TestServerSetup(t *testing.T) {
	for _, file := range []string{"setup.sql", "setup-cluster.sql"} {
		text, err := os.ReadFile(deployed + file)
		if err != nil {
			t.Fatal(err)
		}
		url, _ := embeddedtest.Database(t)
		for statement := range strings.SplitSeq(string(text), ";\n") {
			if strings.TrimSpace(statement) == "" {
				continue
			}
			if _, err := embeddedtest.Query(url, "EXPLAIN AST "+strings.TrimSpace(statement)); err != nil {
				t.Errorf("%s: %s\n%v", file, statement, err)
			}
		}
	}
}

// The configurations of Keepers and servers agree with each other and with what the schema
// takes from them.
func TestClusterFiles(t *testing.T) {
	read := func(file string, into any) {
		t.Helper()
		text, err := os.ReadFile(deployed + file)
		if err != nil {
			t.Fatal(err)
		}
		for d := xml.NewDecoder(strings.NewReader(string(text))); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
		}
		if err := xml.Unmarshal(text, into); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	var keeper struct {
		Port    int      `xml:"keeper_server>tcp_port"`
		Servers []string `xml:"keeper_server>raft_configuration>server>hostname"`
	}
	var server struct {
		Shards []struct {
			Internal bool     `xml:"internal_replication"`
			Hosts    []string `xml:"replica>host"`
		} `xml:"remote_servers>mcloud>shard"`
		Macros struct {
			Shard   *struct{} `xml:"shard"`
			Replica *struct{} `xml:"replica"`
		} `xml:"macros"`
		Keepers []struct {
			Host string `xml:"host"`
			Port int    `xml:"port"`
		} `xml:"zookeeper>node"`
	}
	read("keeper/keeper.xml", &keeper)
	read("server/cluster.xml", &server)
	read("server/limits.xml", &struct{}{})
	if len(keeper.Servers) != 3 || len(server.Keepers) != 3 || len(server.Shards) != 2 || server.Macros.Shard == nil || server.Macros.Replica == nil {
		t.Fatalf("%+v %+v", keeper, server)
	}
	for i, k := range server.Keepers {
		if k.Host != keeper.Servers[i] || k.Port != keeper.Port {
			t.Errorf("Keeper %d: %+v, its own configuration says %s:%d", i, k, keeper.Servers[i], keeper.Port)
		}
	}
	compose, err := os.ReadFile(deployed + "compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range server.Shards {
		if !s.Internal || len(s.Hosts) != 2 {
			t.Errorf("shard %+v", s)
		}
		for _, h := range append(s.Hosts, keeper.Servers...) {
			if !strings.Contains(string(compose), "hostname: "+h) {
				t.Errorf("compose.yaml has no %s", h)
			}
		}
	}
	sql, err := os.ReadFile(deployed + "setup-cluster.sql")
	if err != nil || !strings.Contains(string(sql), "ON CLUSTER 'mcloud'") {
		t.Errorf("setup-cluster.sql names another cluster: %v", err)
	}
}
