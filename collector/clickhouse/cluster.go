package clickhouse

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// On a cluster of ClickHouse servers (Options.Cluster) the same schema stands on other
// engines.
//
// The tables of numbers, which are nearly all of the bytes, are sharded by the series'
// id: samples is a Distributed table over the samples_local of all shards, each of them
// replicated within its shard. What belongs to one series lies on one shard, so what is
// computed per series never crosses shards.
//
// All other tables are small beside them and stand whole on every server, as replicas of
// one table: series are looked up, objects and events read without asking another server.
//
// Replication is asynchronous. Where one thing must not be seen before another, the one
// who writes waits for all replicas in between, see sync.

// sharded are the tables of numbers.
var sharded = map[string]bool{"samples": true, "rollup_5m": true, "rollup_1h": true, "rollup_1d": true}

// settings of every statement on a cluster.
func clusterSettings() clickhouse.Settings {
	return clickhouse.Settings{
		// An insert is acknowledged by the shards and not by a queue before them, and
		// carries its token to them: each shard remembers the token of its own rows,
		// which are the same for the same batch.
		"insert_distributed_sync": 1,
		// IN (SELECT …) is asked once.
		"prefer_global_in_and_join": 1,
		// Of a shard's replicas the first one that lives is written to and read from:
		// what was written is read.
		"load_balancing":               "in_order",
		"distributed_ddl_task_timeout": 45,
	}
}

func quoted(name string) string { return "`" + strings.ReplaceAll(name, "`", "\\`") + "`" }

func literal(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}

// local is the table that holds a table's rows.
func (db *DB) local(table string) string {
	if db.options.Cluster != "" && sharded[table] {
		return table + "_local"
	}
	return table
}

// altered names the table to alter so that all of its shards are.
func (db *DB) altered(table string) string {
	if db.options.Cluster != "" && sharded[table] {
		return quoted(db.options.Database) + "." + db.local(table) + " ON CLUSTER " + literal(db.options.Cluster)
	}
	return table
}

// system is a system table of all servers.
func (db *DB) system(table string) string {
	if db.options.Cluster == "" {
		return "system." + table
	}
	return "clusterAllReplicas(" + literal(db.options.Cluster) + ", system." + table + ")"
}

// sync waits until every server has what was written to the tables before. Without a
// cluster there is nothing to wait for. Rollups depend on it: a unit's marks may reach
// a server before the samples that they are of do, and the note that it is rolled up
// before the rollups.
func (db *DB) sync(ctx context.Context, tables ...string) error {
	if db.options.Cluster == "" {
		return nil
	}
	for _, table := range tables {
		bounded, cancel := context.WithTimeout(ctx, db.options.WriteTimeout)
		err := db.conn.Exec(bounded, "SYSTEM SYNC REPLICA ON CLUSTER "+literal(db.options.Cluster)+" "+quoted(db.options.Database)+"."+db.local(table)+" LIGHTWEIGHT")
		cancel()
		if err != nil {
			return db.wrap(ctx, "waiting for all replicas of "+table, err)
		}
	}
	return nil
}

// dedupSeconds is how long a server remembers the tokens of samples: a batch that waits
// longer in a collector's spool than a store was away is sent under the same token.
const dedupSeconds = int(7 * 24 * time.Hour / time.Second)

var (
	createTable = regexp.MustCompile(`CREATE TABLE IF NOT EXISTS (\w+)`)
	engine      = regexp.MustCompile(`ENGINE = (\w*)MergeTree(?:\(([^)]*)\))?`)
	dedupWindow = regexp.MustCompile(`non_replicated_deduplication_window = (\d+)`)
)

// render returns the statements that do on a cluster what a migration's statement does
// on one server. They may be repeated.
func render(statement, cluster, database string) ([]string, error) {
	comment, body := leadingComment(statement)
	if strings.HasPrefix(body, "INSERT INTO rollup_units") {
		return []string{comment + strings.NewReplacer(
			"system.parts", "clusterAllReplicas("+literal(cluster)+", system.parts)",
			"currentDatabase()", literal(database), "'samples'", "'samples_local'",
		).Replace(body)}, nil
	}
	name := createTable.FindStringSubmatch(body)
	of := engine.FindStringSubmatch(body)
	if name == nil || of == nil || !strings.HasPrefix(body, name[0]) {
		return nil, fmt.Errorf("no way to do this on a cluster: %.60s", body)
	}
	table, path, replica := name[1], "/clickhouse/mcloud/{database}/{table}", "{shard}-{replica}"
	if sharded[table] {
		table, path, replica = table+"_local", path+"/{shard}", "{replica}"
	}
	args := literal(path) + ", " + literal(replica)
	if of[2] != "" {
		args += ", " + of[2]
	}
	on := " ON CLUSTER " + literal(cluster)
	body = strings.Replace(body, name[0], "CREATE TABLE IF NOT EXISTS "+quoted(database)+"."+table+on, 1)
	body = strings.Replace(body, of[0], "ENGINE = Replicated"+of[1]+"MergeTree("+args+")", 1)
	// A replicated table drops a block that it has seen, unless told. Only samples, which
	// have tokens, want that: rollups are computed again, series come back.
	window := "replicated_deduplication_window = 0"
	if w := dedupWindow.FindStringSubmatch(body); w != nil {
		if w[1] != "0" {
			window = "replicated_deduplication_window = " + w[1] + ", replicated_deduplication_window_seconds = " + strconv.Itoa(dedupSeconds)
		}
		body = strings.Replace(body, w[0], window, 1)
	} else if strings.Contains(body, "\nSETTINGS ") {
		body += ", " + window
	} else {
		body += "\nSETTINGS " + window
	}
	all := []string{comment + body}
	if sharded[name[1]] {
		all = append(all, fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s.%s%s AS %[1]s.%[4]s\nENGINE = Distributed(%s, %s, %[4]s, intHash64(id))",
			quoted(database), name[1], on, table, literal(cluster), literal(database)))
	}
	return all, nil
}

// leadingComment cuts the lines of comment off a statement's beginning.
func leadingComment(statement string) (comment, body string) {
	rest := statement
	for {
		trimmed := strings.TrimLeft(rest, "\n ")
		if !strings.HasPrefix(trimmed, "--") {
			return statement[:len(statement)-len(trimmed)], strings.TrimRight(trimmed, "; \n")
		}
		_, rest, _ = strings.Cut(trimmed, "\n")
	}
}

// Schema returns the statements of all migrations, as they are run on one server or, when
// a cluster is named, on that.
func Schema(cluster, database string) ([]string, error) {
	all, err := readMigrations(migrationFiles, "migrations")
	if err != nil {
		return nil, err
	}
	statements := []string{migrationsTable}
	for _, m := range all {
		statements = append(statements, m.statements...)
	}
	if cluster == "" {
		return statements, nil
	}
	var rendered []string
	for _, s := range statements {
		parts, err := render(s, cluster, database)
		if err != nil {
			return nil, err
		}
		rendered = append(rendered, parts...)
	}
	return rendered, nil
}
