package nova

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"time"

	json "github.com/go-json-experiment/json/v1"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// projectsAge is how old the shared list of projects may be.
const projectsAge = 5 * time.Minute

// counted are the resources whose use Nova counts by project. For the others it
// says 0, whatever there is: key pairs belong to users, the rest are limits of one
// object (nova/quota.py).
var counted = []string{"cores", "instances", "ram", "server_groups"}

type quota struct {
	Limit    int64 `json:"limit"`
	InUse    int64 `json:"in_use"`
	Reserved int64 `json:"reserved"`
}

// quotaSet is a project's quotas by resource.
type quotaSet map[string]quota

// UnmarshalJSON leaves out members that are no quota, such as the project's id.
func (s *quotaSet) UnmarshalJSON(b []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		return err
	}
	*s = make(quotaSet, len(members))
	for resource, raw := range members {
		if len(raw) == 0 || raw[0] != '{' {
			continue
		}
		var q quota
		if err := json.Unmarshal(raw, &q); err != nil {
			return fmt.Errorf("quota of %s: %w", resource, err)
		}
		(*s)[resource] = q
	}
	return nil
}

// quotasPerLook is how many quotas a look reads even if Config.QuotaEvery asks for
// fewer: a small cloud's are all fresh.
const quotasPerLook = 10

type quotasCollector struct {
	cloud    *openstack.Cloud
	every    time.Duration
	rotation *openstack.Rotation[quotaSet]
}

func newQuotasCollector(cloud *openstack.Cloud, cfg Config) *quotasCollector {
	return &quotasCollector{cloud: cloud, every: cfg.QuotaEvery, rotation: &openstack.Rotation[quotaSet]{
		Kind: "quota of project", Period: cfg.Period, Life: cfg.QuotaEvery,
	}}
}

// Collect reads the quotas whose turn it is. It is not called concurrently.
func (c *quotasCollector) Collect(ctx context.Context) (*exporters.Snapshot, error) {
	list, errProjects := c.cloud.Projects(ctx, projectsAge)
	if errProjects != nil && len(list.Objects) == 0 {
		return nil, fmt.Errorf("projects: %w", errProjects)
	}
	ids := make([]string, 0, len(list.Objects))
	for _, p := range list.Objects {
		ids = append(ids, string(p.ID))
	}
	c.rotation.Life = max(c.rotation.Period, min(c.every, c.rotation.Period*time.Duration(len(ids))/quotasPerLook))
	failed, err := c.rotation.Refresh(ctx, ids, time.Now().UTC(), c.read)
	s := &exporters.Snapshot{Seen: len(ids), Failed: failed}
	for project, set := range c.rotation.Values() {
		for resource, q := range set {
			limit := float64(q.Limit)
			if q.Limit < 0 {
				limit = math.Inf(1)
			}
			s.Add(quotaLimit, limit, project, resource)
			if slices.Contains(counted, resource) {
				s.Add(quotaUsed, float64(q.InUse), project, resource)
				s.Add(quotaReserved, float64(q.Reserved), project, resource)
			}
		}
	}
	if len(s.Samples) == 0 && err != nil {
		return nil, err
	}
	return s, errors.Join(errProjects, err)
}

func (c *quotasCollector) read(ctx context.Context, project string) (quotaSet, error) {
	a, err := c.cloud.Get(ctx, api, "/os-quota-sets/"+url.PathEscape(project)+"/detail", nil)
	if err != nil {
		return nil, err
	}
	var set quotaSet
	return set, a.Decode("quota_set", &set)
}
