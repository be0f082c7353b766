package keystone

import (
	"cmp"
	"context"
	"errors"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// entry is a user, group, role, region, service or endpoint: what is counted of
// it. Names, addresses and passwords' ages of users are not decoded.
type entry struct {
	ID        openstack.ID `json:"id"`
	DomainID  string       `json:"domain_id"`
	Enabled   bool         `json:"enabled"`
	Type      string       `json:"type"`
	Service   string       `json:"service_id"`
	Interface string       `json:"interface"`
	Region    string       `json:"region_id"`
	OldRegion string       `json:"region"` // before v3.2
}

// collectCatalog counts who may come and where everything is. One list's failure
// leaves the others.
func collectCatalog(ctx context.Context, cloud *openstack.Cloud) (*exporters.Snapshot, error) {
	s := &exporters.Snapshot{}
	types := map[string]string{} // of services, by id
	err := errors.Join(
		count(ctx, cloud, s, users, "users", func(e entry) []string { return []string{e.DomainID, yesNo(e.Enabled)} }),
		count(ctx, cloud, s, groups, "groups", func(e entry) []string { return []string{e.DomainID} }),
		count(ctx, cloud, s, roles, "roles", func(entry) []string { return nil }),
		count(ctx, cloud, s, regions, "regions", func(entry) []string { return nil }),
		count(ctx, cloud, s, services, "services", func(e entry) []string {
			types[string(e.ID)] = e.Type
			return []string{e.Type, yesNo(e.Enabled)}
		}),
		count(ctx, cloud, s, endpoints, "endpoints", func(e entry) []string {
			return []string{cmp.Or(types[e.Service], e.Service), e.Interface, cmp.Or(e.Region, e.OldRegion), yesNo(e.Enabled)}
		}))
	if len(s.Samples) == 0 && err != nil {
		return nil, err
	}
	return s, err
}

// count lists a collection for its length by labels; a list that is not complete
// gives no sample, because a count that is too small looks like a true one.
func count(ctx context.Context, cloud *openstack.Cloud, s *exporters.Snapshot, f *exporters.Family, member string, labels func(entry) []string) error {
	list, err := openstack.List[entry](ctx, cloud, api, "/"+member, member, nil)
	list.NoteIn(s)
	if err != nil {
		return err
	}
	var sum exporters.Tally
	for _, e := range list.Objects {
		sum.Add(1, labels(e)...)
	}
	if len(f.Labels) == 0 {
		s.Add(f, float64(len(list.Objects)+len(list.Failed)))
		return nil
	}
	sum.AddTo(s, f)
	return nil
}
