// Package chargeback turns what happened to servers and volumes into billable
// intervals, to the second, and prices them with a rate card. It is pure: the
// same records give the same bill.
//
// What counts, in the order of trust:
//
//  1. Nova's action log (os-instance-actions): when a create, resize, shelve or
//     delete was accepted. Its start_time is what `openstack server event list`
//     shows, in whole seconds.
//  2. Notifications: what a request changed (the flavor after a resize), and
//     when, where no action log could be read.
//  3. Inventories: what existed between two looks. A boundary that only they
//     know is marked as estimated.
//
// A server is billed from its create action to its delete action, if it ever
// ran; a failed build costs nothing. From a resize's start the new flavor
// counts, from a revert's the old one again; a failed resize changes nothing.
// A shelved server costs nothing from the request that offloaded it until it is
// unshelved. Stopped, paused and suspended servers hold their resources and are
// billed. A volume is billed from created_at to its delete notification, by size
// and type.
//
// All intervals are half open, [From, To), in UTC.
package chargeback

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"mcloud"
)

// Meter is what a usage is measured in.
type Meter string

// The meters: one server for a time, one GiB of a volume for a time.
const (
	MeterServer Meter = "server"
	MeterVolume Meter = "volume"
)

// Usage is one stretch of a resource's life with the same price.
type Usage struct {
	Project  string `json:"project"`
	Meter    Meter  `json:"meter"`
	Resource string `json:"resource"`
	Name     string `json:"name,omitempty"`
	// SKU is the flavor's name or the volume type's.
	SKU string `json:"sku"`
	// Quantity is 1 for a server, GiB for a volume.
	Quantity int64     `json:"quantity"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	// Estimated says that a boundary is known only from looks at the inventory.
	Estimated bool `json:"estimated,omitempty"`
	// Evidence names the actions and events that set the boundaries.
	Evidence []string `json:"evidence,omitempty"`
}

// Seconds is the length of the stretch.
func (u Usage) Seconds() int64 { return int64(u.To.Sub(u.From) / time.Second) }

// Input is all that is known of a period. Records from before From are needed
// as far back as the resources that lived in it.
type Input struct {
	// From is inclusive, To exclusive; what still runs is billed up to To.
	From, To time.Time
	Servers  []mcloud.Version // KindServer
	Actions  []mcloud.Version // KindServerAction
	Volumes  []mcloud.Version // KindVolume
	Events   []mcloud.Event   // of nova and cinder
	// VolumeTypes maps ids to names, as notifications carry only ids.
	VolumeTypes map[string]string
}

// Fold returns the usages within [in.From, in.To), by project, meter, resource
// and time. What cannot be known is estimated and marked; unread names the
// stored records that cannot be read, which the usages are without.
func Fold(in Input) (usages []Usage, unread []string) {
	var unreadActions []string
	in.Servers, unread = readable(in.Servers, &mcloud.Server{})
	in.Actions, unreadActions = readable(in.Actions, &mcloud.ServerAction{})
	unread = append(unread, unreadActions...)
	volumes, unreadVolumes := readable(in.Volumes, &mcloud.Volume{})
	in.Volumes, unread = volumes, append(unread, unreadVolumes...)
	usages = clip(append(foldServers(in), foldVolumes(in)...), in.From, in.To)
	slices.SortFunc(usages, func(a, b Usage) int {
		if c := strings.Compare(a.Project, b.Project); c != 0 {
			return c
		}
		if c := strings.Compare(string(a.Meter), string(b.Meter)); c != 0 {
			return c
		}
		if c := strings.Compare(a.Resource, b.Resource); c != 0 {
			return c
		}
		return a.From.Compare(b.From)
	})
	return usages, unread
}

// readable parts the versions whose attributes are a T from the others, which
// it names with the reason.
func readable[T any](versions []mcloud.Version, into *T) (kept []mcloud.Version, unread []string) {
	for _, v := range versions {
		if err := json.Unmarshal(v.Attributes, into); err != nil {
			unread = append(unread, fmt.Sprintf("%s %s as of %s: %v", v.Kind, v.ID, v.From.UTC().Format(time.RFC3339), err))
			continue
		}
		kept = append(kept, v)
	}
	return kept, unread
}

func clip(usages []Usage, from, to time.Time) []Usage {
	kept := usages[:0]
	for _, u := range usages {
		if u.From.Before(from) {
			u.From = from
		}
		if u.To.IsZero() || u.To.After(to) {
			u.To = to
		}
		if u.To.After(u.From) {
			kept = append(kept, u)
		}
	}
	return kept
}

// second rounds down, as Nova's and Cinder's APIs do.
func second(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
