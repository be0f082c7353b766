package ceph

import (
	"fmt"
	"strings"

	"mcloud"
)

// crushNode is one node of "osd tree" or "osd df tree": a bucket or an OSD.
type crushNode struct {
	ID          int     `json:"id"` // OSDs from 0 up, buckets below
	Name        string  `json:"name"`
	Type        string  `json:"type"` // "root", "datacenter", "rack", "host", "osd", …
	Children    []int   `json:"children"`
	DeviceClass string  `json:"device_class"`
	CrushWeight float64 `json:"crush_weight"` // TiB by convention
	// KB, KBUsed and KBAvail are KiB, in "osd df" only; PGs likewise.
	KB      float64 `json:"kb"`
	KBUsed  float64 `json:"kb_used"`
	KBAvail float64 `json:"kb_avail"`
	PGs     float64 `json:"pgs"`
	// These three make up KBUsed.
	KBData   float64 `json:"kb_used_data"`
	KBOmap   float64 `json:"kb_used_omap"`
	KBMeta   float64 `json:"kb_used_meta"`
	Variance float64 `json:"var"` // utilisation over the cluster's average
}

type crushTree struct {
	Nodes []crushNode `json:"nodes"`
	Stray []crushNode `json:"stray"` // OSDs outside of the hierarchy
}

// place is where the hierarchy has an OSD: bucket names by type.
type place struct {
	root    string
	buckets map[string]string // "host": "stor1", "rack": "r2"
	node    crushNode
}

// places finds every OSD below the roots. An OSD below several roots belongs to
// the first. Depth is bounded, for an answer that bites its own tail.
func (t crushTree) places() map[int]place {
	byID := make(map[int]crushNode, len(t.Nodes))
	child := map[int]bool{}
	for _, n := range t.Nodes {
		byID[n.ID] = n
		for _, id := range n.Children {
			child[id] = true
		}
	}
	found := map[int]place{}
	var walk func(n crushNode, root string, above map[string]string, depth int)
	walk = func(n crushNode, root string, above map[string]string, depth int) {
		if n.Type == "osd" {
			if _, twice := found[n.ID]; !twice {
				found[n.ID] = place{root: root, buckets: above, node: n}
			}
			return
		}
		if depth == 0 {
			return
		}
		here := make(map[string]string, len(above)+1)
		for k, v := range above {
			here[k] = v
		}
		here[n.Type] = n.Name
		for _, id := range n.Children {
			if c, ok := byID[id]; ok {
				walk(c, root, here, depth-1)
			}
		}
	}
	const maxDepth = 16 // Ceph's own hierarchy has 12 types
	for _, n := range t.Nodes {
		if n.Type != "osd" && !child[n.ID] {
			walk(n, n.Name, nil, maxDepth)
		}
	}
	for _, n := range t.Stray {
		if _, known := found[n.ID]; !known && n.Type == "osd" {
			found[n.ID] = place{node: n}
		}
	}
	return found
}

// crushRule is one rule of "osd crush rule dump".
type crushRule struct {
	ID    int    `json:"rule_id"`
	Name  string `json:"rule_name"`
	Steps []struct {
		Op       string `json:"op"` // "take", "choose_firstn", "chooseleaf_indep", "emit", "set_…"
		ItemName string `json:"item_name"`
		Num      int    `json:"num"` // 0: as many as the pool's size
		Type     string `json:"type"`
	} `json:"steps"`
}

// takes are the take steps of a rule that has several, with how many of an object's
// size copies are chosen from each; nil for a rule with one.
//
// A number of 0 stands for as many as are still wanted, one below 0 for that many less
// than size; choose steps in a row multiply.
// Source: doc/rados/operations/crush-map-edits.rst; crush/mapper.c, crush_do_rule.
func (r crushRule) takes(size int64) []mcloud.CrushTake {
	var all []mcloud.CrushTake
	var now *mcloud.CrushTake
	left := size
	for _, s := range r.Steps {
		switch {
		case s.Op == "take":
			bucket, class, _ := strings.Cut(s.ItemName, "~")
			now = &mcloud.CrushTake{Bucket: bucket, DeviceClass: class}
		case now != nil && strings.HasPrefix(s.Op, "choose"):
			n := int64(s.Num)
			if n <= 0 {
				n = max(0, size+n)
			}
			now.Copies = max(1, now.Copies) * n
			if s.Num != 1 || now.FailureDomain == "" {
				now.FailureDomain = s.Type
			}
		case now != nil && s.Op == "emit":
			now.Copies = min(now.Copies, left)
			if left -= now.Copies; now.Copies > 0 {
				all = append(all, *now)
			}
			now = nil
		}
	}
	if len(all) < 2 {
		return nil
	}
	return all
}

// target says where the rule puts copies. A rule with several take steps
// (first copy on one class, the rest on another) is described by its first.
//
// root and class are of the take step, whose item is "default" or
// "default~nvme". domain is the type of bucket that holds at most one copy: of
// the last choose step that chooses more than one, so that "choose 2
// datacenters, then chooseleaf 2 hosts" gives host, and "choose hosts, then 1
// OSD in each" gives host too.
func (r crushRule) target() (root, class, domain string, err error) {
	taken := false
	for _, s := range r.Steps {
		switch {
		case s.Op == "take" && taken, s.Op == "emit" && taken:
			return root, class, domain, nil
		case s.Op == "take":
			root, class, _ = strings.Cut(s.ItemName, "~")
			taken = true
		case strings.HasPrefix(s.Op, "choose") && (s.Num != 1 || domain == ""):
			domain = s.Type
		}
	}
	if !taken {
		return "", "", "", fmt.Errorf("crush rule %q has no take step", r.Name)
	}
	return root, class, domain, nil
}
