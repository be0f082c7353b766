package octavia

import (
	"context"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

const statsCall = "GET /lbaas/loadbalancers/{id}/stats"

// Of each load balancer, and of all of a provider's together. The sum of counters
// that come and go is no counter, so the latter add up what the former grew by
// since the exporter's start.
var (
	activeConnections = &exporters.Family{
		Name: "openstack_loadbalancer_loadbalancer_active_connections", Type: exporters.Gauge, Labels: []string{"id", "project_id"}, Set: exporters.SetObjects, Call: statsCall,
		Help: "Connections that are open through the load balancer; read once in 30 minutes. The provider ovn counts nothing and says 0.",
	}
	bytesIn = &exporters.Family{
		Name: "openstack_loadbalancer_loadbalancer_in_bytes_total", Unit: "bytes", Type: exporters.Counter, Labels: []string{"id", "project_id"}, Set: exporters.SetObjects, Call: statsCall,
		Help: "Bytes that the load balancer received; read once in 30 minutes.",
	}
	bytesOut = &exporters.Family{
		Name: "openstack_loadbalancer_loadbalancer_out_bytes_total", Unit: "bytes", Type: exporters.Counter, Labels: []string{"id", "project_id"}, Set: exporters.SetObjects, Call: statsCall,
		Help: "Bytes that the load balancer sent; read once in 30 minutes.",
	}
	connections = &exporters.Family{
		Name: "openstack_loadbalancer_loadbalancer_connections_total", Type: exporters.Counter, Labels: []string{"id", "project_id"}, Set: exporters.SetObjects, Call: statsCall,
		Help: "Connections that the load balancer handled; read once in 30 minutes.",
	}
	requestErrors = &exporters.Family{
		Name: "openstack_loadbalancer_loadbalancer_request_errors_total", Type: exporters.Counter, Labels: []string{"id", "project_id"}, Set: exporters.SetObjects, Call: statsCall,
		Help: "Requests that the load balancer could not fulfil; read once in 30 minutes.",
	}
	allActiveConnections = &exporters.Family{
		Name: "openstack_loadbalancer_active_connections", Type: exporters.Gauge, Labels: []string{"provider"}, Set: exporters.SetBase, Call: statsCall,
		Help: "Connections that are open through all load balancers of the provider, each as it was last read, at most 30 minutes ago. The provider ovn counts nothing and says 0.",
	}
	allBytesIn = &exporters.Family{
		Name: "openstack_loadbalancer_in_bytes_total", Unit: "bytes", Type: exporters.Counter, Labels: []string{"provider"}, Set: exporters.SetBase, Call: statsCall,
		Help: "Bytes that all load balancers of the provider received since the exporter's start.",
	}
	allBytesOut = &exporters.Family{
		Name: "openstack_loadbalancer_out_bytes_total", Unit: "bytes", Type: exporters.Counter, Labels: []string{"provider"}, Set: exporters.SetBase, Call: statsCall,
		Help: "Bytes that all load balancers of the provider sent since the exporter's start.",
	}
	allConnections = &exporters.Family{
		Name: "openstack_loadbalancer_connections_total", Type: exporters.Counter, Labels: []string{"provider"}, Set: exporters.SetBase, Call: statsCall,
		Help: "Connections that all load balancers of the provider handled since the exporter's start.",
	}
	allRequestErrors = &exporters.Family{
		Name: "openstack_loadbalancer_request_errors_total", Type: exporters.Counter, Labels: []string{"provider"}, Set: exporters.SetBase, Call: statsCall,
		Help: "Requests that load balancers of the provider could not fulfil since the exporter's start.",
	}
	statFamilies = []*exporters.Family{
		activeConnections, bytesIn, bytesOut, connections, requestErrors,
		allActiveConnections, allBytesIn, allBytesOut, allConnections, allRequestErrors,
	}
)

// counters are a load balancer's since it was made.
type counters struct {
	Active   float64 `json:"active_connections"`
	In       float64 `json:"bytes_in"`
	Out      float64 `json:"bytes_out"`
	Total    float64 `json:"total_connections"`
	Failures float64 `json:"request_errors"`
}

// grown is what was counted between before and c. A counter that is lower began
// anew, with the amphora.
func (c counters) grown(before counters) counters {
	up := func(now, before float64) float64 {
		if now < before {
			return now
		}
		return now - before
	}
	return counters{In: up(c.In, before.In), Out: up(c.Out, before.Out), Total: up(c.Total, before.Total), Failures: up(c.Failures, before.Failures)}
}

func (c counters) plus(d counters) counters {
	return counters{In: c.In + d.In, Out: c.Out + d.Out, Total: c.Total + d.Total, Failures: c.Failures + d.Failures, Active: c.Active + d.Active}
}

// statsCollector reads the counters of load balancers in turn.
type statsCollector struct {
	cloud *openstack.Cloud
	may   *sight
	of    openstack.Rotation[counters]
	last  map[string]counters // what has been added to total, by load balancer
	total map[string]counters // by provider
}

func (c *statsCollector) collect(ctx context.Context) (*exporters.Snapshot, error) {
	if err := c.may.all(ctx); err != nil {
		return nil, err
	}
	type balancer struct {
		ID       string `json:"id"`
		Project  string `json:"project_id"`
		Provider string `json:"provider"`
	}
	all, err := openstack.List[balancer](ctx, c.cloud, api, "/lbaas/loadbalancers", "loadbalancers", page("id", "project_id", "provider"))
	if err != nil {
		return nil, err
	}
	s := &exporters.Snapshot{}
	all.NoteIn(s)
	ids, known := make([]string, len(all.Objects)), make(map[string]balancer, len(all.Objects))
	for i, b := range all.Objects {
		ids[i], known[b.ID] = b.ID, b
	}
	failed, err := c.of.Refresh(ctx, ids, time.Now(), func(ctx context.Context, id string) (counters, error) {
		answer, err := c.cloud.Get(ctx, api, "/lbaas/loadbalancers/"+id+"/stats", nil)
		if missing(err) {
			return counters{}, nil // it went meanwhile
		}
		if err != nil {
			return counters{}, err
		}
		var v counters
		return v, answer.Decode("stats", &v)
	})
	s.Failed = append(s.Failed, failed...)

	active := map[string]float64{}
	if c.total == nil {
		c.last, c.total = map[string]counters{}, map[string]counters{}
	}
	last := make(map[string]counters, len(ids))
	for id, v := range c.of.Values() {
		b := known[id]
		active[b.Provider] += v.Active
		grown := counters{}
		if before, ok := c.last[id]; ok {
			grown = v.grown(before)
		}
		last[id] = v
		c.total[b.Provider] = c.total[b.Provider].plus(grown)
		if exporters.Wants(ctx, exporters.SetObjects) {
			s.Add(activeConnections, v.Active, id, b.Project)
			s.Add(bytesIn, v.In, id, b.Project)
			s.Add(bytesOut, v.Out, id, b.Project)
			s.Add(connections, v.Total, id, b.Project)
			s.Add(requestErrors, v.Failures, id, b.Project)
		}
	}
	c.last = last
	for provider, v := range c.total {
		s.Add(allBytesIn, v.In, provider)
		s.Add(allBytesOut, v.Out, provider)
		s.Add(allConnections, v.Total, provider)
		s.Add(allRequestErrors, v.Failures, provider)
	}
	if len(last) == len(ids) {
		for provider, n := range active {
			s.Add(allActiveConnections, n, provider)
		}
	}
	return s, err
}
