package backend

import (
	"context"
	"net/url"
	"slices"

	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// headroom answers how many more servers of each flavor fit into each zone.
func (d *Datasource) headroom(ctx context.Context, r *round, q query) (data.Frames, error) {
	type fit struct {
		flavor, zone            string
		servers, hosts, largest int64
	}
	wanted := names(q.Flavor)
	if len(wanted) == 0 {
		wanted = []string{""}
	}
	zones := names(q.Zone)
	rows := []fit{}
	for _, flavor := range wanted {
		parameters := url.Values{}
		if flavor != "" {
			parameters.Set("flavor", flavor)
		}
		// The planner knows a zone that does not exist; several are chosen of the answer.
		if len(zones) == 1 {
			parameters.Set("zone", zones[0])
		}
		found, err := fetch[[]wireHeadroom](ctx, r, "/api/v1/headroom", parameters)
		if err != nil {
			return nil, err
		}
		for _, h := range found {
			for _, z := range h.Zones {
				if len(zones) == 0 || slices.Contains(zones, z.Zone) {
					rows = append(rows, fit{h.Flavor, z.Zone, z.Servers, z.Hosts, z.Largest})
				}
			}
		}
	}
	fields := []*data.Field{
		column("flavor", "Flavor", "", of(rows, func(f fit) string { return f.flavor })),
		column("zone", "Zone", "", of(rows, func(f fit) string { return f.zone })),
		column("servers", "More servers", unitCount, of(rows, func(f fit) int64 { return f.servers })),
		column("hosts", "Hosts that take one", unitCount, of(rows, func(f fit) int64 { return f.hosts })),
		column("largest", "Most on one host", unitCount, of(rows, func(f fit) int64 { return f.largest })),
	}
	if q.Format == formatNumber {
		return data.Frames{numbers("headroom", q.Value, fields...)}, nil
	}
	return data.Frames{table("headroom", fields...)}, nil
}
