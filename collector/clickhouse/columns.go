package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
)

// columns runs a statement and calls f for every block of its answer with the number of
// rows, which are then in the columns of into: large answers are read this way, because
// the driver's Scan costs several times what such a row does. Names and types of the
// columns have to be the answer's.
func (db *DB) columns(ctx context.Context, statement string, args []any, into proto.Results, f func(rows int) error) (err error) {
	// Blocks of the revision 0 are what every server writes to those who say no other.
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"client_protocol_version": 0}))
	stream, err := db.conn.QueryFormat(ctx, "Native", statement, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stream.Close()) }()
	reader := proto.NewReader(stream)
	for {
		var block proto.Block
		switch err := block.DecodeBlock(reader, 0, into); {
		case errors.Is(err, io.EOF) && block.Columns == 0:
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("the answer is cut off: %w", errors.Join(io.ErrUnexpectedEOF, err))
		case err != nil:
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if block.Rows > 0 {
			if err := f(block.Rows); err != nil {
				return err
			}
		}
	}
}
