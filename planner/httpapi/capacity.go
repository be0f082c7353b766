package httpapi

import (
	"cmp"
	"context"
	"net/http"
	"strconv"

	"mcloud/planner/capacity"
	"mcloud/planner/report"
)

// Viewer shows compute from other sides than the report does.
type Viewer interface {
	Capacity(ctx context.Context, by string) ([]report.CapacityRow, error)
	Storage(ctx context.Context, tier string) ([]report.Tier, error)
	Order(ctx context.Context, flavor, zone string, group capacity.ServerGroup) (capacity.Headroom, error)
}

// CapacityRoutes serve views of compute and storage.
//
//	GET /api/v1/capacity[?by=host|aggregate|zone|cell|cloud]
//	GET /api/v1/tiers[?tier=NAME]
//	GET /api/v1/headroom/order?flavor=F[&zone=Z][&policy=P][&max_per_host=N]
func CapacityRoutes(v Viewer) []Route {
	return []Route{
		{"GET /api/v1/capacity", func(r *http.Request) (any, error) {
			rows, err := v.Capacity(r.Context(), cmp.Or(r.FormValue("by"), "zone"))
			return rows, problemOfPlan(err)
		}},
		{"GET /api/v1/tiers", func(r *http.Request) (any, error) {
			tiers, err := v.Storage(r.Context(), r.FormValue("tier"))
			return tiers, problemOfPlan(err)
		}},
		{"GET /api/v1/headroom/order", func(r *http.Request) (any, error) {
			group := capacity.ServerGroup{Policy: r.FormValue("policy")}
			if text := r.FormValue("max_per_host"); text != "" {
				n, err := strconv.ParseInt(text, 10, 64)
				if err != nil || n < 1 {
					return nil, Invalid("write a whole number above 0", "max_per_host=%q is no such number", text)
				}
				group.MaxPerHost = n
			}
			h, err := v.Order(r.Context(), r.FormValue("flavor"), r.FormValue("zone"), group)
			return h, problemOfPlan(err)
		}},
	}
}
