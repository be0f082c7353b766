package parts

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"mcloud"
	"mcloud/cmd/config"
	"mcloud/collector/clickhouse"
)

// SlowQueries reads from f's store, which runs, the queries since then that took longest.
func SlowQueries(ctx context.Context, f config.File, since time.Time, top int, logger *slog.Logger) ([]mcloud.SlowQuery, error) {
	db, err := clickhouse.Open(ctx, storeOptions(f, logger))
	if err != nil {
		return nil, err
	}
	queries, err := db.SlowQueries(ctx, since, top)
	return queries, errors.Join(err, db.Close())
}
