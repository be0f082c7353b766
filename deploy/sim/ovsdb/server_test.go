package ovsdb

import (
	"context"
	"encoding/json"
	"net"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"
)

func serve(t *testing.T, rows func(string) []Row) *Server {
	t.Helper()
	s, err := Listen("127.0.0.1:0", Database{Name: "OVN_Southbound", Schema: Schema("OVN_Southbound"), Rows: rows})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return s
}

const id = "8d573120-1b75-4708-b617-7278bb5c0770"

func ask(t *testing.T, s *Server, request string) map[string]any {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.Address(), "tcp:"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	var answer map[string]any
	if err := json.NewDecoder(conn).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestSelect(t *testing.T) {
	s := serve(t, func(table string) []Row {
		if table != "Chassis_Private" {
			return nil
		}
		return []Row{{"_uuid": id, "name": "cmp-1", "nb_cfg": 7, "chassis": UUID(id)}, {"_uuid": strings.Replace(id, "8", "9", 1), "name": "cmp-2"}}
	})
	for _, c := range []struct{ request, want string }{
		{`{"op":"select","table":"Chassis_Private","where":[["name","==","cmp-1"]],"columns":["_uuid","name","nb_cfg"]}`, `[{"rows":[{"_uuid":["uuid","` + id + `"],"name":"cmp-1","nb_cfg":7}]}]`},
		{`{"op":"select","table":"Chassis_Private","where":[["name","!=","cmp-1"]],"columns":["nb_cfg","chassis","external_ids"]}`, `[{"rows":[{"chassis":["set",[]],"external_ids":["map",[]],"nb_cfg":0}]}]`},
		{`{"op":"select","table":"Chassis","where":[],"columns":["name"]}`, `[{"rows":[]}]`},
		{`{"op":"delete","table":"Chassis","where":[]}`, `[{"details":"the simulated database is read-only","error":"not allowed"}]`},
		{`{"op":"select","table":"Nope","where":[]}`, `[{"details":"no table named Nope","error":"syntax error"}]`},
	} {
		got := ask(t, s, `{"id":1,"method":"transact","params":["OVN_Southbound",`+c.request+`]}`)
		b, _ := json.Marshal(got["result"])
		if string(b) != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.request, b, c.want)
		}
	}
	if got := ask(t, s, `{"id":2,"method":"steal","params":[]}`); got["error"] != "unknown method" {
		t.Errorf("unknown method: %v", got)
	}
	if got := ask(t, s, `{"id":"e","method":"echo","params":["x"]}`); !reflect.DeepEqual(got["result"], []any{"x"}) {
		t.Errorf("echo: %v", got)
	}
}

type chassisPrivate struct {
	UUID  string `ovsdb:"_uuid"`
	Name  string `ovsdb:"name"`
	NbCfg int    `ovsdb:"nb_cfg"`
}

// TestLibovsdb proves the server with the client library that others use.
func TestLibovsdb(t *testing.T) {
	var cfg atomic.Int64
	s := serve(t, func(table string) []Row {
		if table != "Chassis_Private" {
			return nil
		}
		return []Row{{"_uuid": id, "name": "cmp-1", "nb_cfg": cfg.Load()}}
	})
	db, err := model.NewClientDBModel("OVN_Southbound", map[string]model.Model{"Chassis_Private": &chassisPrivate{}})
	if err != nil {
		t.Fatal(err)
	}
	logger := logr.Discard()
	c, err := client.NewOVSDBClient(db, client.WithEndpoint(s.Address()), client.WithLogger(&logger))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := c.Connect(ctx); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// Plain monitor with a model of some columns works only for named columns.
	var row chassisPrivate
	if _, err := c.Monitor(ctx, c.NewMonitor(client.WithTable(&row, &row.Name, &row.NbCfg))); err != nil {
		t.Fatal(err)
	}
	cfg.Store(42)
	for {
		var rows []chassisPrivate
		if err := c.List(ctx, &rows); err != nil {
			t.Fatal(err)
		}
		if len(rows) == 1 && rows[0].NbCfg == 42 {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the update never came: %+v", rows)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
