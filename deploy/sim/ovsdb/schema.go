package ovsdb

import (
	"embed"
	"encoding/json"
	"fmt"
)

//go:embed recorded/*.json
var recorded embed.FS

// Schema returns the schema of OVN_Southbound 20.27.0, OVN_Northbound 7.0.0
// (OVN 23.03) or _Server, as ovsdb-server tells it. Another name panics.
func Schema(name string) json.RawMessage {
	b, err := recorded.ReadFile("recorded/" + name + ".json")
	if err != nil {
		panic(fmt.Sprintf("ovsdb: no schema of %s: %v", name, err))
	}
	return b
}

// serverDatabase is "_Server", which lists the others as standalone databases.
func serverDatabase(others []Database) Database {
	rows := []Row{{
		"_uuid": "00000000-5e12-4000-8000-000000000000", "name": "_Server", "model": "standalone", "connected": true, "leader": true,
		"schema": string(Schema("_Server")),
	}}
	for i, d := range others {
		rows = append(rows, Row{
			"_uuid": fmt.Sprintf("00000000-5e12-4000-8000-%012d", i+1), "name": d.Name, "model": "standalone", "connected": true, "leader": true,
			"schema": string(d.Schema),
		})
	}
	return Database{Name: "_Server", Schema: Schema("_Server"), Rows: func(table string) []Row {
		if table == "Database" {
			return rows
		}
		return nil
	}}
}
