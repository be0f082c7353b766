package octavia

import (
	"context"
	"strconv"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var (
	amphorae = &exporters.Family{
		Name: "openstack_loadbalancer_amphorae", Type: exporters.Gauge, Labels: []string{"status", "role"}, Set: exporters.SetBase, Call: "GET /octavia/amphorae",
		Help: "Amphorae by status (ALLOCATED, BOOTING, READY, ERROR, …) and role (STANDALONE, MASTER, BACKUP).",
	}
	amphoraInfo = &exporters.Family{
		Name: "openstack_loadbalancer_amphora_info", Type: exporters.Gauge,
		Labels: []string{"id", "loadbalancer_id", "compute_id", "status", "role", "lb_network_ip", "ha_ip", "zone"}, Set: exporters.SetObjects, Call: "GET /octavia/amphorae",
		Help: "Always 1; says what an amphora is and how it is.",
	}
	certificateExpiry = &exporters.Family{
		Name: "openstack_loadbalancer_amphora_certificate_expiry_timestamp_seconds", Unit: "seconds", Type: exporters.Gauge, Labels: []string{"id"}, Set: exporters.SetObjects, Call: "GET /octavia/amphorae",
		Help: "When the amphora's certificate ends, in seconds since 1970.",
	}
	earliestExpiry = &exporters.Family{
		Name: "openstack_loadbalancer_amphora_certificates_earliest_expiry_timestamp_seconds", Unit: "seconds", Type: exporters.Gauge, Set: exporters.SetBase, Call: "GET /octavia/amphorae",
		Help: "When the first of the amphorae's certificates ends, in seconds since 1970; absent without amphorae.",
	}
	certificatesExpiring = &exporters.Family{
		Name: "openstack_loadbalancer_amphora_certificates_expiring", Type: exporters.Gauge, Labels: []string{"days"}, Set: exporters.SetBase, Call: "GET /octavia/amphorae",
		Help: "Amphorae whose certificate ends within so many days (0: has ended, 7, 14). Octavia renews them 14 days before by default.",
	}
	amphoraFamilies = []*exporters.Family{amphorae, amphoraInfo, certificateExpiry, earliestExpiry, certificatesExpiring}
)

type amphora struct {
	ID       string         `json:"id"`
	Balancer string         `json:"loadbalancer_id"`
	Compute  string         `json:"compute_id"`
	Status   string         `json:"status"`
	Role     string         `json:"role"`
	Address  string         `json:"lb_network_ip"`
	HA       string         `json:"ha_ip"`
	Zone     string         `json:"cached_zone"`
	Expiry   openstack.Time `json:"cert_expiration"`
}

type amphoraeCollector struct{ cloud *openstack.Cloud }

func (c *amphoraeCollector) collect(ctx context.Context) (*exporters.Snapshot, error) {
	all, err := openstack.List[amphora](ctx, c.cloud, api, "/octavia/amphorae", "amphorae",
		page("id", "loadbalancer_id", "compute_id", "status", "role", "lb_network_ip", "ha_ip", "cached_zone", "cert_expiration"))
	if missing(err) {
		return &exporters.Snapshot{Skipped: 1}, nil
	}
	if err != nil && len(all.Objects) == 0 {
		return nil, err
	}
	s := &exporters.Snapshot{}
	all.NoteIn(s)
	var count exporters.Tally
	perObject := exporters.Wants(ctx, exporters.SetObjects)
	var earliest time.Time
	within := map[int]int{0: 0, 7: 0, 14: 0} // days: amphorae
	for _, a := range all.Objects {
		count.Add(1, a.Status, a.Role)
		if perObject {
			s.Add(amphoraInfo, 1, a.ID, a.Balancer, a.Compute, a.Status, a.Role, a.Address, a.HA, a.Zone)
		}
		if a.Expiry.IsZero() || a.Status == "DELETED" {
			continue
		}
		if perObject {
			s.Add(certificateExpiry, float64(a.Expiry.Unix()), a.ID)
		}
		if earliest.IsZero() || a.Expiry.Before(earliest) {
			earliest = a.Expiry.Time
		}
		for days := range within {
			if a.Expiry.Before(all.Time.AddDate(0, 0, days)) {
				within[days]++
			}
		}
	}
	if err != nil || len(all.Failed) > 0 {
		return s, err
	}
	count.AddTo(s, amphorae)
	for days, n := range within {
		s.Add(certificatesExpiring, float64(n), strconv.Itoa(days))
	}
	if !earliest.IsZero() {
		s.Add(earliestExpiry, float64(earliest.Unix()))
	}
	return s, nil
}
