// Package designate looks at a cloud's DNS zones, recordsets, name server pools
// and at the services that keep them.
//
// Calls per round, for Z zones and R recordsets of all projects:
//
//	designate_services    1 a minute
//	designate_zones       Z/1000 each 2 minutes
//	designate_recordsets  R/1000 each 10 minutes
//	designate_quotas      2 each 10 minutes
//
// /v2/recordsets lists all zones' recordsets at once, so nothing costs a call for
// each zone. Recordsets are counted as they come and not kept; their data is not
// looked at.
package designate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var api = openstack.API{Name: "designate", Types: []string{"dns"}, Version: "v2", Always: map[string]string{"X-Auth-All-Projects": "true"}}

// Config configures Sources.
type Config struct {
	Period          time.Duration // of zones; 2 minutes if zero. Services are looked at twice as often
	RecordsetPeriod time.Duration // of recordsets, pools and quotas; 5 Periods if zero
}

// Sources returns what looks at Designate: designate_services, designate_zones,
// designate_recordsets, designate_quotas.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source {
	cfg.Period = cmp.Or(cfg.Period, 2*time.Minute)
	cfg.RecordsetPeriod = cmp.Or(cfg.RecordsetPeriod, 5*cfg.Period)

	services := &servicesCollector{cloud: cloud}
	records := &recordsetsCollector{cloud: cloud}
	quotas := &quotasCollector{cloud: cloud}
	return []exporters.Source{
		cloud.Source("designate_services", "designate", cfg.Period/2, time.Minute, services.collect, serviceFamilies...),
		cloud.Source("designate_zones", "designate", cfg.Period, time.Minute, (&zonesCollector{cloud: cloud}).collect, zoneFamilies...),
		cloud.Source("designate_recordsets", "designate", cfg.RecordsetPeriod, 3*time.Minute, records.collect, recordsetFamilies...),
		cloud.Source("designate_quotas", "designate", cfg.RecordsetPeriod, time.Minute, quotas.collect, quotaFamilies...),
	}
}

// pages is the query of a list in pages of a thousand, or of as many as Designate
// is set to give at most.
func pages() url.Values { return url.Values{"limit": {"1000"}} }

// refused says what a refusal means: Designate tells nothing but "forbidden", and
// without the header that asks for all projects it would show one of them only.
func refused(cloud *openstack.Cloud, err error) error {
	if exporters.KindOf(err) != exporters.KindForbidden {
		return err
	}
	return exporters.WithKind(fmt.Errorf("%w: the account of cloud %q needs the role admin, or policies for this call and for all_tenants", err, cloud.Name()), exporters.KindForbidden)
}

// missing says that Designate answers but does not have this: an older version.
func missing(err error) bool {
	return exporters.KindOf(err) == exporters.KindNotFound && !errors.Is(err, exporters.ErrAbsent)
}

var (
	serviceUp = &exporters.Family{
		Name: "openstack_designate_service_up", Type: exporters.Gauge, Labels: []string{"host", "service"}, Set: exporters.SetBase, Call: "GET /service_statuses",
		Help: "Whether the service (central, api, mdns, producer, worker, sink) is up by its own last report: 1 UP, 0 DOWN or WARNING.",
	}
	serviceSeen = &exporters.Family{
		Name: "openstack_designate_service_last_seen_timestamp_seconds", Unit: "seconds", Type: exporters.Gauge, Labels: []string{"host", "service"}, Set: exporters.SetBase, Call: "GET /service_statuses",
		Help: "When the service last reported, in seconds since 1970. One that died reports nothing, and its last word stays UP.",
	}
	serviceFamilies = []*exporters.Family{serviceUp, serviceSeen}
)

type service struct {
	ID        string         `json:"id"`
	Host      string         `json:"hostname"`
	Name      string         `json:"service_name"`
	Status    string         `json:"status"`
	Heartbeat openstack.Time `json:"heartbeated_at"`
}

// silence is after how much of it a service is taken for dead: Designate itself
// judges so after its threshold-percentage of heartbeats of 10 s, but only in its
// own log.
const silence = 2 * time.Minute

type servicesCollector struct {
	cloud  *openstack.Cloud
	states exporters.Transitions
}

func (c *servicesCollector) collect(ctx context.Context) (*exporters.Snapshot, error) {
	all, err := openstack.List[service](ctx, c.cloud, api, "/service_statuses", "service_statuses", nil)
	if missing(err) {
		return &exporters.Snapshot{Skipped: 1}, nil
	}
	if err != nil && len(all.Objects) == 0 {
		return nil, refused(c.cloud, err)
	}
	s := &exporters.Snapshot{}
	all.NoteIn(s)
	states, known := map[string]string{}, map[string]service{}
	for _, v := range newest(all.Objects) {
		up := v.Status == "UP" && all.Time.Sub(v.Heartbeat.Time) < silence
		s.Add(serviceUp, exporters.Bool(up), v.Host, v.Name)
		if !v.Heartbeat.IsZero() {
			s.Add(serviceSeen, float64(v.Heartbeat.Unix()), v.Host, v.Name)
		}
		name := v.Name + " on " + v.Host
		known[name], states[name] = v, "down"
		if up {
			states[name] = "up"
		}
	}
	for _, t := range c.states.Observe(states, err == nil && len(all.Failed) == 0) {
		severity := mcloud.SeverityInfo
		if t.To != "up" {
			severity = mcloud.SeverityWarning
		}
		s.Events = append(s.Events, t.Event(c.cloud.Name(), "designate", "service.state", known[t.Name].ID, severity, all.Time, map[string]any{
			"host": known[t.Name].Host, "service": known[t.Name].Name,
		}))
	}
	return s, refused(c.cloud, err)
}

// newest is one line for each service of a host: Designate may keep those of
// processes that are gone.
func newest(all []service) []service {
	at := map[[2]string]int{}
	var kept []service
	for _, v := range all {
		key := [2]string{v.Host, v.Name}
		i, ok := at[key]
		switch {
		case !ok:
			at[key] = len(kept)
			kept = append(kept, v)
		case v.Heartbeat.After(kept[i].Heartbeat.Time):
			kept[i] = v
		}
	}
	return kept
}

var (
	zones = &exporters.Family{
		Name: "openstack_designate_zones", Type: exporters.Gauge, Labels: []string{"status", "type", "action"}, Set: exporters.SetBase, Call: "GET /zones",
		Help: "Zones of all projects by status (ACTIVE, PENDING, ERROR), type (PRIMARY, SECONDARY) and the action that is under way (NONE, CREATE, UPDATE, DELETE).",
	}
	zoneInfo = &exporters.Family{
		Name: "openstack_designate_zone_info", Type: exporters.Gauge, Labels: []string{"id", "name", "project_id", "status", "type", "pool_id"}, Set: exporters.SetObjects, Call: "GET /zones",
		Help: "Always 1; says what a zone is and how it is.",
	}
	zoneSerial = &exporters.Family{
		Name: "openstack_designate_zone_serial", Type: exporters.Gauge, Labels: []string{"id"}, Set: exporters.SetObjects, Call: "GET /zones",
		Help: "The serial number in the zone's SOA record; it rises with each change.",
	}
	quotaUsed = &exporters.Family{
		Name: "openstack_designate_quota_used", Type: exporters.Gauge, Labels: []string{"project_id", "resource"}, Set: exporters.SetBase, Call: "GET /zones",
		Help: "What the project has of the resource (zones), counted in the list of all projects' zones; absent when it has none.",
	}
	zoneFamilies = []*exporters.Family{zones, zoneInfo, zoneSerial, quotaUsed}
)

type zone struct {
	ID      string         `json:"id"`
	Name    string         `json:"name"`
	Project string         `json:"project_id"`
	Pool    string         `json:"pool_id"`
	Status  string         `json:"status"`
	Action  string         `json:"action"`
	Type    string         `json:"type"`
	TTL     openstack.Int  `json:"ttl"`
	Serial  openstack.Int  `json:"serial"`
	Created openstack.Time `json:"created_at"`
}

type zonesCollector struct {
	cloud  *openstack.Cloud
	states exporters.Transitions
}

func (c *zonesCollector) collect(ctx context.Context) (*exporters.Snapshot, error) {
	start := time.Now().UTC()
	all, err := openstack.List[zone](ctx, c.cloud, api, "/zones", "zones", pages())
	if err != nil && len(all.Objects) == 0 {
		return nil, refused(c.cloud, err)
	}
	s := &exporters.Snapshot{}
	all.NoteIn(s)
	whole := err == nil && len(all.Failed) == 0
	var count, used exporters.Tally
	perObject := exporters.Wants(ctx, exporters.SetObjects)
	inventory := mcloud.Inventory{Cloud: c.cloud.Name(), Scope: "designate", Kind: mcloud.KindZone, Time: start, Complete: whole}
	states, known := map[string]string{}, map[string]zone{}
	for _, z := range all.Objects {
		count.Add(1, z.Status, z.Type, z.Action)
		used.Add(1, z.Project, "zones")
		if perObject {
			s.Add(zoneInfo, 1, z.ID, z.Name, z.Project, z.Status, z.Type, z.Pool)
			s.Add(zoneSerial, float64(z.Serial), z.ID)
		}
		inventory.Objects = append(inventory.Objects, mcloud.NewObject(mcloud.KindZone, z.ID, z.Name, "", z.Project, mcloud.Zone{
			Status: z.Status, Type: z.Type, Pool: z.Pool, TTL: int64(z.TTL), Created: z.Created.Time,
		}))
		if states[z.ID], known[z.ID] = "well", z; z.Status == "ERROR" {
			states[z.ID] = "ERROR" // PENDING is what each change is for a moment
		}
	}
	s.Inventories = []mcloud.Inventory{inventory}
	if whole {
		count.AddTo(s, zones)
		used.AddTo(s, quotaUsed)
	}
	for _, t := range c.states.Observe(states, whole) {
		if t.To != "ERROR" && t.From != "ERROR" || t.To == "" {
			continue // made, or deleted: Designate itself tells of that
		}
		severity := mcloud.SeverityInfo
		if t.To == "ERROR" {
			severity = mcloud.SeverityWarning
		}
		e := t.Event(c.cloud.Name(), "designate", "zone.state", t.Name, severity, start, map[string]any{"zone": known[t.Name].Name})
		e.Project = known[t.Name].Project
		s.Events = append(s.Events, e)
	}
	return s, refused(c.cloud, err)
}

var (
	recordsets = &exporters.Family{
		Name: "openstack_designate_recordsets", Type: exporters.Gauge, Labels: []string{"status", "type"}, Set: exporters.SetBase, Call: "GET /recordsets",
		Help: "Recordsets of all zones by status (ACTIVE, PENDING, ERROR) and type (A, AAAA, CNAME, …).",
	}
	zoneRecordsets = &exporters.Family{
		Name: "openstack_designate_zone_recordsets", Type: exporters.Gauge, Labels: []string{"zone_id", "status"}, Set: exporters.SetObjects, Call: "GET /recordsets",
		Help: "The zone's recordsets by status, its own SOA and NS among them.",
	}
	largestZone = &exporters.Family{
		Name: "openstack_designate_zone_recordsets_largest", Type: exporters.Gauge, Set: exporters.SetBase, Call: "GET /recordsets",
		Help: "Recordsets of the zone that has the most of them, to be held against the quota zone_recordsets.",
	}
	recordsetFamilies = []*exporters.Family{recordsets, zoneRecordsets, largestZone}
)

type recordsetsCollector struct{ cloud *openstack.Cloud }

func (c *recordsetsCollector) collect(ctx context.Context) (*exporters.Snapshot, error) {
	type recordset struct {
		Zone   string `json:"zone_id"`
		Status string `json:"status"`
		Type   string `json:"type"`
	}
	var count, byZone exporters.Tally
	inZone := map[string]float64{}
	all, err := openstack.Each(ctx, c.cloud, api, "/recordsets", "recordsets", pages(), func(r recordset) {
		count.Add(1, r.Status, r.Type)
		byZone.Add(1, r.Zone, r.Status)
		inZone[r.Zone]++
	})
	s := &exporters.Snapshot{}
	all.NoteIn(s)
	if err != nil {
		return nil, refused(c.cloud, err) // a part that looks like the whole is not counted
	}
	if len(all.Failed) > 0 {
		return s, nil
	}
	count.AddTo(s, recordsets)
	if exporters.Wants(ctx, exporters.SetObjects) {
		byZone.AddTo(s, zoneRecordsets)
	}
	largest := 0.0
	for _, n := range inZone {
		largest = max(largest, n)
	}
	s.Add(largestZone, largest)
	return s, nil
}

var (
	poolInfo = &exporters.Family{
		Name: "openstack_designate_pool_info", Type: exporters.Gauge, Labels: []string{"id", "name", "name_servers"}, Set: exporters.SetBase, Call: "GET /pools",
		Help: "Always 1; a pool of name servers, with the names that its zones' NS records have, with commas.",
	}
	quotaDefault = &exporters.Family{
		Name: "openstack_designate_quota_limit", Type: exporters.Gauge, Labels: []string{"resource"}, Set: exporters.SetBase, Call: "GET /quotas",
		Help: "What the exporter's own project may have of the resource (zones, zone_recordsets, zone_records, recordset_records, api_export_size), which is the default unless somebody changed it; +Inf without a limit.",
	}
	quotaFamilies = []*exporters.Family{poolInfo, quotaDefault}
)

type quotasCollector struct{ cloud *openstack.Cloud }

func (c *quotasCollector) collect(ctx context.Context) (*exporters.Snapshot, error) {
	s := &exporters.Snapshot{}
	errPools := c.pools(ctx, s)
	err := errors.Join(errPools, c.quotas(ctx, s))
	if err != nil && s.Seen == 0 && len(s.Samples) == 0 {
		return nil, err
	}
	return s, err
}

func (c *quotasCollector) pools(ctx context.Context, s *exporters.Snapshot) error {
	type pool struct {
		ID      string `json:"id"`
		Name    string `json:"name"`
		Servers []struct {
			Host string `json:"hostname"`
		} `json:"ns_records"`
	}
	all, err := openstack.List[pool](ctx, c.cloud, api, "/pools", "pools", pages())
	all.NoteIn(s)
	for _, p := range all.Objects {
		var names []string
		for _, v := range p.Servers {
			names = append(names, v.Host)
		}
		s.Add(poolInfo, 1, p.ID, p.Name, strings.Join(names, ","))
	}
	return refused(c.cloud, err)
}
