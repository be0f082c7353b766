package backend

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/resource/httpadapter"
)

// choice is one value of a variable or of a field in the query editor.
type choice struct {
	Text  string `json:"text"`
	Value string `json:"value"`
}

// resources serve what may be chosen.
//
//	GET names/{of}   clouds, tiers, zones, classes, hosts, flavors, projects, plans
//	GET choices      types of queries with their formats and numbers, and other fixed lists
func resources(d *Datasource) backend.CallResourceHandler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /names/{of}", func(w http.ResponseWriter, r *http.Request) {
		found, err := d.names(r.Context(), r.PathValue("of"))
		respond(w, found, err)
	})
	mux.HandleFunc("GET /choices", func(w http.ResponseWriter, _ *http.Request) { respond(w, choices(), nil) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		respond(w, nil, &failure{backend.StatusNotFound, backend.ErrorSourcePlugin, "there is no resource " + r.Method + " " + r.URL.Path + "; there are names/{of} and choices"})
	})
	return httpadapter.New(mux)
}

func respond(w http.ResponseWriter, answer any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		f := failureOf(err)
		w.WriteHeader(int(f.status))
		answer = map[string]string{"message": f.message}
	}
	_ = json.NewEncoder(w).Encode(answer) // who has gone hears nothing
}

// nameable is what names can be asked for of.
var nameable = []string{"clouds", "tiers", "zones", "classes", "hosts", "flavors", "projects", "plans"}

// names lists what there is of something.
func (d *Datasource) names(ctx context.Context, kind string) ([]choice, error) {
	if d.wrong != nil {
		return nil, d.wrong
	}
	r := d.round()
	switch kind {
	case "clouds":
		status, err := fetch[wireStatus](ctx, r, "/api/v1/status", nil)
		return plain([]string{status.Cloud}), err
	case "tiers":
		all, err := fetch[[]wireTier](ctx, r, "/api/v1/tiers", nil)
		return plain(of(all, func(t wireTier) string { return t.Tier })), err
	case "zones", "hosts":
		all, err := fetch[[]wireCapacity](ctx, r, "/api/v1/capacity", url.Values{"by": {strings.TrimSuffix(kind, "s")}})
		return plain(of(all, func(c wireCapacity) string { return c.Name })), err
	case "classes":
		all, err := fetch[[]wireCapacity](ctx, r, "/api/v1/capacity", url.Values{"by": {"zone"}})
		return plain(of(all, func(c wireCapacity) string { return c.Class })), err
	case "flavors":
		all, err := fetch[[]wireHeadroom](ctx, r, "/api/v1/headroom", nil)
		return plain(of(all, func(h wireHeadroom) string { return h.Flavor })), err
	case "plans":
		all, err := fetch[[]wirePlanState](ctx, r, plansPath, nil)
		return append([]choice{{"the newest", "latest"}}, plain(of(all, func(s wirePlanState) string { return s.Plan.ID }))...), err
	case "projects":
		all, err := fetch[[]wireProject](ctx, r, "/api/v1/projects", nil)
		return projectChoices(all), err
	}
	return nil, wrongQuery("names", "%q is not known; there are %s", kind, strings.Join(nameable, ", "))
}

// plain are names that stand for themselves, each once, in order of the alphabet.
func plain(all []string) []choice {
	set := map[string]bool{}
	for _, name := range all {
		set[name] = true
	}
	delete(set, "")
	return of(slices.Sorted(maps.Keys(set)), func(name string) choice { return choice{name, name} })
}

// projectChoices show names and stand for ids, as a name may be there in two domains.
func projectChoices(all []wireProject) []choice {
	count := map[string]int{}
	for _, p := range all {
		count[p.Name]++
	}
	return of(all, func(p wireProject) choice {
		if count[p.Name] > 1 {
			return choice{p.Name + " (" + p.ID + ")", p.ID}
		}
		return choice{p.Name, p.ID}
	})
}

// choices are the fixed lists of the query editor.
func choices() map[string]any {
	byType := map[string]any{}
	for _, t := range types {
		k, _ := kindOf(query{Type: t})
		byType[t] = map[string]any{"formats": k.formats, "values": k.values}
	}
	return map[string]any{"types": byType, "tierValues": tierValues, "views": views, "groups": groups, "shows": shows, "severities": severities, "names": nameable}
}
