package cinder

import (
	"bytes"
	"context"
	"math"
	"net/url"
	"strings"
	"time"

	json "github.com/go-json-experiment/json/v1"

	"mcloud"
	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

// pool is one entry of scheduler-stats. Drivers differ in types: a ratio may be
// a string, a capacity "unknown" or "infinite". One whose stats say nothing of
// thin_provisioning_support is thick.
type pool struct {
	Name         string `json:"name"` // host@backend#pool
	Capabilities struct {
		Backend       string          `json:"volume_backend_name"`
		Vendor        string          `json:"vendor_name"`
		Protocol      protocols       `json:"storage_protocol"`
		Total         openstack.Float `json:"total_capacity_gb"`
		Free          openstack.Float `json:"free_capacity_gb"`
		Provisioned   openstack.Float `json:"provisioned_capacity_gb"`
		Allocated     openstack.Float `json:"allocated_capacity_gb"`
		Oversubscribe ratio           `json:"max_over_subscription_ratio"`
		Reserved      openstack.Float `json:"reserved_percentage"`
		Thin          openstack.Bool  `json:"thin_provisioning_support"`
		Volumes       openstack.Float `json:"total_volumes"`
		State         string          `json:"backend_state"`
		Reported      openstack.Time  `json:"timestamp"`
	} `json:"capabilities"`
}

// protocols are a string, or from 2023.1 a list of a protocol's names, of which
// the first is the usual one.
type protocols string

// UnmarshalJSON reads either form.
func (p *protocols) UnmarshalJSON(b []byte) error {
	var one openstack.ID
	if len(b) == 0 || b[0] != '[' {
		err := one.UnmarshalJSON(b)
		*p = protocols(one)
		return err
	}
	var names []string
	if err := json.Unmarshal(b, &names); err != nil {
		return err
	}
	*p = ""
	if len(names) > 0 {
		*p = protocols(names[0])
	}
	return nil
}

// ratio is a number, perhaps in a string, or "auto": then Cinder works it out
// from what is provisioned and used.
type ratio struct {
	openstack.Float
	Auto bool
}

// UnmarshalJSON reads any of the forms.
func (r *ratio) UnmarshalJSON(b []byte) error {
	*r = ratio{Auto: bytes.EqualFold(b, []byte(`"auto"`))}
	if r.Auto {
		return nil
	}
	return r.Float.UnmarshalJSON(b)
}

type poolsCollector struct {
	cloud  *openstack.Cloud
	states exporters.Transitions
}

// Collect takes one look. It is not called concurrently.
func (c *poolsCollector) Collect(ctx context.Context) (*exporters.Snapshot, error) {
	start := time.Now().UTC()
	list, err := openstack.List[pool](ctx, c.cloud, api, "/scheduler-stats/get_pools", "pools", url.Values{"detail": {"true"}})
	if err != nil && len(list.Objects) == 0 {
		return nil, err
	}
	s := &exporters.Snapshot{}
	list.NoteIn(s)
	whole := err == nil && len(list.Failed) == 0
	inventory := mcloud.Inventory{Cloud: c.cloud.Name(), Scope: "cinder", Kind: mcloud.KindVolumePool, Time: start, Complete: whole}
	states := map[string]string{}
	for _, p := range list.Objects {
		if _, twice := states[p.Name]; twice {
			continue
		}
		states[p.Name] = p.Capabilities.State
		p.addTo(s)
		inventory.Objects = append(inventory.Objects, p.object())
	}
	for _, t := range c.states.Observe(states, whole) {
		s.Events = append(s.Events, t.Event(c.cloud.Name(), "cinder", "pool.state", t.Name, severityOf(t.To == "up"), start, nil))
	}
	s.Inventories = []mcloud.Inventory{inventory}
	return s, err
}

func (p pool) addTo(s *exporters.Snapshot) {
	c, backend := p.Capabilities, p.backend()
	add := func(f *exporters.Family, v openstack.Float, scale float64) {
		if v.Known {
			s.Add(f, v.Value*scale, p.Name, backend)
		}
	}
	add(poolCapacity, c.Total, gib)
	add(poolFree, c.Free, gib)
	add(poolAllocated, c.Allocated, gib)
	add(poolProvisioned, c.Provisioned, gib)
	add(poolOversubscription, p.oversubscription(), 1)
	add(poolReserved, c.Reserved, 0.01)
	add(poolVirtualFree, p.virtualFree(), gib)
	add(poolVolumes, c.Volumes, 1)
	if c.State != "" {
		s.Add(poolUp, exporters.Bool(c.State == "up"), p.Name, backend)
	}
	if !c.Reported.IsZero() {
		s.Add(poolReported, float64(c.Reported.UnixMilli())/1000, p.Name, backend)
	}
	provisioning := "thick"
	if c.Thin {
		provisioning = "thin"
	}
	s.Add(poolInfo, 1, p.Name, backend, c.Vendor, string(c.Protocol), provisioning)
}

func (p pool) object() mcloud.Object {
	c := p.Capabilities
	return mcloud.NewObject(mcloud.KindVolumePool, p.Name, p.Name, "", "", mcloud.VolumePool{
		Backend: p.backend(), TotalGiB: c.Total.Pointer(), FreeGiB: c.Free.Pointer(),
		ProvisionedGiB: c.Provisioned.Value, AllocatedGiB: c.Allocated.Value, MaxOverSubscription: p.oversubscription().Value,
		ReservedPercent: c.Reserved.Value, Thin: bool(c.Thin), State: c.State,
	})
}

// backend is the backend's name by the driver, or else the part of the pool's
// name between @ and #.
func (p pool) backend() string {
	if p.Capabilities.Backend != "" {
		return p.Capabilities.Backend
	}
	_, rest, _ := strings.Cut(p.Name, "@")
	backend, _, _ := strings.Cut(rest, "#")
	return backend
}

// provisioned is what is promised out of the pool, in GiB: what Cinder made in it
// when the driver does not say more (cinder/scheduler/host_manager.py, PoolState).
func (p pool) provisioned() openstack.Float {
	if p.Capabilities.Provisioned.Known {
		return p.Capabilities.Provisioned
	}
	return p.Capabilities.Allocated
}

// firstAutoRatio is what "auto" means for a pool with nothing in it
// (cinder/utils.py, INITIAL_AUTO_MOSR).
const firstAutoRatio = 20

// oversubscription is the pool's ratio; "auto" is 1 + provisioned/(used + 1)
// (cinder/utils.py, calculate_max_over_subscription_ratio).
func (p pool) oversubscription() openstack.Float {
	c := p.Capabilities
	provisioned := p.provisioned()
	switch {
	case !c.Oversubscribe.Auto:
		return c.Oversubscribe.Float
	case !c.Total.Known || !c.Free.Known || !provisioned.Known:
		return openstack.Float{}
	case provisioned.Value == 0:
		return openstack.Float{Value: firstAutoRatio, Known: true}
	}
	used := c.Total.Value - c.Free.Value
	if used <= -1 {
		return openstack.Float{} // a driver that has more free than there is
	}
	return openstack.Float{Value: 1 + provisioned.Value/(used+1), Known: true}
}

// virtualFree is how much the scheduler would still place in the pool, in GiB
// (cinder/utils.py, calculate_capacity_factors, as the capacity filter uses it):
//
//	thin:  (total − ⌊total·reserved⌋) · ratio − provisioned
//	thick: the smaller of total − ⌊total·reserved⌋ − provisioned and free
//
// It is below zero when more is promised than allowed. It is not known when the
// driver calls a capacity unknown or infinite (the scheduler then lets everything
// pass that has no reserve to keep), nor for a thin pool without a ratio, where a
// setting of the scheduler decides.
func (p pool) virtualFree() openstack.Float {
	c, provisioned := p.Capabilities, p.provisioned()
	if !c.Total.Known || !c.Free.Known || !provisioned.Known {
		return openstack.Float{}
	}
	usable := c.Total.Value - math.Floor(c.Total.Value*c.Reserved.Value/100)
	if !c.Thin {
		return openstack.Float{Value: min(usable-provisioned.Value, c.Free.Value), Known: true}
	}
	most := p.oversubscription()
	if !most.Known {
		return openstack.Float{}
	}
	return openstack.Float{Value: usable*most.Value - provisioned.Value, Known: true}
}
