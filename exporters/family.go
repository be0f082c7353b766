package exporters

// Type is a Prometheus metric type.
type Type string

// The types that Sources emit.
const (
	Gauge   Type = "gauge"
	Counter Type = "counter"
)

// Set groups families by how many series they make; all but SetBase are opt-in.
type Set string

// The sets, cheapest first.
const (
	SetBase    Set = "base"    // bounded by hosts, pools, services, OSDs
	SetObjects Set = "objects" // one series or more for each server, volume, port, …
	SetPerf    Set = "perf"    // daemons' performance counters
	SetDebug   Set = "debug"
)

// Family declares one metric: name, help, unit, type and labels are data, so
// that documentation, dashboards and alerts can be checked against them.
type Family struct {
	Name string `json:"name"`           // openstack_nova_service_up
	Help string `json:"help"`           // one sentence, what the value means, with its range
	Unit string `json:"unit,omitempty"` // "bytes", "seconds", "ratio"; "" for counts and states
	Type Type   `json:"type"`
	// Labels are the names besides those of Source.Const, in the order that
	// Sample.Labels follows.
	Labels []string `json:"labels"`
	Set    Set      `json:"set"`
	// Call is where the value comes from: "GET /os-services", "osd df".
	Call string `json:"call"`
}
