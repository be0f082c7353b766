package clickhouse

import "strings"

// conditions are the parts of a WHERE clause. They are text of this package;
// values go through parameters.
type conditions []string

func (c *conditions) add(condition string) { *c = append(*c, condition) }

func (c conditions) String() string {
	if len(c) == 0 {
		return ""
	}
	return "WHERE " + strings.Join(c, " AND ")
}
