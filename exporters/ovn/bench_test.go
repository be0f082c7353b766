package ovn

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"

	"mcloud/exporters"
)

// The size that the product is made for.
const (
	benchPorts   = 120_000
	benchChassis = 2_000
	benchNets    = 1_500
)

func benchID(kind, n int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", kind, n) }

// bigServer sends a cloud's rows as they are asked for, made one by one.
func bigServer(tb testing.TB, database string) string {
	s := newServer(tb, "25.03", database, map[string]string{"OVN_Northbound": "nb", "OVN_Southbound": "sb"}[database])
	endpoint, _ := listen(tb, func(conn net.Conn) {
		d := json.NewDecoder(bufio.NewReader(conn))
		c := &client{conn: conn, columns: map[string][]string{}}
		for {
			var m struct {
				ID     any
				Method string
				Params []json.RawMessage
			}
			if d.Decode(&m) != nil {
				return
			}
			if m.Method != "monitor" {
				c.send(map[string]any{"id": m.ID, "error": nil, "result": s.answer(c, m.Method, m.Params)})
				continue
			}
			w := bufio.NewWriterSize(conn, 1<<20)
			fmt.Fprintf(w, `{"id":%v,"error":null,"result":{`, m.ID)
			if database == "OVN_Northbound" {
				bigNorth(w)
			} else {
				bigSouth(w)
			}
			fmt.Fprint(w, `}}`)
			if w.Flush() != nil {
				return
			}
		}
	})
	return endpoint
}

func bigNorth(w *bufio.Writer) {
	fmt.Fprintf(w, `"NB_Global":{"%s":{"new":{"nb_cfg":7,"sb_cfg":7,"hv_cfg":7}}},"Logical_Switch_Port":{`, benchID(1, 0))
	for i := range benchPorts {
		if i > 0 {
			w.WriteByte(',')
		}
		fmt.Fprintf(w, `"%s":{"new":{"type":"","up":true,"enabled":true,"external_ids":["map",[["neutron:cidrs","10.0.0.7/24"],["neutron:device_id","%s"],["neutron:device_owner","compute:az-1"],["neutron:host_id","cmp-%d"],["neutron:mtu",""],["neutron:network_name","neutron-%s"],["neutron:port_capabilities",""],["neutron:port_name",""],["neutron:project_id","%032x"],["neutron:revision_number","5"],["neutron:security_group_ids","%s"],["neutron:subnet_pool_addr_scope4",""],["neutron:subnet_pool_addr_scope6",""],["neutron:vnic_type","normal"]]]}}`,
			benchID(2, i), benchID(3, i), i%benchChassis, benchID(4, i%benchNets), i%500, benchID(5, i%benchNets))
	}
	fmt.Fprint(w, `}`)
}

func bigSouth(w *bufio.Writer) {
	fmt.Fprintf(w, `"SB_Global":{"%s":{"new":{"nb_cfg":7}}},"Chassis":{`, benchID(1, 0))
	for i := range benchChassis {
		fmt.Fprintf(w, `%s"%s":{"new":{"name":"cmp-%d","hostname":"cmp-%d","encaps":["uuid","%s"]}}`, comma(i), benchID(6, i), i, i, benchID(7, i))
	}
	fmt.Fprint(w, `},"Chassis_Private":{`)
	for i := range benchChassis {
		fmt.Fprintf(w, `%s"%s":{"new":{"name":"cmp-%d","nb_cfg":7,"nb_cfg_timestamp":1795629779548}}`, comma(i), benchID(8, i), i)
	}
	fmt.Fprint(w, `},"Port_Binding":{`)
	for i := range benchPorts {
		fmt.Fprintf(w, `%s"%s":{"new":{"type":"","up":true,"chassis":["uuid","%s"],"requested_chassis":["uuid","%s"],"datapath":["uuid","%s"],"logical_port":"%s","ha_chassis_group":["set",[]],"gateway_chassis":["set",[]],"tunnel_key":%d,"mac":"fa:16:3e:00:00:01 10.0.0.7"}}`,
			comma(i), benchID(2, i), benchID(6, i%benchChassis), benchID(6, i%benchChassis), benchID(9, i%benchNets), benchID(3, i), i%30000)
	}
	fmt.Fprint(w, `}`)
}

func comma(i int) string { return strings.Repeat(",", min(i, 1)) }

// BenchmarkFirstLook is the cold start at 120,000 ports and 2,000 chassis; heap-MB
// is what stays afterwards.
func BenchmarkFirstLook(b *testing.B) {
	for _, database := range []string{"OVN_Northbound", "OVN_Southbound"} {
		b.Run(database, func(b *testing.B) {
			b.ReportAllocs()
			endpoint := bigServer(b, database)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			for b.Loop() {
				snap, _ := bigLook(b, database, endpoint)
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/1e6, "heap-MB")
				b.ReportMetric(float64(len(snap.Samples)), "samples")
			}
		})
	}
}

// BenchmarkLaterLook is a round in which nothing has changed.
func BenchmarkLaterLook(b *testing.B) {
	for _, database := range []string{"OVN_Northbound", "OVN_Southbound"} {
		b.Run(database, func(b *testing.B) {
			_, look := bigLook(b, database, bigServer(b, database))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := look.Collector.Collect(exporters.WithSets(b.Context())); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func bigLook(tb testing.TB, database, endpoint string) (*exporters.Snapshot, exporters.Source) {
	tb.Helper()
	cfg := Config{Northbound: []string{endpoint}}
	if database == "OVN_Southbound" {
		cfg = Config{Southbound: []string{endpoint}}
	}
	look := source(tb, cfg)
	snap, err := look.Collector.Collect(exporters.WithSets(tb.Context()))
	if err != nil {
		tb.Fatal(err)
	}
	return snap, look
}
