// Package dashboards holds the Grafana dashboards as code, a file each, in the order in
// which people read them: the overview, what runs out, then system by system, then what
// mCloud does and how it is itself. The JSON that Grafana provisions is generated from it
// into json/ (go generate) and checked to be current by a test; every query is executed
// against live data by another. grafana/ has what a Grafana needs to load them.
package dashboards

//go:generate go run ./generate json

//lint:file-ignore SA1019 the classic schema is what every Grafana reads; dashboardv2 needs one from 12.

import (
	"regexp"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
)

// page is a dashboard that is being built.
type page = dashboard.DashboardBuilder

// All returns every dashboard.
func All() ([]dashboard.Dashboard, error) {
	var all []dashboard.Dashboard
	for _, b := range []*page{
		overview(), capacity(), compute(), hosts(), projects(),
		tiers(), ceph(), osds(), pools(),
		network(), services(), apis(),
		rebalance(), chargeback(), events(), self(),
	} {
		d, err := b.Build()
		if err != nil {
			return nil, err
		}
		complete(d)
		all = append(all, d)
	}
	return all, nil
}

// board is a dashboard with what all have: the data source, links to the others that keep
// variables and time, and what happened as annotations. Its variables have the same names
// everywhere, since the links carry them by name.
func board(uid, title, about string, variables ...*dashboard.QueryVariableBuilder) *page {
	b := dashboard.NewDashboardBuilder(title).Uid(uid).Description(about).
		Tags([]string{"mcloud"}).Timezone(common.TimeZoneUtc).Time("now-6h", "now").Refresh("1m").
		Tooltip(dashboard.DashboardCursorSyncCrosshair).
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Data source").Type("prometheus")).
		Link(dashboard.NewDashboardLinkBuilder("mCloud").Type(dashboard.DashboardLinkTypeDashboards).Tags([]string{"mcloud"}).
			AsDropdown(true).IncludeVars(true).KeepTime(true)).
		Annotation(mark("Pages", "red", `count by (alertname) (ALERTS{alertstate="firing",severity="page"})`, "{{alertname}} pages")).
		Annotation(mark("Hosts enabled or disabled", "blue", `mcloud_host_switched`, "{{host}} was enabled or disabled")).
		Annotation(mark("OSDs up or down", "purple", `mcloud_osd_switched`, "{{ceph_daemon}} of {{cluster}} went up or down"))
	for _, v := range variables {
		b.WithVariable(v)
	}
	return b
}

// mark shows when query gives anything.
func mark(name, color, query, text string) *dashboard.AnnotationQueryBuilder {
	return dashboard.NewAnnotationQueryBuilder().Name(name).Datasource(source).Enable(true).IconColor(color).
		Expr(query).TitleFormat(name).TextFormat(text).Step("60s")
}

// The variables, by what has each of its values.
func byCloud() *dashboard.QueryVariableBuilder {
	return fromLabel("cloud", "Cloud", "openstack_nova_service_up", "cloud")
}

func byZone() *dashboard.QueryVariableBuilder {
	return fromLabel("zone", "Zone", "openstack_nova_hypervisor_info", "zone")
}

func byHost() *dashboard.QueryVariableBuilder {
	return fromLabel("host", "Host", "openstack_nova_hypervisor_info", "host")
}

func byProject() *dashboard.QueryVariableBuilder {
	return fromQuery("project", "Project", "query_result(mcloud_project_info)").
		Regex(`/name="(?<text>[^"]*)".*project_id="(?<value>[^"]*)"/`)
}

func byTier() *dashboard.QueryVariableBuilder {
	return fromLabel("tier", "Tier", "mcloud_tier_lead_time_seconds", "tier")
}

func byCluster() *dashboard.QueryVariableBuilder {
	return fromLabel("cluster", "Ceph cluster", "ceph_health_status", "cluster")
}

// to leads from what a panel shows to another dashboard, with the variables and the time,
// and with the label of the series that was clicked as the variable.
func to(uid, title, variable, label string) []cog.Builder[dashboard.DashboardLink] {
	return leadsTo(uid, title, "&var-"+variable+"=${__field.labels."+label+"}")
}

// opens leads from a panel to another dashboard with the variables and the time.
func opens(uid, title string) []cog.Builder[dashboard.DashboardLink] { return leadsTo(uid, title, "") }

func leadsTo(uid, title, chosen string) []cog.Builder[dashboard.DashboardLink] {
	return []cog.Builder[dashboard.DashboardLink]{
		dashboard.NewDashboardLinkBuilder(title).Type(dashboard.DashboardLinkTypeLink).Url("/d/" + uid + "?" + carried + chosen + "&${__url_time_range}"),
	}
}

// carried stands for the dashboard's variables in a link, until all of them are known.
const carried = "<variables>"

var chosenVariable = regexp.MustCompile(`&var-(\w+)=`)

// complete gives d what its parts do not know of each other: every row and panel an id of
// its own, from 1 in their order, since links to a panel go by it; every query of a panel a
// letter; every link the variables.
func complete(d dashboard.Dashboard) {
	for i := range d.Links {
		d.Links[i].Placement = nil // above the panels: Grafana 12.3 and newer hide it in a menu otherwise
	}
	for i, p := range d.Panels {
		id := uint32(i + 1)
		if p.RowPanel != nil {
			p.RowPanel.Id = id
		}
		if p.Panel == nil {
			continue
		}
		p.Panel.Id = &id
		for n, target := range p.Panel.Targets {
			if q, ok := target.(prometheus.Dataquery); ok {
				q.RefId = cog.ToPtr(string(rune('A' + n)))
				p.Panel.Targets[n] = q
			}
		}
		for n, link := range p.Panel.FieldConfig.Defaults.Links {
			p.Panel.FieldConfig.Defaults.Links[n].Url = cog.ToPtr(carry(*link.Url, d.Templating.List))
		}
	}
}

// carry names each variable in the link but the one that the link itself sets: Grafana
// takes "All" and a value for "All". (Its ${__all_variables} leaves none out.)
func carry(url string, variables []dashboard.VariableModel) string {
	set := ""
	if m := chosenVariable.FindStringSubmatch(url); m != nil {
		set = m[1]
	}
	var parameters []string
	for _, v := range variables {
		if v.Name != set {
			parameters = append(parameters, "${"+v.Name+":queryparam}")
		}
	}
	return strings.Replace(url, carried, strings.Join(parameters, "&"), 1)
}
