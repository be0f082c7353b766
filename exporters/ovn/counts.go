package ovn

import (
	"fmt"

	"mcloud/exporters/ovn/ovsdb"
)

// counts are of what is in the database now, by key. A row adds what it counts
// for when it comes and takes it away when it goes, so that no row is kept.
type counts[K comparable] map[K]int

func (c counts[K]) add(key K, n int) {
	if c[key] += n; c[key] == 0 {
		delete(c, key)
	}
}

// check finds the count that cannot be: more rows went than came, so an update
// was lost.
func (c counts[K]) check(what string) error {
	for key, n := range c {
		if n < 0 {
			return fmt.Errorf("%w: %d %s %v", ovsdb.ErrInconsistent, n, what, key)
		}
	}
	return nil
}

// change calls add for what was and for what is.
func change(old, new ovsdb.Row, add func(row ovsdb.Row, n int)) {
	if old != nil {
		add(old, -1)
	}
	if new != nil {
		add(new, +1)
	}
}

// keep holds a table of few rows.
func keep[V any](table map[ovsdb.ID]V, id string, new ovsdb.Row, read func(ovsdb.Row) V) {
	key, ok := ovsdb.ParseID(id)
	switch {
	case !ok:
	case new == nil:
		delete(table, key)
	default:
		table[key] = read(new)
	}
}

// maxKept bounds the tables of which rows are kept: what has more is no cloud's.
const maxKept = 1 << 18

// countedOnly are the tables of which no row is kept, so that many may come.
var countedOnly = map[string]bool{"Logical_Switch_Port": true, "ACL": true, "DNS": true, "Logical_Flow": true, "Service_Monitor": true, "Port_Binding": true,
	"MAC_Binding": true, "FDB": true, "Address_Set": true, "Multicast_Group": true, "IGMP_Group": true, "Static_MAC_Binding": true, "Logical_Router_Static_Route": true}

// bounded refuses a table that would fill the memory.
func (c counts[K]) bounded(table K, name string) error {
	if c[table] > maxKept && !countedOnly[name] {
		return fmt.Errorf("%w: %s has more than %d rows", ovsdb.ErrTooLarge, name, maxKept)
	}
	return nil
}
