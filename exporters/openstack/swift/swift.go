// Package swift looks at a cloud's object store, Swift or a gateway that speaks
// its API: what each project's account holds.
//
// An account is read by its owner, by a reseller admin (keystoneauth's
// reseller_admin_role) and by a reader of the system (system_reader_roles); when
// the account that looks is none of the latter, its own project's is all there is
// and the rest is reported as forbidden, and one of them tried at each look.
//
// Calls per round, swift_accounts: 1 for each project at the cold start, then 1 for
// the own account and an even share of the others, so that each is read once an
// hour. With the set objects, 1 more for each thousand containers of a project
// that is read.
package swift

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
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
	l := &look{cloud: cloud}
	for _, accounts := range []*openstack.Rotation[account]{&l.own, &l.others} {
		accounts.Kind, accounts.Period, accounts.Life = "account of project", cfg.Period, cmp.Or(cfg.Life, time.Hour)
	}
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

// look remembers the accounts: the own one apart, which may be read when no other
// may.
type look struct {
	cloud       *openstack.Cloud
	own, others openstack.Rotation[account]
	// refused says that others were refused at the look before; tries counts those
	// that were tried since.
	refused bool
	tries   int
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
	mine, others, errProjects := l.projects(ctx, own)
	read := l.reader(prefixOf(endpoint, own))
	failed, errOwn := l.own.Refresh(ctx, mine, now, read)
	refusal := l.probe(ctx, others, read)
	more, err := l.others.Refresh(ctx, others, now, func(ctx context.Context, id string) (account, error) {
		if refusal != nil {
			return account{}, refusal
		}
		return read(ctx, id)
	})
	failed = append(failed, more...)
	refused := func(f exporters.ObjectError) bool { return exporters.KindOf(f.Err) == exporters.KindForbidden }
	if l.refused = slices.ContainsFunc(failed, refused); l.refused {
		failed = slices.DeleteFunc(failed, refused)
		err = exporters.WithKind(fmt.Errorf("swift: the account of cloud %q may read its own project's account only: it needs the role that proxy-server.conf names as reseller_admin_role, or system_reader_roles and a token of the system", l.cloud.Name()), exporters.KindForbidden)
	}
	s := &exporters.Snapshot{Seen: len(mine) + len(others), Failed: failed}
	// With the projects of a former look the sums are as good as then.
	l.add(s, len(mine)+len(others), (errProjects == nil || len(others) > 0) && errOwn == nil && err == nil && len(failed) == 0)
	err = errors.Join(errProjects, errOwn, err)
	if err != nil && len(s.Samples) == 0 {
		return nil, err
	}
	return s, err
}

// projects are whose accounts are to be read.
func (l *look) projects(ctx context.Context, own string) (mine, others []string, err error) {
	if own != "" {
		mine = []string{own}
	}
	all, err := l.cloud.Projects(ctx, 5*time.Minute)
	for _, p := range all.Objects {
		if string(p.ID) != own {
			others = append(others, string(p.ID))
		}
	}
	return mine, others, err
}

// probe tries one of the others when all were refused at the look before, and
// returns the refusal if it is refused still.
func (l *look) probe(ctx context.Context, others []string, read func(context.Context, string) (account, error)) error {
	if !l.refused || len(others) == 0 {
		l.tries = 0
		return nil
	}
	_, err := read(ctx, others[l.tries%len(others)])
	l.tries++
	if exporters.KindOf(err) != exporters.KindForbidden {
		return nil
	}
	return err
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

// reader returns what asks for the account of a project: totals are in the headers
// of the shortest list of its containers that there is.
func (l *look) reader(prefix string) func(context.Context, string) (account, error) {
	stored := map[string]bool{}
	for id, a := range l.all() {
		stored[id] = a.containers.Known
	}
	return func(ctx context.Context, id string) (account, error) {
		at := "/" + prefix + url.PathEscape(id)
		raw, err := l.cloud.GetRaw(ctx, api, at, url.Values{"format": {"json"}, "limit": {"1"}})
		var failure *openstack.Error
		if errors.As(err, &failure) && failure.Code == http.StatusNotFound && !stored[id] {
			return account{}, nil // the project never stored anything
		}
		if err != nil {
			return account{}, err
		}
		a, err := parseAccount(raw.Header)
		if err != nil {
			return a, err
		}
		if !a.containers.Known || !a.objects.Known || !a.bytes.Known {
			return a, exporters.WithKind(fmt.Errorf("swift: GET %s: the answer lacks the account's totals", at), exporters.KindDecode)
		}
		if a.containers.Value > 0 && exporters.Wants(ctx, exporters.SetObjects) {
			a.list, err = l.containers(ctx, at)
		}
		return a, err
	}
}

// containers lists those of an account that has some.
func (l *look) containers(ctx context.Context, at string) ([]container, error) {
	list, err := openstack.ListArray[container](ctx, l.cloud, api, at, "container", "name", url.Values{"format": {"json"}, "limit": {"1000"}})
	switch {
	case err != nil:
		return nil, err
	case len(list.Failed) > 0:
		return nil, list.Failed[0]
	case len(list.Objects) == 0:
		return nil, exporters.WithKind(fmt.Errorf("swift: GET %s: the list is empty, and its headers count containers", at), exporters.KindDecode)
	}
	return list.Objects, nil
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
		of, isObjects := strings.CutSuffix(rest, "-Object-Count")
		if !isObjects {
			if of, ok = strings.CutSuffix(rest, "-Bytes-Used"); !ok {
				continue
			}
		}
		n, err := strconv.ParseUint(h.Get(name), 10, 63)
		if err != nil {
			return a, exporters.WithKind(errors.New("swift: "+name+" is not a count"), exporters.KindDecode)
		}
		of = strings.ToLower(of)
		p := a.policies[of]
		if isObjects {
			p.objects = float64(n)
		} else {
			p.bytes = float64(n)
		}
		a.policies[of] = p
	}
	return a, nil
}

// add makes the samples of what is known; whole says that all accounts are, now.
func (l *look) add(s *exporters.Snapshot, all int, whole bool) {
	var objects, bytes exporters.Tally
	known := 0
	for id, a := range l.all() {
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

// all are the accounts that are known.
func (l *look) all() iter.Seq2[string, account] {
	return func(yield func(string, account) bool) {
		for _, accounts := range []*openstack.Rotation[account]{&l.own, &l.others} {
			for id, a := range accounts.Values() {
				if !yield(id, a) {
					return
				}
			}
		}
	}
}
