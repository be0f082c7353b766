package dashboards

import (
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/table"
)

// ObjectLabels are the labels that say what an alert is about, the widest first: one
// column of a table instead of forty that are mostly empty.
var ObjectLabels = []string{
	"cloud", "cluster", "datacenter", "zone", "host", "hostname", "ceph_daemon", "chassis", "bridge", "bond", "member",
	"service", "binary", "daemon", "database", "endpoint", "provider", "name", "tier", "flavor", "resource_class", "device_class", "root",
	"physical_network", "network_id", "segment_id", "project_id", "id", "mountpoint", "datapath",
	"job", "instance", "source", "listener", "rule_group", "alertmanager",
	"type", "secret_type", "status", "state", "task_state", "reason", "result",
}

const waiting = `alertname!="",severity=~"page|ticket"`

// firingNow lists the alerts that wait for somebody: what, about what, and since when.
func firingNow(title string) *table.PanelBuilder {
	since := `max by (severity, alertname, object) (label_join(ALERTS_FOR_STATE{` + waiting + `} and ignoring (alertstate) ALERTS{alertstate="firing",` + waiting + `}, "object", " ", "` +
		strings.Join(ObjectLabels, `", "`) + `")) * 1000`
	// Of all columns at once, and the time by its type: Grafana's schema knows no override by a column's name.
	severities := dashboard.ValueMap{Type: dashboard.MappingTypeValueToText, Options: map[string]dashboard.ValueMappingResult{
		"page":   {Text: cog.ToPtr("page"), Color: cog.ToPtr("red")},
		"ticket": {Text: cog.ToPtr("ticket"), Color: cog.ToPtr("orange")},
	}}
	return table.NewPanelBuilder().Title(title).Description("Alerts that fire, the pages first: the object is what their labels name, since is when the condition began.").
		Datasource(source).Unit("short").NoValue("nothing").
		Mappings([]dashboard.ValueMapping{{ValueMap: &severities}}).Thresholds(thresholds(dashboard.Threshold{Color: "text"})).
		CellOptions(common.TableCellOptions{TableColorTextCellOptions: common.NewTableColorTextCellOptions()}).
		CellHeight(common.TableCellHeightSm).ShowHeader(true).
		Footer(common.NewTableFooterOptionsBuilder().Show(false).Reducer([]string{})).
		WithTarget(prometheus.NewDataqueryBuilder().Expr(since).Instant().Format(prometheus.PromQueryFormatTable)).
		WithTransformation(dashboard.DataTransformerConfig{Id: "organize", Options: map[string]any{
			"excludeByName": map[string]bool{"Time": true},
			"indexByName":   map[string]int{"Time": 0, "severity": 1, "alertname": 2, "object": 3, "Value": 4},
			"renameByName":  map[string]string{"severity": "Severity", "alertname": "Alert", "object": "Object", "Value": "Since"},
		}}).
		// After it has a name of its own: Grafana calls each field that is a time "Time".
		WithTransformation(dashboard.DataTransformerConfig{Id: "convertFieldType", Options: map[string]any{
			"conversions": []map[string]string{{"targetField": "Since", "destinationType": "time"}},
		}}).
		SortBy([]cog.Builder[common.TableSortByFieldState]{common.NewTableSortByFieldStateBuilder().DisplayName("Severity")})
}

// firingThen shows when each alert fired.
func firingThen(title string) *statetimeline.PanelBuilder {
	levels := dashboard.ValueMap{Type: dashboard.MappingTypeValueToText, Options: map[string]dashboard.ValueMappingResult{
		"1": {Text: cog.ToPtr("ticket"), Color: cog.ToPtr("orange")},
		"2": {Text: cog.ToPtr("page"), Color: cog.ToPtr("red")},
	}}
	return statetimeline.NewPanelBuilder().Title(title).Description("When each alert fired: red ones paged, orange ones are tickets.").
		Datasource(source).Unit("short").Thresholds(plain()).NoValue("nothing").Interval("1m").
		Mappings([]dashboard.ValueMapping{{ValueMap: &levels}}).
		ShowValue(common.VisibilityModeNever).RowHeight(0.8).MergeValues(true).FillOpacity(80).LineWidth(0).
		Legend(common.NewVizLegendOptionsBuilder().DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom).ShowLegend(false)).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeSingle).Sort(common.SortOrderNone)).
		WithTarget(series(`2 * max by (alertname) (ALERTS{alertstate="firing",severity="page"}) or max by (alertname) (ALERTS{alertstate="firing",severity="ticket"})`, "{{alertname}}"))
}
