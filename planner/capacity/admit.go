package capacity

import (
	"slices"
	"strconv"
	"strings"
)

// Rules are the parts of Nova's scheduler that nova.conf switches on.
type Rules struct {
	// AggregateExtraSpecs: AggregateInstanceExtraSpecsFilter is enabled.
	AggregateExtraSpecs bool
	// TenantIsolation: AggregateMultiTenancyIsolation is enabled.
	TenantIsolation bool
	// IsolatedAggregates: [scheduler] enable_isolated_aggregate_filtering.
	IsolatedAggregates bool
}

// AllRules is the careful default: who writes such metadata on an aggregate
// means it, and counting too few servers is the safer error.
func AllRules() Rules {
	return Rules{AggregateExtraSpecs: true, TenantIsolation: true, IsolatedAggregates: true}
}

// refusal says why host, being in aggregates in, takes no server of flavor f
// of project, whatever room it has; "" when it may.
func (r Rules) refusal(h Host, in []Aggregate, f Flavor, req Request, project string) string {
	if out := h.OutOfService(); out != "" {
		return out
	}
	if r.IsolatedAggregates {
		if name := isolatedBy(in, req.traits()); name != "" {
			return "isolated by aggregate " + name
		}
	}
	if r.AggregateExtraSpecs {
		if key := unmetExtraSpec(in, f.ExtraSpecs); key != "" {
			return "no aggregate meets " + key
		}
	}
	if r.TenantIsolation && tenantKeptOut(in, f, project) {
		return "kept for other projects"
	}
	return ""
}

// isolatedBy names the aggregate that has `trait:X=required` for a trait the
// request does not require.
// Source: nova/scheduler/request_filter.py, isolate_aggregates.
func isolatedBy(in []Aggregate, required map[string]bool) string {
	for _, a := range in {
		for key, value := range a.Metadata {
			if trait, ok := strings.CutPrefix(key, "trait:"); ok && value == "required" && !required[trait] {
				return a.Name
			}
		}
	}
	return ""
}

// unmetExtraSpec names the first extra spec, scoped
// `aggregate_instance_extra_specs:` or unscoped, that the metadata of no
// aggregate of the host matches.
// Source: nova/scheduler/filters/aggregate_instance_extra_specs.py.
func unmetExtraSpec(in []Aggregate, specs map[string]string) string {
	keys := make([]string, 0, len(specs))
	for key := range specs {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		name := key
		if scope, rest, scoped := strings.Cut(key, ":"); scoped {
			if scope != "aggregate_instance_extra_specs" {
				continue
			}
			name = rest
		} else if key == "group_policy" {
			continue // a directive to Placement, no aggregate carries it
		}
		met := slices.ContainsFunc(in, func(a Aggregate) bool {
			for value := range strings.SplitSeq(a.Metadata[name], ",") {
				if value = strings.TrimSpace(value); value != "" && matches(value, specs[key]) {
					return true
				}
			}
			return false
		})
		if !met {
			return name + "=" + specs[key]
		}
	}
	return ""
}

// matches compares one value with an extra spec's requirement, which may start
// with an operator. Numbers that cannot be read do not match.
// Source: nova/scheduler/filters/extra_specs_ops.py.
func matches(value, requirement string) bool {
	words := strings.Fields(requirement)
	if len(words) == 0 {
		return value == requirement
	}
	op, words := words[0], words[1:]
	if op == "<or>" {
		for i := 0; i < len(words); i += 2 { // every other word is again <or>
			if words[i] == value {
				return true
			}
		}
		return false
	}
	compare, known := operators[op]
	switch {
	case !known:
		return value == requirement
	case len(words) == 0:
		return false
	case op == "<all-in>":
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(value, w) })
	}
	return compare(value, words[0])
}

var operators = map[string]func(have, want string) bool{
	"=":        numbers(func(x, y float64) bool { return x >= y }), // so it is: = means at least
	"==":       numbers(func(x, y float64) bool { return x == y }),
	"!=":       numbers(func(x, y float64) bool { return x != y }),
	">=":       numbers(func(x, y float64) bool { return x >= y }),
	"<=":       numbers(func(x, y float64) bool { return x <= y }),
	"s==":      func(x, y string) bool { return x == y },
	"s!=":      func(x, y string) bool { return x != y },
	"s<":       func(x, y string) bool { return x < y },
	"s<=":      func(x, y string) bool { return x <= y },
	"s>":       func(x, y string) bool { return x > y },
	"s>=":      func(x, y string) bool { return x >= y },
	"<in>":     func(x, y string) bool { return strings.Contains(x, y) },
	"<all-in>": strings.Contains,
}

func numbers(compare func(x, y float64) bool) func(have, want string) bool {
	return func(have, want string) bool {
		x, err1 := strconv.ParseFloat(have, 64)
		y, err2 := strconv.ParseFloat(want, 64)
		return err1 == nil && err2 == nil && compare(x, y)
	}
}

// tenantKeptOut says whether an aggregate's filter_tenant_id (one project or a
// comma-separated list, also under suffixed keys) leaves project out. With no
// project named, a private flavor stands for the projects that may use it.
// Source: nova/scheduler/filters/aggregate_multitenancy_isolation.py.
func tenantKeptOut(in []Aggregate, f Flavor, project string) bool {
	allowed := map[string]bool{}
	for _, a := range in {
		for key, list := range a.Metadata {
			if !strings.HasPrefix(key, "filter_tenant_id") {
				continue
			}
			for id := range strings.SplitSeq(list, ",") {
				allowed[strings.TrimSpace(id)] = true
			}
		}
	}
	if len(allowed) == 0 {
		return false
	}
	if project == "" && !f.Public {
		return !slices.ContainsFunc(f.Projects, func(p string) bool { return allowed[p] })
	}
	return !allowed[project]
}
