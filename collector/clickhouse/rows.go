package clickhouse

import (
	"errors"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// each calls f for every row, and closes rows in any case: the driver's reader
// waits for ever otherwise.
func each(rows driver.Rows, f func() error) error {
	for rows.Next() {
		if err := f(); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

// named is a value for {name:Type} in a statement. Values never become part of
// its text.
func named(name string, value any) driver.NamedValue { return clickhouse.Named(name, value) }
