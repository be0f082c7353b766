package httpapi

import (
	_ "embed"
	"html/template"
	"net/http"
	"time"

	"github.com/prometheus/prometheus/scrape"
)

// Part is a line of the status page about something that runs beside the collector.
type Part struct {
	Name  string // "exporter"
	State string // "running", or what is wrong
	URL   string // where it listens; may be empty
}

//go:embed status.html
var statusHTML string

var statusTemplate = template.Must(template.New("status").Parse(statusHTML))

type statusData struct {
	Version    string
	Now, Since string
	Up, Down   []target
	Firing     int
	Alerts     []alertState
	Managers   []string
	Parts      []Part
}

type target struct{ Job, URL, Error string }

type alertState struct{ Name, State string }

func statusPage(o Options) http.Handler {
	started := time.Now()
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		d := statusData{Version: o.Version, Now: stamp(time.Now()), Since: stamp(started)}
		for job, targets := range o.Targets.TargetsActive() {
			for _, t := range targets {
				s := target{Job: job, URL: t.URL().Redacted()}
				if t.Health() == scrape.HealthGood {
					d.Up = append(d.Up, s)
					continue
				}
				s.Error = "not scraped yet"
				if err := t.LastError(); err != nil {
					s.Error = err.Error()
				}
				d.Down = append(d.Down, s)
			}
		}
		for _, r := range o.Rules.AlertingRules() {
			if n := len(r.ActiveAlerts()); n > 0 {
				d.Firing += n
				d.Alerts = append(d.Alerts, alertState{r.Name(), r.State().String()})
			}
		}
		for _, u := range o.Alertmanagers.Alertmanagers() {
			d.Managers = append(d.Managers, u.Redacted())
		}
		if o.Parts != nil {
			d.Parts = o.Parts()
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		if err := statusTemplate.Execute(w, d); err != nil {
			o.Logger.Debug("status page was not sent whole", "err", err)
		}
	})
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
