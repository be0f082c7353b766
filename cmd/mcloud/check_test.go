package main

import (
	"strings"
	"testing"

	"mcloud/exporters/openstack"
)

// A forbidden call that the exporter does without is printed with what would allow
// it, and is no error; any other forbidden call is.
func TestCheckSparesWhatTheExporterDoesWithout(t *testing.T) {
	tasks := openstack.Finding{API: "glance", Call: "GET /tasks", Verdict: openstack.Forbidden, Role: "admin", Gives: "tasks", Dispensable: true}
	servers := openstack.Finding{API: "nova", Call: "GET /servers/detail", Verdict: openstack.Allowed}
	routers := openstack.Finding{API: "neutron", Call: "GET /routers", Verdict: openstack.Forbidden, Rule: "get_router", Gives: "routers"}
	broken := openstack.Finding{API: "glance", Call: "GET /tasks", Verdict: openstack.Failed, Dispensable: true}
	for _, c := range []struct {
		findings []openstack.Finding
		says     string // "" for no error
	}{
		{[]openstack.Finding{servers, tasks}, ""},
		{[]openstack.Finding{servers, tasks, routers}, "of 3 calls: 1 allowed, 1 forbidden;"},
		{[]openstack.Finding{servers, broken}, "of 2 calls: 1 allowed, 1 failed;"},
	} {
		err := summary(c.findings)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v: %v, want %q", c.findings, err, c.says)
		}
	}
	var table strings.Builder
	if err := writeFindings(&table, "table", []openstack.Finding{tasks, routers}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(table.String(), "\n")
	if !strings.Contains(lines[1], "forbidden") || !strings.HasSuffix(lines[1], "role admin; the exporter does without it") {
		t.Errorf("of a call that the exporter does without: %q", lines[1])
	}
	if !strings.HasSuffix(lines[2], "policy get_router") {
		t.Errorf("of one that it needs: %q", lines[2])
	}
}
