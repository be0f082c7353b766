package planner

import (
	"errors"
	"testing"
	"time"

	"mcloud/planner/forecast"
)

func TestZonesTogether(t *testing.T) {
	noon := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	of := func(step time.Duration, values ...float64) demand {
		d := demand{read: step}
		for i, v := range values {
			d.points = append(d.points, forecast.Point{Time: noon.Add(time.Duration(i) * step), Value: v})
		}
		return d
	}
	none := demand{err: errNoHistory}
	zones := func(a, b demand) map[string]map[string]demand {
		all := map[string]map[string]demand{"a": {}, "b": {}}
		for _, class := range classes {
			all["a"][class], all["b"][class] = none, none
		}
		all["a"]["VCPU"], all["b"]["VCPU"] = a, b
		return all
	}
	for name, c := range map[string]struct {
		a, b demand
		ok   bool
		want []float64 // of vCPUs; nil: no history
	}{
		"both":            {of(time.Hour, 1, 2), of(time.Hour, 10, 20), true, []float64{11, 22}},
		"one begins late": {of(time.Hour, 1, 2, 3), of(time.Hour, 10), true, []float64{11, 2, 3}},
		"one has none":    {of(time.Hour, 1, 2), none, true, []float64{1, 2}},
		"none has any":    {none, none, true, nil},
		"other steps":     {of(time.Hour, 1, 2), of(6*time.Hour, 10), false, nil},
		"one failed":      {of(time.Hour, 1, 2), demand{err: errors.New("the store is away")}, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := together(zones(c.a, c.b))
			if ok != c.ok {
				t.Fatalf("ok %t, want %t", ok, c.ok)
			}
			if !ok {
				return
			}
			if d := got["VGPU"]; !errors.Is(d.err, errNoHistory) {
				t.Errorf("VGPU: %+v", d)
			}
			d := got["VCPU"]
			if len(d.points) != len(c.want) || errors.Is(d.err, errNoHistory) != (c.want == nil) {
				t.Fatalf("%+v, want %g", d, c.want)
			}
			for i, v := range c.want {
				if d.points[i].Value != v || !d.points[i].Time.Equal(noon.Add(time.Duration(i)*time.Hour)) {
					t.Errorf("%+v, want %g", d.points, c.want)
				}
			}
		})
	}
}
