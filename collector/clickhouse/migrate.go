package clickhouse

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migration is one file NNNN_name.sql.
type migration struct {
	version        uint32
	name, checksum string
	statements     []string
}

// readMigrations returns the migrations of a directory in order, and an error
// unless they are numbered from 1 without a gap.
func readMigrations(files fs.FS, dir string) ([]migration, error) {
	entries, err := fs.ReadDir(files, dir)
	if err != nil {
		return nil, err
	}
	var all []migration
	for _, entry := range entries {
		number, rest, _ := strings.Cut(entry.Name(), "_")
		version, err := strconv.ParseUint(number, 10, 32)
		if err != nil || len(number) != 4 || version != uint64(len(all)+1) {
			return nil, fmt.Errorf("migration %s: want %04d_name.sql", entry.Name(), len(all)+1)
		}
		text, err := fs.ReadFile(files, path.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(text)
		m := migration{version: uint32(version), name: strings.TrimSuffix(rest, ".sql"), checksum: hex.EncodeToString(sum[:])}
		for statement := range strings.SplitSeq(string(text), ";\n") {
			if strings.TrimSpace(statement) != "" {
				m.statements = append(m.statements, statement)
			}
		}
		all = append(all, m)
	}
	return all, nil
}

// Migrate brings the schema to the newest version that this program knows, and
// fails with ErrNewerSchema when the store is further already. Applied
// migrations are recorded with their checksum; one that was changed afterwards
// is an error. Migrate may run in several processes at once: every statement
// can be repeated.
func (db *DB) Migrate(ctx context.Context) error {
	all, err := readMigrations(migrationFiles, "migrations")
	if err != nil {
		return err
	}
	if err := db.migrate(ctx, all); err != nil {
		return err
	}
	return db.dropTTLs(ctx)
}

const migrationsTable = `CREATE TABLE IF NOT EXISTS migrations
(
    version UInt32,
    name String,
    checksum String,
    applied DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(applied)
ORDER BY version`

// apply runs a statement of the schema, on a cluster what that becomes there.
func (db *DB) apply(ctx context.Context, doing, statement string) error {
	statements := []string{statement}
	if db.options.Cluster != "" {
		var err error
		if statements, err = render(statement, db.options.Cluster, db.options.Database); err != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
	}
	for _, s := range statements {
		if err := db.conn.Exec(ctx, s); err != nil {
			return db.wrap(ctx, doing, err)
		}
	}
	return nil
}

func (db *DB) migrate(ctx context.Context, all []migration) error {
	ctx, cancel := context.WithTimeout(ctx, db.options.WriteTimeout)
	defer cancel()
	if err := db.apply(ctx, "preparing the schema", migrationsTable); err != nil {
		return err
	}
	applied, err := db.appliedMigrations(ctx)
	if err != nil {
		return err
	}
	for version, name := range applied {
		if int(version) > len(all) {
			return fmt.Errorf("%w: it has migration %d %s, this program knows %d: upgrade it", ErrNewerSchema, version, name.name, len(all))
		}
	}
	for _, m := range all {
		if was, is := applied[m.version]; is {
			if was.checksum != m.checksum {
				return fmt.Errorf("migration %04d_%s was changed after it was applied to %s: restore the file and write a new migration", m.version, m.name, db.options.Database)
			}
			continue
		}
		for _, statement := range m.statements {
			if err := db.apply(ctx, fmt.Sprintf("migration %04d_%s", m.version, m.name), statement); err != nil {
				return err
			}
		}
		err := db.conn.Exec(ctx, "INSERT INTO migrations SELECT {version:UInt32}, {name:String}, {checksum:String}, now64(3)",
			named("version", m.version), named("name", m.name), named("checksum", m.checksum))
		if err != nil {
			return db.wrap(ctx, fmt.Sprintf("recording migration %04d_%s", m.version, m.name), err)
		}
		db.options.Logger.Info("store schema migrated", "migration", fmt.Sprintf("%04d_%s", m.version, m.name), "at", time.Now().UTC())
	}
	return nil
}

func (db *DB) appliedMigrations(ctx context.Context) (map[uint32]migration, error) {
	rows, err := db.conn.Query(ctx, "SELECT version, name, checksum FROM migrations FINAL")
	if err != nil {
		return nil, db.wrap(ctx, "reading the schema's version", err)
	}
	applied := map[uint32]migration{}
	err = each(rows, func() error {
		var m migration
		if err := rows.Scan(&m.version, &m.name, &m.checksum); err != nil {
			return err
		}
		applied[m.version] = m
		return nil
	})
	return applied, db.wrap(ctx, "reading the schema's version", err)
}
