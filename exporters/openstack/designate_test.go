package openstack_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"mcloud/exporters"
)

// TestDesignateInPages follows Designate's links, and counts all zones' records
// with one list.
func TestDesignateInPages(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	f.inject(func(w http.ResponseWriter, r *http.Request, call string) bool {
		if !strings.HasPrefix(call, "designate /recordsets") {
			return false
		}
		if r.Header.Get("X-Auth-All-Projects") != "true" {
			t.Error("only the own project's recordsets are asked for")
		}
		if r.URL.Query().Get("marker") == "" {
			_, _ = io.WriteString(w, `{"recordsets": [{"id": "1", "zone_id": "a", "type": "A", "status": "ACTIVE"}, {"id": "2", "zone_id": "a", "type": "NS", "status": "ERROR"}], "links": {"self": "x", "next": "http://x/v2/recordsets?limit=2&marker=2"}}`)
		} else {
			_, _ = io.WriteString(w, `{"recordsets": [{"id": "3", "zone_id": "b", "type": "A", "status": "ACTIVE"}], "links": {"self": "x"}}`)
		}
		return true
	})
	s, err := collect(t, source(t, cloud, "designate_recordsets"))
	if err != nil {
		t.Fatal(err)
	}
	wantValues(t, s, "openstack_designate_recordsets", map[string]float64{"ACTIVE,A": 2, "ERROR,NS": 1})
	wantValues(t, s, "openstack_designate_zone_recordsets", map[string]float64{"a,ACTIVE": 1, "a,ERROR": 1, "b,ACTIVE": 1})
	wantValues(t, s, "openstack_designate_zone_recordsets_largest", map[string]float64{"": 2})
}

// TestDesignateServices: one that died keeps saying UP, with an old heartbeat.
func TestDesignateServices(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	services := source(t, cloud, "designate_services")
	at := func(ago time.Duration) string { return time.Now().UTC().Add(-ago).Format("2006-01-02T15:04:05.000000") }
	for i, step := range []struct {
		heartbeat time.Duration
		up        float64
		events    int
	}{{5 * time.Second, 1, 0}, {5 * time.Minute, 0, 1}, {time.Second, 1, 1}} {
		f.inject(canned(map[string]string{"designate /service_statuses": fmt.Sprintf(`{"service_statuses": [
			{"id": "old", "hostname": "ctl", "service_name": "worker", "status": "UP", "heartbeated_at": "2020-01-01T00:00:00.000000"},
			{"id": "new", "hostname": "ctl", "service_name": "worker", "status": "UP", "heartbeated_at": %q}]}`, at(step.heartbeat))}))
		s, err := collect(t, services)
		if err != nil {
			t.Fatal(err)
		}
		wantValues(t, s, "openstack_designate_service_up", map[string]float64{"ctl,worker": step.up})
		if len(s.Events) != step.events {
			t.Errorf("step %d: events %+v", i, s.Events)
		}
	}
}

// TestDesignateRefuses names what the account lacks, for Designate says no more
// than "forbidden".
func TestDesignateRefuses(t *testing.T) {
	f := newFakeCloud(t)
	cloud, _ := f.connect(nil)
	f.inject(func(w http.ResponseWriter, _ *http.Request, call string) bool {
		if !strings.HasPrefix(call, "designate /") {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"code": 403, "type": "forbidden", "request_id": "req-1"}`)
		return true
	})
	for _, name := range []string{"designate_services", "designate_zones", "designate_recordsets", "designate_quotas"} {
		s, err := collect(t, source(t, cloud, name))
		if s != nil || exporters.KindOf(err) != exporters.KindForbidden || !strings.Contains(err.Error(), "all_tenants") {
			t.Errorf("%s: %+v %v", name, s, err)
		}
	}
}
