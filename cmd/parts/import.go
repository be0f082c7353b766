package parts

import (
	"context"
	"errors"
	"log/slog"

	"mcloud/cmd/config"
	"mcloud/collector/clickhouse"
	"mcloud/collector/shipper"
)

// ImportStore connects to f's store, which runs, for writing samples. What is imported
// is no replica's: it comes before theirs where both have samples.
func ImportStore(ctx context.Context, f config.File, logger *slog.Logger) (store shipper.Store, end func(), err error) {
	options := storeOptions(f, logger)
	options.Replica = ""
	db, err := clickhouse.Open(ctx, options)
	if err != nil {
		return nil, nil, err
	}
	if err := db.Migrate(ctx); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return importStore{db}, func() {
		if err := db.Close(); err != nil {
			logger.Warn("closing the store's connections", "error", err)
		}
	}, nil
}

type importStore struct{ db *clickhouse.DB }

// WriteSamples implements shipper.Store.
func (s importStore) WriteSamples(ctx context.Context, token string, b shipper.Batch) error {
	return s.db.WriteSamples(ctx, token, clickhouse.Batch(b))
}
