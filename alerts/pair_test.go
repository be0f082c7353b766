package alerts

import (
	"strings"
	"testing"
	"time"

	"mcloud/alerts/alertstest"
)

// TestPairTellsOnce: two Alertmanagers with the example's configuration are told of the same
// thing, and who is on call hears of it once, by webhook and by e-mail, with where to look and
// what to do; and hears of the next when one of the two is gone.
func TestPairTellsOnce(t *testing.T) {
	const peerWait = 2 * time.Second
	pair := alertstest.StartPair(t, "alertmanager.yml", "1s", peerWait.String())
	down := map[string]string{"alertname": "CephOSDHostDown", "severity": "page", "system": "storage", "cluster": "geo", "hostname": "geo-stor1"}
	says := map[string]string{"summary": "All OSDs of geo-stor1 in Ceph cluster geo are down", "description": "First: does the host run?",
		"runbook": "runbooks/CephOSDDown.md", "dashboard": "mcloud-osds"}
	told := func(status string) {
		t.Helper()
		alertstest.Within(t, "it is told of as "+status, func() string {
			if len(pair.Pages()) == 0 || len(pair.Mails()) == 0 {
				return "no page, or no mail"
			}
			return ""
		})
		time.Sleep(2 * peerWait) // the other one would have told by now
		pages, mails := pair.Pages(), pair.Mails()
		if len(pages) != 1 || pages[0].Status != status || pages[0].Receiver != "on-call-storage" || pages[0].Annotations["runbook"] != says["runbook"] {
			t.Errorf("pages: %+v, want one that is %s", pages, status)
		}
		if len(mails) != 1 || mails[0].To != "storage@example.org" {
			t.Fatalf("e-mails: %+v, want one to storage", mails)
		}
		for _, part := range []string{strings.ToUpper(status) + ": " + says["summary"], says["description"], " UTC",
			"/" + says["runbook"], "/d/" + says["dashboard"] + "?", "&var-cluster=geo"} {
			if !strings.Contains(mails[0].Text, part) {
				t.Errorf("no %q in the e-mail:\n%s", part, mails[0].Text)
			}
		}
		if want := map[string]string{"firing": "[FIRING 1] ", "resolved": "[RESOLVED] "}[status] + says["summary"]; mails[0].Subject != want {
			t.Errorf("subject %q, want %q", mails[0].Subject, want)
		}
		pair.Forget()
	}
	pair.Post(t, false, down, says)
	told("firing")
	// One crashes: the other one knows what was told, and tells the rest.
	pair.Kill(0)
	pair.Post(t, true, down, says)
	told("resolved")
	down["hostname"], says["summary"] = "geo-stor2", "All OSDs of geo-stor2 in Ceph cluster geo are down"
	pair.Post(t, false, down, says)
	told("firing")
}
