package cinder

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	json "github.com/go-json-experiment/json/v1"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// amount is what a project has of one resource. A limit of -1 means none.
type amount struct {
	Limit    openstack.Int `json:"limit"`
	InUse    openstack.Int `json:"in_use"`
	Reserved openstack.Int `json:"reserved"`
}

// limit is +Inf when there is none.
func (a amount) limit() float64 {
	if a.Limit < 0 {
		return math.Inf(1)
	}
	return float64(a.Limit)
}

// resource is what a quota is of: "volumes", "gigabytes", … of one volume type, or
// of all of them together when Type is "".
type resource struct{ Name, Type string }

// quota is what one answer of os-quota-sets says, by resource.
type quota map[resource]amount

// ofTypes are the resources that have a quota for each volume type: their member
// is the resource, an underscore and the type's name.
var ofTypes = []string{"volumes", "gigabytes", "snapshots"}

// whole are the resources of a project as a whole, as Cinder names them.
var whole = []string{"volumes", "gigabytes", "snapshots", "backups", "backup_gigabytes", "per_volume_gigabytes", "groups"}

// UnmarshalJSON reads {"id": …, "volumes": {"limit": …}, "volumes_nvme": {…}, …}.
// Members that are not known are left out: other releases have others.
func (q *quota) UnmarshalJSON(b []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		return err
	}
	*q = quota{}
	for name, raw := range members {
		of, ok := resourceOf(name)
		if !ok {
			continue
		}
		var a amount
		if err := json.Unmarshal(raw, &a); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		(*q)[of] = a
	}
	if len(*q) == 0 {
		return errors.New("it has no quota that is known")
	}
	return nil
}

func resourceOf(member string) (resource, bool) {
	if slices.Contains(whole, member) {
		return resource{Name: member}, true
	}
	for _, name := range ofTypes {
		if kind, ok := strings.CutPrefix(member, name+"_"); ok && kind != "" {
			return resource{name, kind}, true
		}
	}
	return resource{}, false
}

// quotasCollector reads the projects' quotas in turn. One call gives limits and
// use, of the project and of each volume type in it.
type quotasCollector struct {
	cloud    *openstack.Cloud
	rotation openstack.Rotation[quota]
}

// Collect takes one look. It is not called concurrently.
func (c *quotasCollector) Collect(ctx context.Context) (*exporters.Snapshot, error) {
	projects, errProjects := c.cloud.Projects(ctx, 5*time.Minute)
	if errProjects != nil && len(projects.Objects) == 0 {
		return nil, errProjects
	}
	var ids []string
	for _, p := range projects.Objects {
		if !p.IsDomain {
			ids = append(ids, string(p.ID))
		}
	}
	failed, err := c.rotation.Refresh(ctx, ids, time.Now(), c.read)
	s := &exporters.Snapshot{Seen: len(ids), Failed: failed}
	byType := exporters.Wants(ctx, exporters.SetObjects)
	for project, q := range c.rotation.Values() {
		q.addTo(s, project, byType)
	}
	if len(s.Samples) == 0 && err != nil {
		return nil, err
	}
	return s, errors.Join(errProjects, err)
}

func (c *quotasCollector) read(ctx context.Context, project string) (quota, error) {
	a, err := c.cloud.Get(ctx, api, "/os-quota-sets/"+url.PathEscape(project), url.Values{"usage": {"True"}})
	if err != nil {
		return nil, err
	}
	var q quota
	if err := a.Decode("quota_set", &q); err != nil {
		return nil, exporters.WithKind(fmt.Errorf("cinder: GET /os-quota-sets/%s: %w", project, err), exporters.KindDecode)
	}
	return q, nil
}

func (q quota) addTo(s *exporters.Snapshot, project string, byType bool) {
	for of, a := range q {
		scale, families, labels := 1.0, quotaOf, []string{project, of.Name}
		if strings.HasSuffix(of.Name, "gigabytes") {
			scale, families = gib, quotaBytesOf
		}
		if of.Type != "" {
			if !byType {
				continue
			}
			families, labels = typeQuotaOf, []string{project, of.Type, of.Name}
			if scale != 1 {
				families = typeQuotaBytesOf
			}
		}
		s.Add(families.limit, a.limit()*scale, labels...)
		if of.Name == "per_volume_gigabytes" {
			continue // the largest volume allowed: nothing is used of it
		}
		s.Add(families.used, float64(a.InUse)*scale, labels...)
		s.Add(families.reserved, float64(a.Reserved)*scale, labels...)
	}
}
