package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/common/model"

	"mcloud/planner"
)

// forecast answers GET /api/v1/forecast: what tier, zone or series will be.
func (s *server) forecast(r *http.Request) (any, error) {
	q := planner.Question{Tier: r.FormValue("tier"), Zone: r.FormValue("zone"), Series: r.FormValue("series"), Class: r.FormValue("class")}
	if q.Tier == "" && q.Zone == "" && q.Series == "" {
		return nil, Invalid("add tier=NAME, zone=NAME or series=EXPRESSION", "nothing is named to forecast")
	}
	if text := r.FormValue("horizon"); text != "" {
		d, err := model.ParseDuration(text)
		if err != nil || d == 0 {
			return nil, Invalid("write for example horizon=90d or horizon=26w", "horizon=%q is no duration", text)
		}
		q.Horizon = time.Duration(d)
	}
	if text := r.FormValue("limit"); text != "" {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || v != v {
			return nil, Invalid("write a number in the unit of the series", "limit=%q is no number", text)
		}
		q.Limit = &v
	}
	if text := r.FormValue("seasonal"); text != "" {
		var err error
		if q.Seasonal, err = strconv.ParseBool(text); err != nil {
			return nil, Invalid("write seasonal=true", "seasonal=%q is neither true nor false", text)
		}
	}
	return s.Planner.Forecast(r.Context(), q)
}
