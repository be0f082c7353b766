// Package octavia looks at a cloud's load balancers, listeners, pools, members,
// health monitors and amphorae, their certificates, traffic and quotas.
//
// Calls per round of 2 minutes, for B load balancers, L listeners, O pools, H
// health monitors and A amphorae; a list costs 1 call for each thousand objects
// begun:
//
//	octavia_loadbalancers  B/1000 + L/1000 + O/1000 + H/1000
//	octavia_amphorae       A/1000
//	octavia_members        O/1000 + O/15; at the first look O
//	octavia_stats          B/1000 + B/15; at the first look B
//	octavia_quotas         5 each 10 minutes
//
// There is no list of all members: a pool's are read in turn, each pool's once
// in 30 minutes, and at the next look when the pool's state or its members
// changed. Traffic counters are read in turn likewise, so that one is up to 30
// minutes old: its rate is right over hours and not over minutes.
//
// Octavia shows an account that may not see all projects its own project's
// objects only, instead of refusing. Such an account is found out, and what it
// sees is not taken for the whole.
package octavia

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var api = openstack.API{Name: "octavia", Types: []string{"load-balancer"}, Version: "v2.0"}

// Config configures Sources.
type Config struct {
	Period      time.Duration // 2 minutes if zero
	QuotaPeriod time.Duration // of quotas, flavors, availability zones and providers; 5 Periods if zero
	// Life is how long a load balancer's members and counters are believed; 15
	// Periods if zero.
	Life time.Duration
}

// Sources returns what looks at Octavia: octavia_loadbalancers,
// octavia_amphorae, octavia_members, octavia_stats, octavia_quotas.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source {
	cfg.Period = cmp.Or(cfg.Period, 2*time.Minute)
	cfg.QuotaPeriod = cmp.Or(cfg.QuotaPeriod, 5*cfg.Period)
	cfg.Life = cmp.Or(cfg.Life, 15*cfg.Period)

	may := &sight{cloud: cloud}
	balancers := &balancersCollector{cloud: cloud, may: may}
	amphorae := &amphoraeCollector{cloud: cloud}
	members := &membersCollector{cloud: cloud, may: may, of: openstack.Rotation[[]member]{
		Kind: "members of pool", Period: cfg.Period, Life: cfg.Life, Parallel: 2,
	}}
	stats := &statsCollector{cloud: cloud, may: may, of: openstack.Rotation[counters]{
		Kind: "stats of load balancer", Period: cfg.Period, Life: cfg.Life, Parallel: 2,
	}}
	quotas := &quotasCollector{cloud: cloud, may: may}
	return []exporters.Source{
		cloud.Source("octavia_loadbalancers", "octavia", cfg.Period, time.Minute, balancers.collect, balancerFamilies...),
		cloud.Source("octavia_amphorae", "octavia", cfg.Period, time.Minute, amphorae.collect, amphoraFamilies...),
		cloud.Source("octavia_members", "octavia", cfg.Period, 3*time.Minute, members.collect, memberFamilies...),
		cloud.Source("octavia_stats", "octavia", cfg.Period, 3*time.Minute, stats.collect, statFamilies...),
		cloud.Source("octavia_quotas", "octavia", cfg.QuotaPeriod, time.Minute, quotas.collect, quotaFamilies...),
	}
}

// page is the query of a list in pages of a thousand with these fields only.
func page(fields ...string) url.Values {
	return url.Values{"fields": fields, "limit": {"1000"}}
}

// missing says that Octavia answers but does not have this: an older version.
func missing(err error) bool {
	return exporters.KindOf(err) == exporters.KindNotFound && !errors.Is(err, exporters.ErrAbsent)
}

// sight says whether the account sees all projects' objects. Octavia answers one
// that does not with its own project's, and only refuses when it asks for those
// of another one: so one is asked for that nobody has.
type sight struct {
	cloud *openstack.Cloud
	mu    sync.Mutex // guards until
	until time.Time
}

// sightLife is how long a right is believed to last.
const sightLife = time.Hour

func (v *sight) all(ctx context.Context) error {
	if admin, err := v.cloud.Admin(ctx); admin || err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if time.Now().Before(v.until) {
		return nil
	}
	_, err := v.cloud.Get(ctx, api, "/lbaas/loadbalancers", url.Values{"project_id": {"mcloud-of-nobody"}, "fields": {"id"}, "limit": {"1"}})
	if exporters.KindOf(err) == exporters.KindForbidden {
		return exporters.WithKind(fmt.Errorf("the account of cloud %q sees only its own project's load balancers: it needs the role load-balancer_global_observer or admin, "+
			"or the policy load-balancer:global_observer: %w", v.cloud.Name(), err), exporters.KindForbidden)
	}
	if err == nil {
		v.until = time.Now().Add(sightLife)
	}
	return err
}
