package backend

import (
	"context"
	"net/url"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"
)

const plansPath = "/api/v1/rebalance/plans"

// stages are those that a plan can be at.
var stages = []string{"planned", "applying", "applied", "failed", "undone"}

// plans answers which rebalance plans there are, or with q.Plan the steps of one.
func (d *Datasource) plans(ctx context.Context, r *round, q query) (data.Frames, error) {
	if q.Plan != "" && q.Format == formatTable {
		state, err := fetch[wirePlanState](ctx, r, plansPath+"/"+url.PathEscape(q.Plan), nil)
		if err != nil {
			return nil, err
		}
		return data.Frames{steps(state)}, nil
	}
	all, err := fetch[[]wirePlanState](ctx, r, plansPath, nil)
	if err != nil {
		return nil, err
	}
	if q.Format == formatNumber {
		return data.Frames{plansByStage(all)}, nil
	}
	text := func(name, display string, value func(wirePlanState) string) *data.Field {
		return column(name, display, "", of(all, value))
	}
	return data.Frames{table("plans",
		column("time", "Since", "", of(all, func(s wirePlanState) time.Time { return s.Time.UTC() })),
		text("plan", "Plan", func(s wirePlanState) string { return s.Plan.ID }),
		text("stage", "Stage", func(s wirePlanState) string { return s.Stage }),
		text("host", "Host", func(s wirePlanState) string { return s.Plan.Host.Name }),
		text("zone", "Zone", func(s wirePlanState) string { return s.Plan.Host.Zone }),
		text("class", "Resource class", func(s wirePlanState) string { return s.Plan.Host.Class }),
		column("used_ratio", "Used of the host", unitRatio, of(all, func(s wirePlanState) float64 { return s.Plan.Host.Score })),
		column("zone_mean", "Used of the zone", unitRatio, of(all, func(s wirePlanState) float64 { return s.Plan.Host.ZoneMean })),
		text("lever", "Lever", func(s wirePlanState) string { return s.Plan.Lever }),
		text("reason", "Reason", func(s wirePlanState) string { return s.Plan.Reason }),
		text("effect", "Effect", func(s wirePlanState) string { return s.Plan.Effect }),
		text("aggregate", "Host aggregate", func(s wirePlanState) string { return s.Plan.Aggregate }),
		column("steps", "Steps", unitCount, of(all, func(s wirePlanState) int64 { return int64(len(s.Plan.Steps)) })),
	)}, nil
}

// plansByStage counts them; that there is none at a stage is 0.
func plansByStage(all []wirePlanState) *data.Frame {
	count := map[string]int64{}
	for _, s := range all {
		count[s.Stage]++
	}
	return numbers("plans", "plans",
		column("stage", "Stage", "", stages),
		column("plans", "Plans", unitCount, of(stages, func(stage string) int64 { return count[stage] })))
}

func steps(s wirePlanState) *data.Frame {
	text := func(name, display string, value func(wireStep) string) *data.Field {
		return column(name, display, "", of(s.Plan.Steps, value))
	}
	f := table("plan "+s.Plan.ID,
		column("number", "Step", unitCount, of(s.Plan.Steps, func(p wireStep) int64 { return p.Number })),
		text("kind", "Change", func(p wireStep) string { return p.Kind }),
		text("target", "Target", func(p wireStep) string { return p.Target }),
		text("value", "Value", func(p wireStep) string { return p.Value }),
		text("reason", "Reason", func(p wireStep) string { return p.Reason }),
		text("effect", "Effect", func(p wireStep) string { return p.Effect }))
	notice(f, data.NoticeSeverityInfo, "plan "+s.Plan.ID+" is "+s.Stage+" since "+s.Time.UTC().Format(time.RFC3339)+": "+s.Plan.Reason)
	return f
}
