package ovs

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"mcloud/exporters/ovn/ovsdb"
)

// No row of a host's database panics or gives a series twice.
func FuzzDatabase(f *testing.F) {
	for _, table := range []string{"Open_vSwitch", "Bridge", "Port", "Interface", "Controller"} {
		b, err := os.ReadFile("testdata/3.5/database-gw-1/" + table + ".json")
		var rows []json.RawMessage
		if err != nil || json.Unmarshal(b, &rows) != nil {
			f.Fatal(table, err)
		}
		for i, row := range rows {
			if i < 3 {
				f.Add(string(row), string(rows[0]))
			}
		}
	}
	f.Fuzz(func(t *testing.T, one, other string) {
		var tables [6][]ovsdb.Row
		for _, text := range []string{one, other} {
			var row ovsdb.Row
			if json.Unmarshal([]byte(text), &row) != nil || row == nil {
				return
			}
			for i := 1; i < len(tables); i++ {
				tables[i] = append(tables[i], row)
			}
			tables[0] = []ovsdb.Row{row}
		}
		k := &databaseLook{host: Host{Name: "h"}, cloud: "c", now: time.Now}
		for range 2 {
			snap, err := k.read(t.Context(), tables[:])
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range snap.Samples {
				if len(s.Labels) != len(s.Family.Labels) {
					t.Error(series(s))
				}
			}
		}
	})
}

func FuzzStat(f *testing.F) {
	f.Add("6150 (ovs-vswitchd) S 1 6150 6150 0 -1 1077936448 21345 0 12 0 140 95 0 0 20 0 5 0 77777 408432640 6131 18446744073709551615 1 1 0 0 0")
	f.Add("1 (a b) ) R " + strings.Repeat("9 ", 30))
	f.Fuzz(func(t *testing.T, text string) {
		if p, ok := parseStat(text); ok && (p.cpuTicks < 0 || p.startTicks < 0 || p.pages < 0) {
			t.Errorf("%+v", p)
		}
	})
}
