package parts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"mcloud/cmd/config"
	"mcloud/collector/clickhouse"
	"mcloud/collector/embedded"
)

// Progress hears the bytes done and the bytes there are.
type Progress func(done, total int64)

// storeDir is where the embedded store keeps its data.
func storeDir(f config.File) string { return filepath.Join(f.DataDir, "store") }

// errNoEmbedded is what backup and restore say of a ClickHouse server.
var errNoEmbedded = errors.New("store.url names a ClickHouse server, whose backups are its own: see BACKUP DATABASE in its manual")

// BackupStore writes a backup of f's embedded store, which runs, into a directory.
func BackupStore(ctx context.Context, f config.File, to string, progress Progress, logger *slog.Logger) (clickhouse.Backup, error) {
	if !f.Store.Embedded() {
		return clickhouse.Backup{}, errNoEmbedded
	}
	db, err := clickhouse.Open(ctx, storeOptions(f, logger))
	if err != nil {
		return clickhouse.Backup{}, fmt.Errorf("%w (a backup is taken while the store runs)", err)
	}
	b, err := db.Backup(ctx, storeDir(f), to, progress)
	return b, errors.Join(err, db.Close())
}

// RestoreStore makes f's embedded store, which is not there yet, from a backup.
// It is made beside and put into its place when it is whole.
func RestoreStore(ctx context.Context, f config.File, from string, progress Progress, logger *slog.Logger) (b clickhouse.Backup, err error) {
	if !f.Store.Embedded() {
		return b, errNoEmbedded
	}
	dir := storeDir(f)
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return b, fmt.Errorf("%s is not empty: stop the store and move its directory away first", dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	if b, err = clickhouse.CheckBackup(ctx, from, nil); err != nil {
		return b, err
	}
	beside := dir + ".restoring"
	if err := os.RemoveAll(beside); err != nil {
		return b, fmt.Errorf("removing what an earlier restore left: %w", err)
	}
	if err := restoreInto(ctx, f, beside, from, b, progress, logger); err != nil {
		return b, errors.Join(err, os.RemoveAll(beside))
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	return b, os.Rename(beside, dir)
}

func restoreInto(ctx context.Context, f config.File, dir, from string, b clickhouse.Backup, progress Progress, logger *slog.Logger) error {
	s, err := embedded.Open(embedded.Options{
		Path: dir, Library: f.Store.Library, Listen: "127.0.0.1:0",
		MemoryBytes: int64(f.Store.Memory), CacheBytes: int64(f.Store.Cache), Threads: f.Store.Threads, Logger: logger,
	})
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	served := make(chan error, 1)
	go func() { served <- s.Run(serving) }()
	options := storeOptions(f, logger)
	options.URL, options.User, options.PasswordFile, options.CAFile, options.ServerName = s.URL(), "", "", "", ""
	db, err := clickhouse.Open(ctx, options)
	if err == nil {
		err = errors.Join(db.Restore(ctx, dir, from, b, progress), db.Close())
	}
	stop()
	return errors.Join(err, <-served)
}
