package clickhouse

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mcloud/collector/embedded/embeddedtest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The schema on a cluster, for people to read and for changes to be seen.
func TestSchemaOnACluster(t *testing.T) {
	statements, err := Schema("mcloud", "mcloud")
	if err != nil {
		t.Fatal(err)
	}
	text := "-- What store.cluster: mcloud makes of the migrations; go test -update writes it.\n" + strings.Join(statements, ";\n\n") + ";\n"
	const path = "testdata/schema-cluster.sql"
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(golden), text); diff != "" {
		t.Errorf("%s (go test -update when it should be so):\n%s", path, diff)
	}
}

// Every table of the plain schema is on the cluster, sharded or whole everywhere, and
// the engine can read what is written for it.
func TestSchemaOnAClusterIsWhole(t *testing.T) {
	plain, err := Schema("", "m'c")
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := Schema("it's", "m'c")
	if err != nil {
		t.Fatal(err)
	}
	url, _ := embeddedtest.Database(t)
	all := strings.Join(cluster, ";\n")
	for _, s := range cluster {
		if _, err := embeddedtest.Query(url, "EXPLAIN AST "+strings.TrimSpace(s)); err != nil {
			t.Errorf("%s\n%v", s, err)
		}
	}
	tables := 0
	for _, s := range plain {
		_, body := leadingComment(s)
		name := createTable.FindStringSubmatch(body)
		if name == nil {
			continue
		}
		tables++
		local := name[1]
		if sharded[local] {
			local += "_local"
			if !strings.Contains(all, "CREATE TABLE IF NOT EXISTS `m'c`."+name[1]+` ON CLUSTER 'it\'s' AS `+"`m'c`."+local+"\nENGINE = Distributed("+`'it\'s', 'm\'c', `+local+", intHash64(id))") {
				t.Errorf("%s is not distributed", name[1])
			}
		}
		if !strings.Contains(all, "CREATE TABLE IF NOT EXISTS `m'c`."+local+` ON CLUSTER 'it\'s'`+"\n(") {
			t.Errorf("%s is missing", local)
		}
	}
	if tables < 10 || strings.Count(all, "ENGINE = Replicated") != tables || strings.Count(all, "ENGINE = ") != tables+len(sharded) {
		t.Errorf("%d tables:\n%s", tables, all)
	}
	if n := strings.Count(all, "replicated_deduplication_window = 0"); n != tables-1 || strings.Contains(all, "non_replicated") || strings.Contains(all, "currentDatabase()") {
		t.Errorf("%d tables without a window:\n%s", n, all)
	}
	if _, err := render("ALTER TABLE samples ADD COLUMN x UInt8", "c", "d"); err == nil {
		t.Error("a statement that is not understood is let through")
	}
}

func TestClusterSettings(t *testing.T) {
	plain, err := Options{URL: "http://h"}.client()
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := Options{URL: "http://h", Cluster: "c"}.client()
	if err != nil {
		t.Fatal(err)
	}
	if plain.Settings["insert_distributed_sync"] != nil || cluster.Settings["insert_distributed_sync"] != 1 || cluster.Settings["async_insert"] != 0 {
		t.Errorf("%v, on a cluster %v", plain.Settings, cluster.Settings)
	}
}
