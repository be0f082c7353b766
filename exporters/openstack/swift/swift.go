// Package swift looks at a cloud's object store, Swift or a gateway that speaks
// its API: what each project's account holds.
//
// An account is read by its owner, by a reseller admin (keystoneauth's
// reseller_admin_role) and by a reader of the system (system_reader_roles); when
// the account that looks is none of the latter, its own project's is all there is
// and the rest is reported as forbidden, and tried again after an hour.
//
// Calls per round, swift_accounts: 1 for each project at the cold start, then an
// even share of them, so that each is read once an hour. With the set objects, 1
// more for each thousand containers of a project that is read.
package swift

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

var api = openstack.API{Name: "swift", Types: []string{"object-store"}, Version: "v1", Unscoped: true}

// Config configures Sources.
type Config struct {
	Period time.Duration // 5 minutes if zero
	Life   time.Duration // after which an account is read again; 1 hour if zero
}

// Sources returns what looks at Swift: swift_accounts.
func Sources(cloud *openstack.Cloud, cfg Config) []exporters.Source {
	cfg.Period = cmp.Or(cfg.Period, 5*time.Minute)
	l := &look{cloud: cloud, accounts: openstack.Rotation[account]{Kind: "account of project", Period: cfg.Period, Life: cmp.Or(cfg.Life, time.Hour)}}
	return []exporters.Source{cloud.Source("swift_accounts", "swift", cfg.Period, 3*time.Minute, l.collect,
		accountContainers, accountObjects, accountBytes, accountQuota, policyObjects, policyBytes, containerObjects, containerBytes)}
}

// Calls are the requests of this package.
func Calls() []openstack.Call {
	return []openstack.Call{{
		API: api, Path: "/AUTH_{project}", Query: map[string]string{"format": "json", "limit": "1"},
		Rule: "reseller_admin_role or system_reader_roles of proxy-server.conf", Role: "ResellerAdmin", Gives: "objects and bytes of each project", Optional: true,
	}}
}

var (
	ofAccount   = []string{"project_id"}
	ofContainer = []string{"project_id", "container", "storage_policy"}
)

const accountCall = "GET /v1/AUTH_PROJECT"

var (
	accountContainers = &exporters.Family{
		Name: "openstack_object_store_account_containers", Type: exporters.Gauge, Labels: ofAccount, Set: exporters.SetBase, Call: accountCall,
		Help: "Containers in the project's account, as of within the last hour.",
	}
	accountObjects = &exporters.Family{
		Name: "openstack_object_store_account_objects", Type: exporters.Gauge, Labels: ofAccount, Set: exporters.SetBase, Call: accountCall,
		Help: "Objects in the project's account, as of within the last hour.",
	}
	accountBytes = &exporters.Family{
		Name: "openstack_object_store_account_bytes", Unit: "bytes", Type: exporters.Gauge, Labels: ofAccount, Set: exporters.SetBase, Call: accountCall,
		Help: "Bytes in the project's account, without copies, as of within the last hour.",
	}
	accountQuota = &exporters.Family{
		Name: "openstack_object_store_account_quota_bytes", Unit: "bytes", Type: exporters.Gauge, Labels: ofAccount, Set: exporters.SetBase, Call: accountCall,
		Help: "Bytes that the project's account may hold; absent without a quota.",
	}
	policyObjects = &exporters.Family{
		Name: "openstack_object_store_policy_objects", Type: exporters.Gauge, Labels: []string{"storage_policy"}, Set: exporters.SetBase, Call: accountCall,
		Help: "Objects in the accounts of all projects, by storage policy (its name in lower case); absent unless every account could be read.",
	}
	policyBytes = &exporters.Family{
		Name: "openstack_object_store_policy_bytes", Unit: "bytes", Type: exporters.Gauge, Labels: []string{"storage_policy"}, Set: exporters.SetBase, Call: accountCall,
		Help: "Bytes in the accounts of all projects, without copies, by storage policy (its name in lower case); absent unless every account could be read.",
	}
	containerObjects = &exporters.Family{
		Name: "openstack_object_store_container_objects", Type: exporters.Gauge, Labels: ofContainer, Set: exporters.SetObjects, Call: accountCall,
		Help: "Objects in the container.",
	}
	containerBytes = &exporters.Family{
		Name: "openstack_object_store_container_bytes", Unit: "bytes", Type: exporters.Gauge, Labels: ofContainer, Set: exporters.SetObjects, Call: accountCall,
		Help: "Bytes in the container, without copies.",
	}
)

// account is what one project stores.
type account struct {
	containers, objects, bytes, quota openstack.Float
	policies                          map[string]policy // by name, in lower case
	list                              []container
}

type policy struct{ objects, bytes float64 }

type container struct {
	Name   string        `json:"name"`
	Count  openstack.Int `json:"count"`
	Bytes  openstack.Int `json:"bytes"`
	Policy string        `json:"storage_policy"`
}

type look struct {
	cloud    *openstack.Cloud
	accounts openstack.Rotation[account]
	// ownUntil is until when only the own account is asked for, after others were
	// refused.
	ownUntil time.Time
}

func (l *look) collect(ctx context.Context) (*exporters.Snapshot, error) {
	endpoint, err := l.cloud.Endpoint(ctx, api)
	if err != nil {
		return nil, err
	}
	own, err := l.cloud.ProjectID(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	ids, errProjects := l.projects(ctx, own, now)
	prefix := prefixOf(endpoint, own)
	failed, err := l.accounts.Refresh(ctx, ids, now, func(ctx context.Context, id string) (account, error) {
		return l.read(ctx, "/"+prefix+url.PathEscape(id))
	})
	s := &exporters.Snapshot{Seen: len(ids)}
	if slices.ContainsFunc(failed, func(f exporters.ObjectError) bool { return exporters.KindOf(f.Err) == exporters.KindForbidden }) {
		l.ownUntil = now.Add(l.accounts.Life)
	}
	if now.Before(l.ownUntil) {
		err = exporters.WithKind(fmt.Errorf("swift: the account of cloud %q may read its own project's account only: it needs the role that proxy-server.conf names as reseller_admin_role, or system_reader_roles and a token of the system", l.cloud.Name()), exporters.KindForbidden)
	} else {
		s.Failed = failed
	}
	l.add(s, len(ids), errProjects == nil && err == nil && len(failed) == 0)
	err = errors.Join(errProjects, err)
	if err != nil && len(s.Samples) == 0 {
		return nil, err
	}
	return s, err
}

// projects are whose accounts are to be read, the own first: it is read before
// others are refused.
func (l *look) projects(ctx context.Context, own string, now time.Time) ([]string, error) {
	var ids []string
	if own != "" {
		ids = append(ids, own)
	}
	if now.Before(l.ownUntil) {
		return ids, nil
	}
	all, err := l.cloud.Projects(ctx, 5*time.Minute)
	for _, p := range all.Objects {
		if string(p.ID) != own {
			ids = append(ids, string(p.ID))
		}
	}
	return ids, err
}

// prefixOf is what stands before the project's id in the path of an account:
// "AUTH_" by default, and "" for a gateway whose endpoint names no account at
// all and finds it by the token.
func prefixOf(endpoint, own string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "AUTH_"
	}
	if prefix, ok := strings.CutSuffix(path.Base(u.Path), own); ok && own != "" {
		return prefix
	}
	return "AUTH_"
}

// read asks for one account: totals are in the headers of the shortest list of its
// containers that there is.
func (l *look) read(ctx context.Context, at string) (account, error) {
	raw, err := l.cloud.GetRaw(ctx, api, at, url.Values{"format": {"json"}, "limit": {"1"}})
	var failure *openstack.Error
	if errors.As(err, &failure) && failure.Code == http.StatusNotFound {
		return account{}, nil // the project never stored anything
	}
	if err != nil {
		return account{}, err
	}
	a, err := parseAccount(raw.Header)
	if err != nil || a.containers.Value == 0 || !exporters.Wants(ctx, exporters.SetObjects) {
		return a, err
	}
	list, err := openstack.ListArray[container](ctx, l.cloud, api, at, "container", "name", url.Values{"format": {"json"}, "limit": {"1000"}})
	if err == nil && len(list.Failed) > 0 {
		err = list.Failed[0]
	}
	a.list = list.Objects
	return a, err
}

// parseAccount reads the headers of an account's answer: X-Account-Bytes-Used and
// the like, and X-Account-Storage-Policy-NAME-Bytes-Used for each policy.
func parseAccount(h http.Header) (account, error) {
	a := account{policies: map[string]policy{}}
	for name, into := range map[string]*openstack.Float{
		"X-Account-Container-Count": &a.containers, "X-Account-Object-Count": &a.objects, "X-Account-Bytes-Used": &a.bytes, "X-Account-Meta-Quota-Bytes": &a.quota,
	} {
		text := h.Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 63)
		if err != nil {
			return a, exporters.WithKind(errors.New("swift: "+name+" is not a count"), exporters.KindDecode)
		}
		*into = openstack.Float{Value: float64(n), Known: true}
	}
	for name := range h {
		rest, ok := strings.CutPrefix(name, "X-Account-Storage-Policy-")
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(h.Get(name), 10, 63)
		if err != nil {
			continue
		}
		if policyName, ok := strings.CutSuffix(rest, "-Object-Count"); ok {
			p := a.policies[strings.ToLower(policyName)]
			p.objects = float64(n)
			a.policies[strings.ToLower(policyName)] = p
		} else if policyName, ok := strings.CutSuffix(rest, "-Bytes-Used"); ok {
			p := a.policies[strings.ToLower(policyName)]
			p.bytes = float64(n)
			a.policies[strings.ToLower(policyName)] = p
		}
	}
	return a, nil
}

// add makes the samples of what is known; whole says that all accounts are, now.
func (l *look) add(s *exporters.Snapshot, all int, whole bool) {
	var objects, bytes exporters.Tally
	known := 0
	for id, a := range l.accounts.Values() {
		known++
		for f, v := range map[*exporters.Family]openstack.Float{
			accountContainers: a.containers, accountObjects: a.objects, accountBytes: a.bytes, accountQuota: a.quota,
		} {
			if v.Known {
				s.Add(f, v.Value, id)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(a.policies)) {
			objects.Add(a.policies[name].objects, name)
			bytes.Add(a.policies[name].bytes, name)
		}
		for _, c := range a.list {
			s.Add(containerObjects, float64(c.Count), id, c.Name, c.Policy)
			s.Add(containerBytes, float64(c.Bytes), id, c.Name, c.Policy)
		}
	}
	if whole && known == all {
		objects.AddTo(s, policyObjects)
		bytes.AddTo(s, policyBytes)
	}
}
