package barbican

import (
	"context"
	"errors"
	"math"
	"net/url"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// limits are a quota by resource: secrets, orders, containers, consumers, cas. -1
// is no limit; null is the service's default, which no call tells.
type limits map[string]*openstack.Int

// collectQuotas reads what is in force for the own project, and what is configured
// for others. How much of it is used no call tells: the families of the own
// project count it.
func collectQuotas(ctx context.Context, cloud *openstack.Cloud) (*exporters.Snapshot, error) {
	own, err := cloud.ProjectID(ctx)
	if err != nil {
		return nil, err
	}
	s := &exporters.Snapshot{}
	errOwn := addOwn(ctx, cloud, s, own)
	if errors.Is(errOwn, exporters.ErrAbsent) {
		return nil, errOwn
	}
	list, errOthers := openstack.List[struct {
		Project string `json:"project_id"`
		Quotas  limits `json:"project_quotas"`
	}](ctx, cloud, api, "/project-quotas", "project_quotas", url.Values{"limit": {"100"}})
	list.NoteIn(s)
	for _, v := range list.Objects {
		if v.Project != own || errOwn != nil {
			v.Quotas.addTo(s, v.Project)
		}
	}
	err = errors.Join(errOwn, errOthers)
	if err != nil && len(s.Samples) == 0 {
		return nil, err
	}
	return s, err
}

func addOwn(ctx context.Context, cloud *openstack.Cloud, s *exporters.Snapshot, project string) error {
	if project == "" {
		return nil
	}
	a, err := cloud.Get(ctx, api, "/quotas", nil)
	if err != nil {
		return err
	}
	var own limits
	if err := a.Decode("quotas", &own); err != nil {
		return err
	}
	s.Seen++
	own.addTo(s, project)
	return nil
}

// resources are what a quota may be of; others that an answer has are left out.
var resources = []string{"secrets", "orders", "containers", "consumers", "cas"}

func (l limits) addTo(s *exporters.Snapshot, project string) {
	for _, resource := range resources {
		switch n := l[resource]; {
		case n == nil:
		case *n < 0:
			s.Add(quotaLimit, math.Inf(1), project, resource)
		default:
			s.Add(quotaLimit, float64(*n), project, resource)
		}
	}
}
