package dashboards

import (
	"github.com/grafana/grafana-foundation-sdk/go/bargauge"
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// source is the dashboard's variable, so that one JSON serves every Grafana.
var source = common.DataSourceRef{Type: cog.ToPtr("prometheus"), Uid: cog.ToPtr("${datasource}")}

// fromLabel is a variable with the values that label has on metric.
func fromLabel(name, title, metric, label string) *dashboard.QueryVariableBuilder {
	return fromQuery(name, title, "label_values("+metric+", "+label+")")
}

func fromQuery(name, title, query string) *dashboard.QueryVariableBuilder {
	return dashboard.NewQueryVariableBuilder(name).Label(title).Datasource(source).
		Query(dashboard.StringOrMap{String: cog.ToPtr(query)}).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).
		Sort(dashboard.VariableSortAlphabeticalAsc).
		Multi(true).IncludeAll(true).AllValue(".*").
		Current(dashboard.VariableOption{Text: dashboard.StringOrArrayOfString{String: cog.ToPtr("All")}, Value: dashboard.StringOrArrayOfString{String: cog.ToPtr("$__all")}})
}

// newest makes one number of a series.
func newest() *common.ReduceDataOptionsBuilder {
	return common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"})
}

// coarse is a curve of which it does not matter what happens within five minutes: the
// greatest of what every host, OSD or project has, which takes all of them to find. rare is
// one of what people change now and then.
const (
	coarse = "5m"
	rare   = "15m"
)

func series(expr, legend string) *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().Expr(expr).LegendFormat(legend).Range()
}

func now(expr, legend string) *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().Expr(expr).LegendFormat(legend).Instant()
}

func thresholds(steps ...dashboard.Threshold) *dashboard.ThresholdsConfigBuilder {
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(steps)
}

func from(value float64, color string) dashboard.Threshold {
	return dashboard.Threshold{Value: cog.ToPtr(value), Color: color}
}

func warnAbove(v float64) *dashboard.ThresholdsConfigBuilder {
	return thresholds(dashboard.Threshold{Color: "green"}, from(v, "orange"))
}

func alarmAbove(v float64) *dashboard.ThresholdsConfigBuilder {
	return thresholds(dashboard.Threshold{Color: "green"}, from(v, "red"))
}

// state is one number that should be zero.
func state(title, description, expr, zero string, levels *dashboard.ThresholdsConfigBuilder) *stat.PanelBuilder {
	return stat.NewPanelBuilder().Title(title).Description(description).Datasource(source).Span(4).Height(4).Unit("short").
		ColorMode(common.BigValueColorModeBackground).GraphMode(common.BigValueGraphModeNone).Orientation(common.VizOrientationAuto).ReduceOptions(newest()).Thresholds(levels).NoValue(zero).
		WithTarget(now(expr, ""))
}

// health shows Ceph's three states by name.
func health(title, description, expr, legend string) *stat.PanelBuilder {
	named := dashboard.ValueMap{Type: dashboard.MappingTypeValueToText, Options: map[string]dashboard.ValueMappingResult{
		"0": {Text: cog.ToPtr("OK"), Color: cog.ToPtr("green")},
		"1": {Text: cog.ToPtr("WARN"), Color: cog.ToPtr("orange")},
		"2": {Text: cog.ToPtr("ERR"), Color: cog.ToPtr("red")},
	}}
	return stat.NewPanelBuilder().Title(title).Description(description).Datasource(source).Span(4).Height(4).Unit("short").
		ColorMode(common.BigValueColorModeBackground).GraphMode(common.BigValueGraphModeNone).Orientation(common.VizOrientationAuto).ReduceOptions(newest()).
		Thresholds(thresholds(dashboard.Threshold{Color: "green"}, from(1, "orange"), from(2, "red"))).
		Mappings([]dashboard.ValueMapping{{ValueMap: &named}}).
		WithTarget(now(expr, legend))
}

// runway shows times left, the shortest the reddest.
func runway(title, description string, queries ...*prometheus.DataqueryBuilder) *bargauge.PanelBuilder {
	const day = 24 * 3600
	p := bargauge.NewPanelBuilder().Title(title).Description(description).Datasource(source).Span(8).Height(9).Unit("s").
		ReduceOptions(newest()).Orientation(common.VizOrientationHorizontal).DisplayMode(common.BarGaugeDisplayModeBasic).Min(0).NoValue("not within the horizon").
		Thresholds(thresholds(dashboard.Threshold{Color: "red"}, from(60*day, "orange"), from(120*day, "green")))
	for _, q := range queries {
		p.WithTarget(q.Instant())
	}
	return p
}

// ratio shows shares of a whole over time.
func ratio(title, description string, queries ...*prometheus.DataqueryBuilder) *timeseries.PanelBuilder {
	return graph(title, description, "percentunit", queries...).Min(0).
		Thresholds(full()).
		ThresholdsStyle(common.NewGraphThresholdsStyleConfigBuilder().Mode(common.GraphThresholdsStyleModeDashed))
}

func graph(title, description, unit string, queries ...*prometheus.DataqueryBuilder) *timeseries.PanelBuilder {
	p := timeseries.NewPanelBuilder().Thresholds(thresholds(dashboard.Threshold{Color: "green"})).Title(title).Description(description).Datasource(source).Span(8).Height(9).Unit(unit).
		Interval("1m"). // a third of a screen has no room for more points of six hours
		FillOpacity(8).LineWidth(1).
		Legend(common.NewVizLegendOptionsBuilder().DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom).ShowLegend(true)).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending))
	for _, q := range queries {
		p.WithTarget(q)
	}
	return p
}

// figure is a value to be known, neither good nor bad.
func figure(title, description, unit, expr string) *stat.PanelBuilder {
	return state(title, description, expr, "none", thresholds(dashboard.Threshold{Color: "blue"})).Unit(unit).ColorMode(common.BigValueColorModeValue)
}

// bars compares what there is now, the most first; levels colours them.
func bars(title, description, unit, expr, legend string, levels *dashboard.ThresholdsConfigBuilder) *bargauge.PanelBuilder {
	return bargauge.NewPanelBuilder().Title(title).Description(description).Datasource(source).Span(8).Height(9).Unit(unit).
		ReduceOptions(newest()).Orientation(common.VizOrientationHorizontal).DisplayMode(common.BarGaugeDisplayModeBasic).Min(0).NoValue("none").
		Thresholds(levels).WithTarget(now(expr, legend))
}

// full are the levels of a share of something that must not be used up.
func full() *dashboard.ThresholdsConfigBuilder {
	return thresholds(dashboard.Threshold{Color: "green"}, from(0.75, "orange"), from(0.9, "red"))
}

// plain colours nothing.
func plain() *dashboard.ThresholdsConfigBuilder {
	return thresholds(dashboard.Threshold{Color: "blue"})
}

// row begins a row of panels.
func row(title string) *dashboard.RowBuilder { return dashboard.NewRowBuilder(title) }
