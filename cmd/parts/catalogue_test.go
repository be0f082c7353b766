package parts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"go.yaml.in/yaml/v3"

	"mcloud/alerts"
	"mcloud/dashboards"
	"mcloud/exporters"
	"mcloud/exporters/ceph"
	"mcloud/exporters/openstack"
	"mcloud/exporters/openstack/cinder"
	"mcloud/exporters/openstack/neutron"
	"mcloud/exporters/openstack/nova"
	"mcloud/exporters/openstack/placement"
	"mcloud/planner"
	"mcloud/planner/plannertest"
)

// set is the labels that a series may carry.
type set map[string]bool

func setOf(names ...string) set {
	s := set{}
	for _, n := range names {
		s[n] = true
	}
	return s
}

func (s set) with(others ...set) set {
	all := maps.Clone(s)
	for _, o := range others {
		maps.Copy(all, o)
	}
	return all
}

// scraped are the labels that scraping adds.
var scraped = setOf("job", "instance")

// foreign are metrics of other exporters that rules bring to our names
// (alerts/rules/use.yml), as those exporters' pages have them. The example's scrape
// configuration adds cloud and host.
func foreign() map[string]set {
	target := scraped.with(setOf("cloud", "host"))
	metrics := map[string]set{
		"node_cpu_seconds_total":                  setOf("cpu", "mode"),
		"node_memory_MemTotal_bytes":              {},
		"node_memory_MemAvailable_bytes":          {},
		"libvirt_domain_openstack_info":           setOf("domain", "instance_name", "instance_id", "flavor_name", "user_name", "user_id", "project_name", "project_id"),
		"libvirt_domain_info_meta":                setOf("domain", "uuid", "instance_name", "flavor", "user_name", "user_uuid", "project_name", "project_uuid", "root_type", "root_uuid"),
		"libvirt_domain_vcpu_delay_seconds_total": setOf("domain", "vcpu"),
		"libvirtd_domain_cpu_time":                setOf("uuid"),
		"libvirtd_domain_vcpu_time":               setOf("uuid", "vcpu"),
		"libvirtd_domain_balloon_maximum":         setOf("uuid"),
	}
	for _, m := range []string{"size_bytes", "avail_bytes"} {
		metrics["node_filesystem_"+m] = setOf("device", "fstype", "mountpoint")
	}
	for _, m := range []string{"read_bytes", "written_bytes", "io_time_seconds"} {
		metrics["node_disk_"+m+"_total"] = setOf("device")
	}
	for _, way := range []string{"receive", "transmit"} {
		for _, m := range []string{"bytes", "drop", "errs"} {
			metrics["node_network_"+way+"_"+m+"_total"] = setOf("device")
		}
		for _, m := range []string{"bytes", "drops"} {
			metrics["libvirt_domain_interface_stats_"+way+"_"+m+"_total"] = setOf("domain", "target_device")
		}
	}
	for _, m := range []string{"info_cpu_time_seconds_total", "info_virtual_cpus", "info_maximum_memory_bytes", "memory_stats_available_bytes", "memory_stats_usable_bytes", "memory_stats_rss_bytes"} {
		metrics["libvirt_domain_"+m] = setOf("domain")
	}
	for _, way := range []string{"read", "write"} {
		for _, m := range []string{"bytes", "requests"} {
			metrics["libvirt_domain_block_stats_"+way+"_"+m+"_total"] = setOf("domain", "target_device")
			metrics["libvirtd_domain_block_"+way+"_"+m] = setOf("uuid", "device", "path")
		}
	}
	for _, m := range []string{"rx_bytes", "rx_drop", "tx_bytes", "tx_drop"} {
		metrics["libvirtd_domain_net_"+m] = setOf("uuid", "interface")
	}
	for name := range metrics {
		metrics[name] = metrics[name].with(target)
	}
	return metrics
}

// known returns the labels of every metric that the product makes or scrapes, by
// name.
func known(t *testing.T) map[string]set {
	t.Helper()
	metrics := map[string]set{
		// Prometheus's own, made by scraping and by rules.
		"up": scraped,
		// An alert has the labels of its expression too; none is relied on.
		"ALERTS":           scraped.with(setOf("alertname", "alertstate", "severity", "system")),
		"ALERTS_FOR_STATE": scraped.with(setOf("alertname", "severity", "system")),
	}
	maps.Copy(metrics, foreign())
	for _, f := range Families() {
		metrics[f.Name] = setOf(f.Labels...).with(scraped)
		if strings.HasPrefix(f.Name, "mcloud_source_") {
			metrics[f.Name]["cloud"], metrics[f.Name]["cluster"] = true, true
		}
	}
	maps.Copy(metrics, ours(t))
	if len(metrics) < 150 {
		t.Fatalf("%d metrics are known", len(metrics))
	}
	return metrics
}

var descriptor = regexp.MustCompile(`^Desc\{fqName: "([^"]+)", .*constLabels: \{([^}]*)\}, variableLabels: \{([^}]*)\}\}$`)

// described reads a collector's descriptors; client_golang shows them as text only.
func described(c prometheus.Collector) map[string]set {
	ch := make(chan *prometheus.Desc)
	go func() { c.Describe(ch); close(ch) }()
	all := map[string]set{}
	for d := range ch {
		if m := descriptor.FindStringSubmatch(d.String()); m != nil {
			comma := func(r rune) bool { return r == ',' }
			all[m[1]] = setOf(strings.FieldsFunc(m[3], comma)...)
			for _, constant := range strings.FieldsFunc(m[2], comma) {
				name, _, _ := strings.Cut(constant, "=")
				all[m[1]][name] = true
			}
		}
	}
	return all
}

// check follows an expression and returns the labels that its result may have.
// Whatever names a metric or a label that is not there is an error.
func check(metrics map[string]set, e parser.Expr) (set, error) {
	switch e := e.(type) {
	case *parser.VectorSelector:
		have, ok := metrics[e.Name]
		if !ok {
			return nil, fmt.Errorf("nobody makes a metric %q", e.Name)
		}
		for _, m := range e.LabelMatchers {
			if m.Name != model.MetricNameLabel && !have[m.Name] {
				return nil, fmt.Errorf("%s has no label %q, only %s", e.Name, m.Name, have)
			}
		}
		return have, nil
	case *parser.MatrixSelector:
		return check(metrics, e.VectorSelector)
	case *parser.SubqueryExpr:
		return check(metrics, e.Expr)
	case *parser.ParenExpr:
		return check(metrics, e.Expr)
	case *parser.StepInvariantExpr:
		return check(metrics, e.Expr)
	case *parser.UnaryExpr:
		return check(metrics, e.Expr)
	case *parser.NumberLiteral, *parser.StringLiteral:
		return set{}, nil
	case *parser.AggregateExpr:
		return checkAggregate(metrics, e)
	case *parser.BinaryExpr:
		return checkBinary(metrics, e)
	case *parser.Call:
		return checkCall(metrics, e)
	}
	return nil, fmt.Errorf("%T: this test does not know it", e)
}

func (s set) String() string { return strings.Join(slices.Sorted(maps.Keys(s)), ", ") }

// need is an error when one of names is not among have.
func need(what fmt.Stringer, have set, names []string) error {
	for _, n := range names {
		if !have[n] {
			return fmt.Errorf("%s has no label %q, only %s", what, n, have)
		}
	}
	return nil
}

func checkAggregate(metrics map[string]set, e *parser.AggregateExpr) (set, error) {
	have, err := check(metrics, e.Expr)
	if err == nil {
		err = need(e.Expr, have, e.Grouping)
	}
	switch {
	case err != nil:
		return nil, err
	case e.Op == parser.TOPK || e.Op == parser.BOTTOMK:
		return have, nil
	case !e.Without:
		return setOf(e.Grouping...), nil
	}
	rest := maps.Clone(have)
	for _, n := range e.Grouping {
		delete(rest, n)
	}
	return rest, nil
}

func checkBinary(metrics map[string]set, e *parser.BinaryExpr) (set, error) {
	left, err := check(metrics, e.LHS)
	if err != nil {
		return nil, err
	}
	right, err := check(metrics, e.RHS)
	if err != nil {
		return nil, err
	}
	m := e.VectorMatching
	if m == nil { // one side is a number
		return left.with(right), nil
	}
	if m.On {
		if err := errors.Join(need(e.LHS, left, m.MatchingLabels), need(e.RHS, right, m.MatchingLabels)); err != nil {
			return nil, err
		}
	} else if e.Op != parser.LOR {
		// Without on(), what only one side has keeps the sides apart.
		ignored := setOf(m.MatchingLabels...)
		for n := range left.with(right) {
			if left[n] != right[n] && !ignored[n] && m.Card == parser.CardOneToOne {
				return nil, fmt.Errorf("%s: only one side has the label %q, so nothing matches; say on (…)", e, n)
			}
		}
	}
	// While one exporter takes another one's place, for as long as a sample counts, both are
	// there, and the engine refuses what matches twice: over hours, one such moment is enough.
	if by := setOf(m.MatchingLabels...); m.On && !e.Op.IsSetOperator() && !by["instance"] {
		if right["instance"] && m.Card != parser.CardOneToMany {
			return nil, fmt.Errorf("%s: twice where an exporter takes another one's place; say max by (…)", e.RHS)
		}
		if left["instance"] && m.Card != parser.CardManyToOne {
			return nil, fmt.Errorf("%s: twice where an exporter takes another one's place; say max by (…)", e.LHS)
		}
	}
	switch {
	case e.Op == parser.LOR:
		return left.with(right), nil
	case e.Op == parser.LAND || e.Op == parser.LUNLESS:
		return left, nil
	case m.Card == parser.CardManyToOne:
		return left.with(setOf(m.Include...)), need(e.RHS, right, m.Include)
	case m.Card == parser.CardOneToMany:
		return right.with(setOf(m.Include...)), need(e.LHS, left, m.Include)
	case m.On:
		return setOf(m.MatchingLabels...), nil
	}
	return left, nil
}

func checkCall(metrics map[string]set, e *parser.Call) (set, error) {
	result := set{}
	for _, arg := range e.Args {
		have, err := check(metrics, arg)
		if err != nil {
			return nil, err
		}
		result = result.with(have)
	}
	if e.Func.Name == "label_replace" {
		if to, ok := e.Args[1].(*parser.StringLiteral); ok {
			from, _ := e.Args[3].(*parser.StringLiteral)
			if from != nil && from.Val != "" && !result[from.Val] { // "" sets a fixed value
				return nil, fmt.Errorf("%s has no label %q to replace, only %s", e.Args[0], from.Val, result)
			}
			result = result.with(setOf(to.Val))
		}
	}
	if e.Func.Name == "label_join" { // of labels that may be missing, as they may in an alert
		if to, ok := e.Args[1].(*parser.StringLiteral); ok {
			result = result.with(setOf(to.Val))
		}
	}
	if e.Func.Name == "absent" {
		// It answers with the labels that its matchers name exactly.
		result = set{}
		if v, ok := e.Args[0].(*parser.VectorSelector); ok {
			for _, m := range v.LabelMatchers {
				if m.Type == labels.MatchEqual && m.Name != model.MetricNameLabel {
					result[m.Name] = true
				}
			}
		}
	}
	return result, nil
}

// asked keeps what a planner asks for.
type asked struct {
	planner.History
	mu      sync.Mutex
	queries map[string]bool
}

func (a *asked) Range(ctx context.Context, query string, from, to time.Time, step time.Duration) ([]planner.Series, error) {
	a.mu.Lock()
	a.queries[query] = true
	a.mu.Unlock()
	return a.History.Range(ctx, query, from, to, step)
}

// plannerQueries are all that a plan asks for.
func plannerQueries(t *testing.T) []string {
	t.Helper()
	o := plannertest.Options()
	a := &asked{History: o.History, queries: map[string]bool{}}
	o.History = a
	p, err := planner.New(o)
	if err == nil {
		_, err = p.Report(context.Background(), plannertest.At)
	}
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(a.queries))
}

// TestPlannerAsksForWhatIsThere holds the planner's queries to the catalogue and to
// what rules record, and the sources that they name to those that there are.
func TestPlannerAsksForWhatIsThere(t *testing.T) {
	metrics := known(t)
	for record, labels := range map[string]set{
		"mcloud_host_cpus": setOf("cloud", "host"), "mcloud_host_cpu_used_ratio": setOf("cloud", "host"),
		"mcloud_host_memory_total_bytes": setOf("cloud", "host"), "mcloud_host_memory_used_bytes": setOf("cloud", "host"),
		"mcloud_guest_cpu_cores": setOf("cloud", "host", "server_id"), "mcloud_guest_memory_used_bytes": setOf("cloud", "host", "server_id"),
	} {
		rules, err := fs.ReadFile(alerts.Rules, "rules/use.yml")
		if err != nil || !strings.Contains(string(rules), "record: "+record+"\n") {
			t.Errorf("no rule records %s: %v", record, err)
		}
		metrics[record] = labels
	}
	sources := set{}
	for _, s := range slices.Concat(nova.Sources(new(openstack.Cloud), nova.Config{}), placement.Sources(new(openstack.Cloud), placement.Config{}),
		cinder.Sources(new(openstack.Cloud), cinder.Config{}), neutron.Sources(new(openstack.Cloud), neutron.Config{})) {
		sources[s.Name] = true
	}
	queries, named := plannerQueries(t), 0
	for _, q := range queries {
		if _, err := follow(metrics, q); err != nil {
			t.Errorf("%s: %v", q, err)
		}
		for _, m := range sourceInQuery.FindAllStringSubmatch(q, -1) {
			for _, s := range strings.Split(m[1], "|") {
				if named++; !sources[s] {
					t.Errorf("%s: there is no source %q, only %s", q, s, sources)
				}
			}
		}
	}
	if len(queries) < 10 || named < 7 {
		t.Errorf("%d queries, %d sources in them", len(queries), named)
	}
}

var sourceInQuery = regexp.MustCompile(`source=~"([^"]+)"`)

// TestPlannerReadsRealUse runs the planner's queries for the use of hosts.
func TestPlannerReadsRealUse(t *testing.T) {
	storage := promqltest.LoadedStorage(t, `
load 5m
  mcloud_host_cpus{cloud="test",host="a"} 8x24
  mcloud_host_cpus{cloud="test",host="b"} 4x24
  mcloud_host_cpu_used_ratio{cloud="test",host="a"} 0.5x24
  mcloud_host_memory_total_bytes{cloud="test",host="a"} 8388608x24
  mcloud_host_memory_used_bytes{cloud="test",host="a"} 2097152x24
  mcloud_host_cpus{cloud="other",host="c"} 4x24
  mcloud_host_cpu_used_ratio{cloud="other",host="c"} 1x24
  mcloud_host_memory_used_bytes{cloud="other",host="c"} 1x24
`)
	engine := promqltest.NewTestEngine(t, false, 0, 1e6)
	var answers []string
	for _, q := range plannerQueries(t) {
		if !strings.Contains(q, "mcloud_host_") {
			continue
		}
		query, err := engine.NewInstantQuery(context.Background(), storage, nil, q, time.Unix(3600, 0))
		if err != nil {
			t.Fatal(err)
		}
		vector, err := query.Exec(context.Background()).Vector()
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		for _, s := range vector {
			answers = append(answers, fmt.Sprintf("%s %s %g", s.Metric.Get("host"), s.Metric.Get("resource_class"), s.F))
		}
		query.Close()
	}
	slices.Sort(answers)
	want := []string{"a MEMORY_MB 2", "a MEMORY_MB 8", "a VCPU 4", "a VCPU 8", "b VCPU 4"}
	if !slices.Equal(answers, want) {
		t.Errorf("answers %q, want %q", answers, want)
	}
}

var labelInText = regexp.MustCompile(`\$labels\.(\w+)`)

// rule is one of alerts/rules.
type rule struct {
	file                string
	Record, Alert, Expr string
	Labels, Annotations map[string]string
}

func allRules(t *testing.T) []rule {
	t.Helper()
	files, err := fs.Glob(alerts.Rules, "rules/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	var all []rule
	for _, file := range files {
		content, err := fs.ReadFile(alerts.Rules, file)
		if err != nil {
			t.Fatal(err)
		}
		var groups struct{ Groups []struct{ Rules []rule } }
		if err := yaml.Unmarshal(content, &groups); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, g := range groups.Groups {
			for _, r := range g.Rules {
				r.file = file
				all = append(all, r)
			}
		}
	}
	if len(all) < 100 {
		t.Fatalf("%d rules", len(all))
	}
	return all
}

// withRecorded is known with what the rules record.
func withRecorded(t *testing.T) map[string]set {
	t.Helper()
	metrics, rules := known(t), allRules(t)
	// Rules build on rules, of other files too.
	for range 4 {
		for _, r := range rules {
			if have, err := follow(metrics, r.Expr); r.Record != "" && err == nil {
				metrics[r.Record] = have.with(setOf(slices.Collect(maps.Keys(r.Labels))...))
			}
		}
	}
	return metrics
}

// TestRulesUseWhatIsThere holds every rule to the catalogue: metrics, labels in
// matchers, in on and by, and in the text of the page.
func TestRulesUseWhatIsThere(t *testing.T) {
	metrics := withRecorded(t)
	for _, r := range allRules(t) {
		name := r.Alert + r.Record
		have, err := follow(metrics, r.Expr)
		if err != nil {
			t.Errorf("%s, %s: %v", r.file, name, err)
			continue
		}
		for _, text := range r.Annotations {
			for _, m := range labelInText.FindAllStringSubmatch(text, -1) {
				if !have[m[1]] {
					t.Errorf("%s, %s: the text uses $labels.%s, the alert has only %s", r.file, name, m[1], have)
				}
			}
		}
	}
}

func follow(metrics map[string]set, expr string) (set, error) {
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return nil, err
	}
	return check(metrics, parsed)
}

var ownMetric = regexp.MustCompile("`((?:mcloud|openstack|ceph|ovn|ovs)_[a-z0-9_]+)(?:`|\\{)")

// TestRunbooksNameWhatIsThere: at night nobody looks for a metric that never was.
func TestRunbooksNameWhatIsThere(t *testing.T) {
	metrics := withRecorded(t)
	files, err := filepath.Glob("../../alerts/runbooks/*.md")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d runbooks: %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range ownMetric.FindAllStringSubmatch(string(text), -1) {
			if metrics[m[1]] == nil {
				t.Errorf("%s: nobody makes a metric %q", filepath.Base(file), m[1])
			}
		}
	}
}

var labelInLegend = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)

// TestPanelsUseWhatIsThere holds every query, legend and variable of the
// dashboards to the catalogue.
func TestPanelsUseWhatIsThere(t *testing.T) {
	metrics := withRecorded(t)
	all, err := dashboards.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		queries, err := dashboards.Queries(d)
		if err != nil {
			t.Fatal(err)
		}
		variables, err := dashboards.Variables(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range append(queries, variables...) {
			have, err := follow(metrics, q.Expr)
			if err != nil {
				t.Errorf("%s, %s: %v", q.Dashboard, q.Panel, err)
				continue
			}
			for _, m := range labelInLegend.FindAllStringSubmatch(q.Legend, -1) {
				if !have[m[1]] {
					t.Errorf("%s, %s: the legend shows {{%s}}, the query has only %s", q.Dashboard, q.Panel, m[1], have)
				}
			}
		}
	}
}

// TestObjectOfEachAlert: the table of what fires names what an alert is about by labels
// that are listed there; those of all alerts are, but for what only qualifies.
func TestObjectOfEachAlert(t *testing.T) {
	known := setOf(append(dashboards.ObjectLabels, "severity", "system", "quantile", "days", "pool_id", "ip_version", "shared", "active", "provisioning_status")...)
	files, err := filepath.Glob("../../alerts/tests/*.yml")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var cases struct {
			Tests []struct {
				Alerts []struct {
					Name     string `yaml:"alertname"`
					Expected []struct {
						Labels map[string]string `yaml:"exp_labels"`
					} `yaml:"exp_alerts"`
				} `yaml:"alert_rule_test"`
			}
		}
		if err := yaml.Unmarshal(text, &cases); err != nil {
			t.Fatal(err)
		}
		for _, c := range cases.Tests {
			for _, a := range c.Alerts {
				for _, e := range a.Expected {
					for label := range e.Labels {
						if !known[label] {
							t.Errorf("%s: %s has the label %s, which dashboards.ObjectLabels does not list", filepath.Base(file), a.Name, label)
						}
					}
				}
			}
		}
	}
}

// The checks above must be able to fail.
func TestCheckFindsWhatIsNotThere(t *testing.T) {
	metrics := known(t)
	for expr, want := range map[string]string{
		`openstack_nova_service_upp == 0`:         "nobody makes",
		`openstack_nova_service_up{hostname="a"}`: `no label "hostname"`,
		`sum by (zonee) (openstack_nova_servers)`: `no label "zonee"`,
		`ceph_osd_up * on (cluster, ceph_daemon) group_left (rack) max by (ceph_daemon, cluster) (ceph_osd_metadata)`: `no label "rack"`,
		`ceph_osd_up and on (host) ceph_osd_in`:                                                    `no label "host"`,
		`ceph_pool_stored * on (cluster, pool_id) group_left (name) ceph_pool_metadata`:            "twice where",
		`ceph_osd_up == on (cluster, ceph_daemon) max by (cluster, ceph_daemon) (ceph_osd_in)`:     "twice where",
		`openstack_placement_usage_units / openstack_nova_hypervisor_info`:                         "only one side",
		`max(rate(mcloud_shipper_retry[5m]))`:                                                      "nobody makes",
		`openstack_nova_service_up{cloud="lab"} == 0 and on (cloud, host) mcloud_source_success{}`: `no label "host"`,
	} {
		if _, err := follow(metrics, expr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", expr, err, want)
		}
	}
}

// Names that are kept for Ceph's sake are Ceph's; all others obey Prometheus's rules.
func TestCatalogueObeysTheNamingRules(t *testing.T) {
	ours := slices.DeleteFunc(Families(), func(f exporters.Family) bool { return ceph.KeptName(f.Name) })
	if len(ours) < 80 {
		t.Errorf("%d families", len(ours))
	}
	for _, complaint := range exporters.Lint(ours) {
		t.Error(complaint)
	}
}
