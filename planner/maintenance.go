package planner

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcloud"
	"mcloud/planner/alertmanager"
	"mcloud/planner/capacity"
	"mcloud/planner/rebalance"
)

// What a maintenance is of. A datacentre is one of a Ceph cluster: "geo/dc1".
const (
	OfHost       = "host"
	OfZone       = "zone"
	OfCluster    = "cluster"
	OfDatacenter = "datacenter"
)

// Maintenance is a window in which somebody works on a part of the cloud: nobody is
// paged for it, and nothing is planned onto it. The interval is [From, Until).
type Maintenance struct {
	ID     string    `json:"id"`
	Cloud  string    `json:"cloud"`
	Of     string    `json:"of"` // host, zone, cluster, datacenter
	Name   string    `json:"name"`
	Hosts  []string  `json:"hosts,omitempty"` // compute hosts in it, by their service's name
	From   time.Time `json:"from"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason"`
	By     string    `json:"by"`
	// Silences are Alertmanager's ids; none where no Alertmanager is named.
	Silences []string `json:"silences"`
	// Ended is when somebody ended it before its time.
	Ended time.Time `json:"ended,omitzero"`
}

// At says whether t is in the window.
func (m Maintenance) At(t time.Time) bool {
	return !t.Before(m.From) && t.Before(m.Until) && (m.Ended.IsZero() || t.Before(m.Ended))
}

// longest is how long a window may be: one that is forgotten must not hide a host for ever.
const longest = 30 * 24 * time.Hour

// ErrSilencer is wrapped when Alertmanager did not do what was asked of it.
var ErrSilencer = errors.New("no Alertmanager was told")

// Silencer holds pages back; nil where no Alertmanager is named.
type Silencer interface {
	Silence(ctx context.Context, s alertmanager.Silence) (id string, err error)
	Expire(ctx context.Context, id string) error
}

// Caretaker opens and ends maintenance windows, and keeps them as Events of source "mcloud".
type Caretaker struct {
	Cloud    string
	Ledger   Ledger
	Recorder Recorder
	Silencer Silencer
	Now      func() time.Time
}

const (
	maintenanceStarted = "maintenance.started"
	maintenanceEnded   = "maintenance.ended"
)

// Start silences what m is of and records it. Of m, Of, Name, Reason and By are wanted,
// Until, and From unless it is now. When a silence cannot be made, none is left and
// nothing is recorded.
func (c Caretaker) Start(ctx context.Context, m Maintenance) (Maintenance, error) {
	now := c.Now().UTC().Truncate(time.Millisecond)
	m.Cloud, m.Ended, m.Silences = c.Cloud, time.Time{}, []string{}
	if m.From.IsZero() || m.From.Before(now) {
		m.From = now
	}
	m.From, m.Until, m.Reason = m.From.UTC(), m.Until.UTC(), strings.TrimSpace(m.Reason)
	if err := m.validate(now); err != nil {
		return m, err
	}
	var err error
	if m.Hosts, err = c.hosts(ctx, m); err != nil {
		return m, err
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{m.Of, m.Name, m.From.String(), m.Until.String()}, "\n")))
	m.ID = hex.EncodeToString(sum[:4])
	if c.Silencer != nil {
		for _, matchers := range m.matchers() {
			id, err := c.Silencer.Silence(ctx, alertmanager.Silence{Matchers: matchers, StartsAt: m.From, EndsAt: m.Until, CreatedBy: m.By,
				Comment: fmt.Sprintf("maintenance %s of %s %s: %s", m.ID, m.Of, m.Name, m.Reason)})
			if err != nil {
				return m, errors.Join(fmt.Errorf("%w: %w", ErrSilencer, err), c.expire(ctx, m.Silences))
			}
			m.Silences = append(m.Silences, id)
		}
	}
	if err := c.record(ctx, maintenanceStarted, m, now); err != nil {
		return m, errors.Join(err, c.expire(ctx, m.Silences))
	}
	return m, nil
}

func (m Maintenance) validate(now time.Time) error {
	problem := ""
	switch {
	case !slices.Contains([]string{OfHost, OfZone, OfCluster, OfDatacenter}, m.Of) || m.Name == "":
		problem = "name one host, zone, cluster or datacenter"
	case m.Of == OfDatacenter && strings.Count(m.Name, "/") != 1:
		problem = "a datacentre is named with its Ceph cluster, like geo/dc1"
	case !m.Until.After(m.From) || !m.Until.After(now):
		problem = "it ends before it begins"
	case m.Until.Sub(m.From) > longest:
		problem = fmt.Sprintf("it may last %d days at most, so that none is forgotten", int(longest.Hours()/24))
	case m.Reason == "":
		problem = "say why, for who wonders at night"
	case m.By == "":
		problem = "say who it is by"
	}
	if problem != "" {
		return fmt.Errorf("maintenance: %s: %w", problem, ErrBadRequest)
	}
	return nil
}

// hosts are the compute hosts in m, by the newest look. A host that is in no look is an
// error: its name would be a mistake that silences nothing.
func (c Caretaker) hosts(ctx context.Context, m Maintenance) ([]string, error) {
	if m.Of != OfHost && m.Of != OfZone {
		return nil, nil
	}
	found, err := c.Ledger.Objects(ctx, c.Cloud, mcloud.KindHost, time.Time{})
	if err != nil {
		return nil, fmt.Errorf("read hosts: %w", err)
	}
	var names []string
	for _, v := range found {
		var h mcloud.Host
		if err := json.Unmarshal(v.Attributes, &h); err != nil {
			return nil, fmt.Errorf("stored host %s: %w", v.ID, err)
		}
		if m.Of == OfZone && h.Zone == m.Name || m.Of == OfHost && (h.ServiceHost == m.Name || h.Name == m.Name) {
			names = append(names, h.ServiceHost)
		}
	}
	slices.Sort(names)
	if len(names) == 0 && m.Of == OfZone {
		return nil, fmt.Errorf("no compute host of cloud %s is in zone %q: %w", c.Cloud, m.Name, ErrUnknown)
	}
	return names, nil // a storage host is no compute host
}

// matchers are those of the silences: alerts name a host in one of several labels, and a
// silence wants all of its matchers.
func (m Maintenance) matchers() [][]alertmanager.Matcher {
	is := func(name, value string) alertmanager.Matcher {
		return alertmanager.Matcher{Name: name, Value: value, IsEqual: true}
	}
	like := func(name, pattern string) alertmanager.Matcher {
		return alertmanager.Matcher{Name: name, Value: pattern, IsRegex: true, IsEqual: true}
	}
	switch m.Of {
	case OfCluster:
		return [][]alertmanager.Matcher{{is("cluster", m.Name)}}
	case OfDatacenter:
		cluster, datacenter, _ := strings.Cut(m.Name, "/")
		return [][]alertmanager.Matcher{{is("cluster", cluster), is("datacenter", datacenter)}}
	}
	names := m.Hosts
	if m.Of == OfHost && !slices.Contains(names, m.Name) {
		names = append(slices.Clone(names), m.Name)
	}
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = regexp.QuoteMeta(n)
	}
	// With a domain and a port where the label has them.
	any := "(" + strings.Join(quoted, "|") + `)(\..*)?`
	all := [][]alertmanager.Matcher{{like("host", any)}, {like("hostname", any)}, {like("instance", any+`(:\d+)?`)}}
	if m.Of == OfZone {
		all = append(all, []alertmanager.Matcher{is("zone", m.Name), is("cloud", m.Cloud)})
	}
	return all
}

func (c Caretaker) expire(ctx context.Context, ids []string) error {
	if c.Silencer == nil {
		return nil
	}
	var all error
	for _, id := range ids {
		// Also when the one who asked has gone meanwhile.
		if err := c.Silencer.Expire(context.WithoutCancel(ctx), id); err != nil {
			all = errors.Join(all, fmt.Errorf("%w: silence %s goes on: %w", ErrSilencer, id, err))
		}
	}
	return all
}

func (c Caretaker) record(ctx context.Context, kind string, m Maintenance, at time.Time) error {
	e, err := event(c.Cloud, kind, m.ID, strconv.FormatInt(at.UnixMilli(), 10), at, mcloud.SeverityInfo, m)
	if err != nil {
		return err
	}
	if err := c.Recorder.Post(ctx, mcloud.Batch{Events: []mcloud.Event{e}}); err != nil {
		return fmt.Errorf("record maintenance %s: %w", m.ID, err)
	}
	return nil
}

// End ends a window now, and its silences.
func (c Caretaker) End(ctx context.Context, id string) (Maintenance, error) {
	all, err := c.All(ctx)
	if err != nil {
		return Maintenance{}, err
	}
	i := slices.IndexFunc(all, func(m Maintenance) bool { return m.ID == id })
	if i < 0 {
		return Maintenance{}, fmt.Errorf("maintenance %q is %w; `mcloud-plan maintenance list` lists them", id, ErrUnknown)
	}
	m, now := all[i], c.Now().UTC().Truncate(time.Millisecond)
	if !m.Ended.IsZero() || !now.Before(m.Until) {
		return m, nil
	}
	if err := c.expire(ctx, m.Silences); err != nil {
		return m, err
	}
	m.Ended = now
	return m, c.record(ctx, maintenanceEnded, m, now)
}

// All are the recorded windows, those that end last first.
func (c Caretaker) All(ctx context.Context) ([]Maintenance, error) {
	events, err := c.Ledger.Events(ctx, EventFilter{Cloud: c.Cloud, Sources: []string{"mcloud"}, Kinds: []string{maintenanceStarted, maintenanceEnded}})
	if err != nil {
		return nil, fmt.Errorf("read maintenance: %w", err)
	}
	byID := map[string]Maintenance{}
	for _, e := range events { // in the order of time
		var m Maintenance
		if err := json.Unmarshal(e.Payload, &m); err != nil {
			return nil, fmt.Errorf("stored event %s: %w", e.ID, err)
		}
		byID[m.ID] = m
	}
	all := make([]Maintenance, 0, len(byID))
	for _, m := range byID {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b Maintenance) int {
		return cmp.Or(b.Until.Compare(a.Until), strings.Compare(a.ID, b.ID))
	})
	return all, nil
}

// has says whether a host, by its service's name, is in the window. One that came into the
// zone after the window began is in it, too.
func (m Maintenance) has(serviceHost, zone string) bool {
	return slices.Contains(m.Hosts, serviceHost) || m.Of == OfZone && zone == m.Name
}

// String says which window it is, until when and why.
func (m Maintenance) String() string {
	return fmt.Sprintf("%s until %s: %s", m.ID, m.Until.Format(time.RFC3339), m.Reason)
}

// markMaintenance notes in the rows of hosts the windows that are open at the report's time.
func (p *Planner) markMaintenance(ctx context.Context, seen *observation, rows []capacity.HostRow) {
	if p.o.Ledger == nil {
		return
	}
	all, err := Caretaker{Cloud: p.o.Cloud, Ledger: p.o.Ledger}.All(ctx)
	if err != nil {
		seen.miss("which hosts are in maintenance", "%v", err)
		return
	}
	for i := range rows {
		h := slices.IndexFunc(seen.cloud.Hosts, func(h capacity.Host) bool { return h.ID == rows[i].ID })
		for _, m := range all {
			if h >= 0 && m.At(seen.at) && m.has(seen.cloud.Hosts[h].ServiceHost, rows[i].Zone) {
				rows[i].Maintenance = m.String()
			}
		}
	}
}

// mark notes on each host the window that it is in at t, so that nothing is planned onto
// it.
func (c Caretaker) mark(ctx context.Context, hosts []rebalance.Host, t time.Time) error {
	all, err := c.All(ctx)
	if err != nil {
		return err
	}
	for _, m := range all {
		if !m.At(t) {
			continue
		}
		for i := range hosts {
			if m.has(hosts[i].Nova.ServiceHost, hosts[i].Nova.Zone) {
				hosts[i].Maintenance = m.String()
			}
		}
	}
	return nil
}
