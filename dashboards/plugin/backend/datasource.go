// Package backend is the back end of the Grafana data source: it asks mCloud's planner
// over HTTP and answers with data frames. New makes a Datasource of a data source's
// settings; gpx_mcloud_planner beside this package serves it to Grafana.
//
// It knows the planner by its HTTP API alone, computes nothing that the planner could,
// and never shows a secret: not in an error, not in a log.
package backend

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/instancemgmt"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// ID is the plugin's, as in plugin.json.
const ID = "mcloud-planner-datasource"

// queriesAtOnce bounds how many queries of one request are answered side by side.
const queriesAtOnce = 4

// Datasource answers for one data source of Grafana's. It may be used concurrently.
type Datasource struct {
	client *client
	wrong  error // why there is no client
	now    func() time.Time
	serve  backend.CallResourceHandler
}

var (
	_ backend.QueryDataHandler      = (*Datasource)(nil)
	_ backend.CheckHealthHandler    = (*Datasource)(nil)
	_ backend.CallResourceHandler   = (*Datasource)(nil)
	_ instancemgmt.InstanceDisposer = (*Datasource)(nil)
)

// New makes a Datasource. One that is not set up properly says so in every answer, as
// Grafana would show nobody an error from here.
func New(ctx context.Context, in backend.DataSourceInstanceSettings) (instancemgmt.Instance, error) {
	return newDatasource(ctx, in, time.Now), nil
}

func newDatasource(ctx context.Context, in backend.DataSourceInstanceSettings, now func() time.Time) *Datasource {
	d := &Datasource{now: now}
	s, err := readSettings(ctx, in)
	if err == nil {
		d.client, err = newClient(s)
	}
	d.wrong = err
	d.serve = resources(d)
	return d
}

// Dispose lets go of the connections.
func (d *Datasource) Dispose() {
	if d.client != nil {
		d.client.close()
	}
}

func (d *Datasource) round() *round { return &round{client: d.client, asked: map[string]*answer{}} }

// QueryData answers the queries of a panel, an alert rule or an annotation, each for itself.
func (d *Datasource) QueryData(ctx context.Context, request *backend.QueryDataRequest) (*backend.QueryDataResponse, error) {
	all := backend.NewQueryDataResponse()
	alone := request.Headers[backend.FromAlertHeaderName] != "" || request.GetHTTPHeader(fromExpression) != ""
	r := d.round()
	var lock sync.Mutex
	var wait sync.WaitGroup
	slots := make(chan struct{}, queriesAtOnce)
	for _, q := range request.Queries {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			answer := d.query(ctx, r, q, alone)
			lock.Lock()
			defer lock.Unlock()
			all.Responses[q.RefID] = answer
		})
	}
	wait.Wait()
	return all, nil
}

// fromExpression is the header by which Grafana's expressions are known.
const fromExpression = "X-Grafana-From-Expr"

func (d *Datasource) query(ctx context.Context, r *round, in backend.DataQuery, alone bool) (answer backend.DataResponse) {
	// One query that breaks does not take the others' answers with it.
	defer func() {
		if v := recover(); v != nil {
			backend.Logger.Error("a query broke", "refId", in.RefID, "queryType", in.QueryType, "error", fmt.Sprint(v))
			answer = response(fmt.Errorf("the plugin broke on this query; Grafana's log has more"))
		}
	}()
	if d.wrong != nil {
		return response(d.wrong)
	}
	q, err := readQuery(in, alone)
	if err != nil {
		return response(err)
	}
	frames, err := d.answers(q.Type)(ctx, r, q)
	if err != nil {
		return response(err)
	}
	for _, f := range frames {
		f.RefID = in.RefID
	}
	return backend.DataResponse{Status: http.StatusOK, Frames: frames}
}

// answers is what answers a type of query; readQuery refused the others.
func (d *Datasource) answers(queryType string) func(context.Context, *round, query) (data.Frames, error) {
	switch queryType {
	case typeCapacity:
		return d.capacity
	case typeForecast:
		return d.forecast
	case typeHeadroom:
		return d.headroom
	case typePlans:
		return d.plans
	case typeUsage:
		return d.usage
	}
	return d.events
}

// CheckHealth asks the planner how it does and says whom was asked, as whom, and what came.
func (d *Datasource) CheckHealth(ctx context.Context, _ *backend.CheckHealthRequest) (*backend.CheckHealthResult, error) {
	bad := func(message string) (*backend.CheckHealthResult, error) {
		return &backend.CheckHealthResult{Status: backend.HealthStatusError, Message: message}, nil
	}
	if d.wrong != nil {
		return bad(d.wrong.Error())
	}
	r := d.round()
	status, err := fetch[wireStatus](ctx, r, "/api/v1/status", nil)
	if err != nil {
		return bad(failureOf(err).message)
	}
	if status.Cloud == "" {
		return bad(fmt.Sprintf("GET %s/api/v1/status is answered, but not by mCloud's planner: it names no cloud; see the data source's URL", d.client.settings.url))
	}
	// An old planner, or one that does not tell: the version is only for show.
	configuration, _ := fetch[wireConfiguration](ctx, r, "/api/v1/configuration", nil)
	version := "of unknown version"
	if configuration.Version != "" {
		version = configuration.Version
	}
	message := fmt.Sprintf("mCloud's planner %s at %s, cloud %s, asked as %s.", version, d.client.settings.url, status.Cloud, d.client.settings.who())
	switch {
	case status.Runs == 0:
		message += " The first plan is still being made: queries wait for it."
	case status.Runs == status.Failures:
		return bad(message + " It has no plan: " + bounded(status.LastError))
	default:
		message += " Its last plan is of " + status.LastRun.UTC().Format(time.RFC3339) + "."
		if status.LastError != "" {
			message += " The newest attempt failed: " + strings.TrimSuffix(bounded(status.LastError), ".") + "."
		}
		if status.Missing > 0 {
			message += fmt.Sprintf(" %d parts of it are missing; the report says which.", status.Missing)
		}
	}
	return &backend.CheckHealthResult{Status: backend.HealthStatusOk, Message: message}, nil
}

// CallResource answers the query editor and the variables.
func (d *Datasource) CallResource(ctx context.Context, request *backend.CallResourceRequest, sender backend.CallResourceResponseSender) error {
	return d.serve.CallResource(ctx, request, sender)
}
