package sim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"mcloud/deploy/sim/model"
)

// handler serves the OpenStack APIs, and beside them what steers the simulation
// and no cloud has, under /-/:
//
//	GET  /-/requests          the calls since the start, by API and call
//	POST /-/churn?part=0.01   changes a part of the servers, volumes and ports
//	POST /-/mon/CLUSTER       one monitor command, in JSON
func (c *Cloud) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", c.api)
	mux.HandleFunc("GET /-/requests", func(w http.ResponseWriter, _ *http.Request) { reply(w, c.Requests()) })
	mux.HandleFunc("POST /-/churn", func(w http.ResponseWriter, r *http.Request) {
		part, err := strconv.ParseFloat(r.URL.Query().Get("part"), 64)
		if err != nil || !(part > 0 && part <= 1) {
			http.Error(w, "part: want a number above 0 and up to 1", http.StatusBadRequest)
			return
		}
		reply(w, c.Churn(part))
	})
	for _, m := range c.mons {
		mux.Handle("POST /-/mon/"+m.Cluster(), m)
	}
	return mux
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client is gone: nobody to tell
}

// Churn changes a part of the servers, volumes and ports now.
func (c *Cloud) Churn(part float64) (done model.Churned) {
	c.With(func(w *model.World) { done = w.Churn(part) })
	return done
}

// Requests counts the calls since the start: of the OpenStack APIs by method and
// path pattern, of monitors by "mon CLUSTER: command".
func (c *Cloud) Requests() map[string]int {
	counts := c.api.Requests()
	for _, m := range c.mons {
		for prefix, n := range m.Commands() {
			counts[fmt.Sprintf("mon %s: %s", m.Cluster(), prefix)] = n
		}
	}
	return counts
}
