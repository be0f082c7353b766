package capacity

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Group is one group of an allocation-candidates request: the unnamed one may
// be spread over the providers of a tree, a suffixed one comes from a single
// provider.
type Group struct {
	Suffix    string
	Resources map[string]int64
	Required  []string // traits, sorted
	Forbidden []string
}

// Request is what Nova asks Placement for one server.
type Request struct {
	Unnamed Group
	Groups  []Group // by suffix
	Isolate bool    // group_policy=isolate: every group from another provider
	// Notes are requirements of the flavor that are not evaluated here.
	Notes []string
}

// requestKey is what nova/scheduler/utils.py, ResourceRequest.XS_KEYPAT takes.
var requestKey = regexp.MustCompile(`^(resources|trait)([a-zA-Z0-9_-]{1,64})?:(.+)$`)

// RequestFor turns a flavor into the request that Nova makes of it. The disk
// is root + ephemeral + swap in GiB, swap rounded up; a volume-backed server
// has no root disk. `resources:` extra specs replace what the flavor's fields
// say, an amount of 0 takes the class out.
// Source: nova/scheduler/utils.py, ResourceRequest.
func RequestFor(f Flavor, volumeBacked bool) Request {
	groups := map[string]*Group{}
	group := func(suffix string) *Group {
		g := groups[suffix]
		if g == nil {
			g = &Group{Suffix: suffix, Resources: map[string]int64{}}
			groups[suffix] = g
		}
		return g
	}
	unnamed := group("")
	r := Request{}
	asked := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(f.ExtraSpecs)) {
		value := f.ExtraSpecs[key]
		m := requestKey.FindStringSubmatch(key)
		switch {
		case key == "group_policy":
			r.Isolate = value == "isolate"
		case m == nil:
			if why := unevaluated(key); why != "" {
				r.Notes = append(r.Notes, why)
			}
		case m[1] == "resources":
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil || n < 0 {
				r.Notes = append(r.Notes, fmt.Sprintf("extra spec %s=%q is not an amount: Nova ignores it", key, value))
				continue
			}
			group(m[2]).Resources[m[3]] = n
			asked[m[3]] = true
		case value == "required":
			g := group(m[2])
			g.Required = append(g.Required, m[3])
		case value == "forbidden":
			g := group(m[2])
			g.Forbidden = append(g.Forbidden, m[3])
		default:
			r.Notes = append(r.Notes, fmt.Sprintf("extra spec %s=%q is neither required nor forbidden: Nova ignores it", key, value))
		}
	}
	for class, n := range flavorResources(f, volumeBacked) {
		if !asked[class] {
			unnamed.Resources[class] = n
		}
	}
	switch f.ExtraSpecs["hw:cpu_thread_policy"] {
	case "isolate":
		unnamed.Forbidden = append(unnamed.Forbidden, "HW_CPU_HYPERTHREADING")
	case "require":
		unnamed.Required = append(unnamed.Required, "HW_CPU_HYPERTHREADING")
	}
	for suffix, g := range groups {
		maps.DeleteFunc(g.Resources, func(_ string, n int64) bool { return n == 0 })
		slices.Sort(g.Required)
		slices.Sort(g.Forbidden)
		if suffix != "" && len(g.Resources) > 0 {
			r.Groups = append(r.Groups, *g)
		}
	}
	slices.SortFunc(r.Groups, func(a, b Group) int { return strings.Compare(a.Suffix, b.Suffix) })
	r.Unnamed = *unnamed
	return r
}

// flavorResources are the classes that follow from the flavor's own fields.
func flavorResources(f Flavor, volumeBacked bool) map[string]int64 {
	disk := f.EphemeralGiB + (f.SwapMiB+1023)/1024
	if !volumeBacked {
		disk += f.DiskGiB
	}
	resources := map[string]int64{"VCPU": f.VCPUs, "MEMORY_MB": f.MemoryMiB, "DISK_GB": disk}
	switch f.ExtraSpecs["hw:cpu_policy"] {
	case "dedicated":
		resources["PCPU"], resources["VCPU"] = f.VCPUs, 0
	case "mixed":
		pinned := int64(len(cpuSet(f.ExtraSpecs["hw:cpu_dedicated_mask"], f.VCPUs)))
		resources["PCPU"], resources["VCPU"] = pinned, f.VCPUs-pinned
	}
	if resources["PCPU"] > 0 && f.ExtraSpecs["hw:emulator_threads_policy"] == "isolate" {
		resources["PCPU"]++
	}
	return resources
}

// cpuSet reads a CPU list such as "0-3,^1,6" and returns the CPUs below n. A
// list that only excludes starts from all of them.
func cpuSet(spec string, n int64) map[int64]bool {
	set := map[int64]bool{}
	onlyExcludes := true
	for part := range strings.SplitSeq(spec, ",") {
		if !strings.HasPrefix(strings.TrimSpace(part), "^") {
			onlyExcludes = false
		}
	}
	for i := int64(0); onlyExcludes && i < n; i++ {
		set[i] = true
	}
	var excluded []int64
	for part := range strings.SplitSeq(spec, ",") {
		part = strings.TrimSpace(part)
		out := strings.HasPrefix(part, "^")
		from, to, isRange := strings.Cut(strings.TrimPrefix(part, "^"), "-")
		first, err1 := strconv.ParseInt(from, 10, 64)
		last, err2 := first, error(nil)
		if isRange {
			last, err2 = strconv.ParseInt(to, 10, 64)
		}
		if err1 != nil || err2 != nil {
			continue
		}
		for i := max(0, first); i <= min(last, n-1); i++ {
			if out {
				excluded = append(excluded, i)
			} else {
				set[i] = true
			}
		}
	}
	for _, i := range excluded {
		delete(set, i)
	}
	return set
}

// unevaluated names the extra specs that bind a server to something that is
// not in Placement's inventories here.
func unevaluated(key string) string {
	for prefix, why := range map[string]string{
		"hw:numa_":              "NUMA topology is not evaluated: fewer may fit",
		"hw:mem_page_size":      "huge pages are not evaluated: fewer may fit",
		"pci_passthrough:alias": "PCI devices are not evaluated: fewer may fit",
		"accel:device_profile":  "Cyborg devices are not evaluated: fewer may fit",
		"capabilities:":         "ComputeCapabilitiesFilter is not evaluated: fewer may fit",
	} {
		if strings.HasPrefix(key, prefix) {
			return key + ": " + why
		}
	}
	return ""
}

// Empty says that the request asks for nothing, which Placement refuses.
func (r Request) Empty() bool { return len(r.Unnamed.Resources) == 0 && len(r.Groups) == 0 }

// traits are all required traits of all groups, as isolated aggregates see them.
func (r Request) traits() map[string]bool {
	all := map[string]bool{}
	for _, g := range append([]Group{r.Unnamed}, r.Groups...) {
		for _, t := range g.Required {
			all[t] = true
		}
	}
	return all
}

// Total is what a server takes altogether, by resource class.
func (r Request) Total() map[string]int64 {
	total := maps.Clone(r.Unnamed.Resources)
	for _, g := range r.Groups {
		for class, n := range g.Resources {
			total[class] += n
		}
	}
	return total
}
