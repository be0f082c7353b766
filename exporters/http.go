package exporters

import (
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"
)

// Handler serves /metrics from memory in the text format, /healthz (200 while the process lives),
// /-/ready (200 once every Source has ended a look, 503 naming the others until
// then) and a page for people at /.
func (r *Runner) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", r.metricsHandler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /-/ready", r.serveReady)
	mux.HandleFunc("GET /{$}", r.servePeople)
	return mux
}

func (r *Runner) serveReady(w http.ResponseWriter, _ *http.Request) {
	select {
	case <-r.ready:
		fmt.Fprintln(w, "ready")
	default:
		http.Error(w, "waiting for the first look of: "+strings.Join(r.Waiting(), ", "), http.StatusServiceUnavailable)
	}
}

var peoplePage = template.Must(template.New("").Parse(`<!doctype html><html lang="en"><meta charset="utf-8"><title>mcloud exporter</title>
<style>body{font:15px system-ui,sans-serif;margin:2em}td,th{padding:.2em .8em;text-align:left}
.ok{color:#080}.partial{color:#a60}.failing{color:#b00}.absent{color:#777}</style>
<h1>mcloud exporter</h1><p><a href="metrics">metrics</a> · <a href="-/ready">ready</a> · <a href="healthz">health</a></p>
<table><tr><th>source<th>system<th>state<th>objects<th>failed<th>series<th>took<th>period<th>last good look (UTC)</tr>
{{range .}}<tr><td>{{.Name}}<td>{{.System}}<td class="{{.State}}">{{.State}}<td>{{.Seen}}<td>{{.Failed}}<td>{{.Series}}<td>{{.Took}}<td>{{.Period}}<td>{{.Last}}</tr>
{{end}}</table></html>
`))

type peopleRow struct {
	Name, System, State  string
	Seen, Failed, Series int
	Took, Period         time.Duration
	Last                 string
}

func (r *Runner) servePeople(w http.ResponseWriter, _ *http.Request) {
	r.mu.RLock()
	tasks := r.tasks
	r.mu.RUnlock()
	rows := make([]peopleRow, len(tasks))
	for i, t := range tasks {
		rows[i] = t.row()
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := peoplePage.Execute(w, rows); err != nil {
		r.logger.Debug("page was not delivered", "error", err.Error())
	}
}

func count(chunks []chunk) (series int) {
	for _, c := range chunks {
		series += c.n
	}
	return series
}

func (t *task) row() peopleRow {
	t.mu.Lock()
	defer t.mu.Unlock()
	row := peopleRow{
		Name: t.source.Name, System: t.source.System, State: string(t.health),
		Seen: t.last.seen, Failed: t.last.failed, Series: count(t.chunks),
		Took: t.last.took.Round(time.Millisecond), Period: t.source.Period, Last: "never",
	}
	if t.health == healthNew {
		row.State = "waiting"
	}
	if !t.taken.IsZero() {
		row.Last = t.taken.UTC().Format(time.RFC3339)
	}
	return row
}
