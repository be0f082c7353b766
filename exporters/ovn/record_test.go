package ovn

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"mcloud/exporters/ovn/ovsdb"
)

// With -update it records the lab's databases: what is followed of them, in the
// shape of "ovsdb-client dump -f json", and their schemas.
func TestRecordTheLab(t *testing.T) {
	if os.Getenv("MCLOUD_LAB_CLOUDS") == "" || !*update {
		t.Skip("MCLOUD_LAB_CLOUDS names no clouds.yaml of a running lab, or -update is not given")
	}
	for _, db := range []struct {
		name, prefix, endpoint string
		queries                []ovsdb.Query
	}{
		{"OVN_Northbound", "nb", labNorthbound, northboundQueries},
		{"OVN_Southbound", "sb", labSouthbound, southboundQueriesFor(t.Context())},
	} {
		dir := filepath.Join("testdata", "25.03")
		conn, err := ovsdb.Open(t.Context(), ovsdb.Options{Database: db.name, Endpoints: []string{db.endpoint}})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		tables, err := conn.Select(t.Context(), db.queries...)
		if err != nil {
			t.Fatal(err)
		}
		write := func(name string, v any) {
			b, err := json.Marshal(v)
			if err == nil {
				err = os.MkdirAll(dir, 0o755)
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, name), append(b, '\n'), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		schema := map[string]any{}
		for _, q := range db.queries {
			if !conn.Has(q.Table) {
				continue
			}
			columns := map[string]any{}
			for _, c := range q.Columns {
				if conn.Has(q.Table, c) {
					columns[c] = map[string]any{}
				}
			}
			schema[q.Table] = map[string]any{"columns": columns}
		}
		write("schema_"+db.name+".json", map[string]any{"name": db.name, "tables": schema})
		for i, q := range db.queries {
			if len(tables[i]) == 0 {
				continue
			}
			var tb struct {
				Headings []string            `json:"headings"`
				Data     [][]json.RawMessage `json:"data"`
			}
			tb.Headings = slices.Sorted(maps.Keys(tables[i][0]))
			for _, row := range tables[i] {
				var values []json.RawMessage
				for _, h := range tb.Headings {
					values = append(values, row[h])
				}
				tb.Data = append(tb.Data, values)
			}
			write(db.prefix+"_"+q.Table+".json", tb)
		}
	}
}
