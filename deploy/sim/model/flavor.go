package model

import "fmt"

// Flavor is a Nova flavor.
type Flavor struct {
	ID, Name   string
	VCPUs      int64
	MemoryMB   int64
	DiskGB     int64
	Private    bool
	ExtraSpecs map[string]string

	weight float64 // how often customers take it
	larger string  // what a resize leads to
}

// Needs are the resources a server of the flavor takes on its host; one that
// boots from a volume takes no disk there.
func (f *Flavor) Needs(bootFromVolume bool) Resources {
	r := Resources{VCPU: f.VCPUs, MemoryMB: f.MemoryMB, DiskGB: f.DiskGB}
	if bootFromVolume {
		r.DiskGB = 0
	}
	return r
}

// required returns the traits that the flavor's extra specs demand, and forbid.
func (f *Flavor) required() (required, forbidden []string) {
	for k, v := range f.ExtraSpecs {
		if trait, ok := cutPrefix(k, "trait:"); ok {
			switch v {
			case "required":
				required = append(required, trait)
			case "forbidden":
				forbidden = append(forbidden, trait)
			}
		}
	}
	return required, forbidden
}

func cutPrefix(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || s[:len(prefix)] != prefix {
		return s, false
	}
	return s[len(prefix):], true
}

func (w *World) buildFlavors() {
	for _, f := range []Flavor{
		{Name: "m1.small", VCPUs: 1, MemoryMB: 2048, DiskGB: 20, weight: 18, larger: "m1.medium"},
		{Name: "m1.medium", VCPUs: 2, MemoryMB: 4096, DiskGB: 40, weight: 26, larger: "m1.large"},
		{Name: "m1.large", VCPUs: 4, MemoryMB: 8192, DiskGB: 80, weight: 20, larger: "m1.xlarge"},
		{Name: "m1.xlarge", VCPUs: 8, MemoryMB: 16384, DiskGB: 160, weight: 9},
		{Name: "c1.large", VCPUs: 8, MemoryMB: 8192, DiskGB: 40, weight: 8, larger: "m1.xlarge"},
		{Name: "r1.large", VCPUs: 4, MemoryMB: 32768, DiskGB: 80, weight: 9, larger: "r1.xlarge"},
		{Name: "r1.xlarge", VCPUs: 8, MemoryMB: 65536, DiskGB: 80, weight: 3},
		{Name: "b1.medium", VCPUs: 2, MemoryMB: 8192, DiskGB: 0, weight: 9, larger: "b1.large"},
		{Name: "b1.large", VCPUs: 4, MemoryMB: 16384, DiskGB: 0, weight: 4},
		{
			Name: "db1.xlarge", VCPUs: 8, MemoryMB: 32768, DiskGB: 100, weight: 9, Private: true,
			ExtraSpecs: map[string]string{"trait:" + databaseTrait: "required"},
		},
	} {
		f.ID = w.uuid()
		if f.ExtraSpecs == nil {
			f.ExtraSpecs = map[string]string{}
		}
		w.Flavors = append(w.Flavors, &f)
	}
	for i, name := range []string{"debian-12", "debian-13", "ubuntu-24.04", "rocky-9", "windows-2025"} {
		w.Images = append(w.Images, &Image{ID: w.uuid(), Name: name, Size: int64(400+300*i) << 20, Created: w.Config.Start})
	}
}

// meanFlavor is what an average server takes of the hosts that are open to all.
func (w *World) meanFlavor() Resources {
	var sum Resources
	var weights float64
	for _, f := range w.Flavors {
		if !f.Private {
			weights += f.weight
		}
	}
	for _, f := range w.Flavors {
		if f.Private {
			continue
		}
		share := f.weight / weights * 1000
		sum = sum.plus(Resources{int64(share * float64(f.VCPUs)), int64(share * float64(f.MemoryMB)), int64(share * float64(f.DiskGB))})
	}
	return Resources{sum.VCPU/1000 + 1, sum.MemoryMB / 1000, sum.DiskGB/1000 + 1}
}

// Flavor returns the flavor whose id or name is ref, or nil.
func (w *World) Flavor(ref string) *Flavor {
	for _, f := range w.Flavors {
		if f.ID == ref || f.Name == ref {
			return f
		}
	}
	return nil
}

// FlavorAccess returns the projects that may use a private flavor.
func (w *World) FlavorAccess(f *Flavor) []*Project {
	var may []*Project
	for _, p := range w.Customers() {
		if f.Private && p.database {
			may = append(may, p)
		}
	}
	return may
}

func (w *World) mustFlavor(name string) *Flavor {
	f := w.Flavor(name)
	if f == nil {
		panic(fmt.Sprintf("model: no flavor %q", name)) // a slip in the table above
	}
	return f
}
