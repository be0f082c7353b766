package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mcloud/planner/forecast"
	"mcloud/planner/forecast/wide"
	"mcloud/planner/report"
)

// forecastFile are the values of the flags of forecast --input.
type forecastFile struct {
	input     string
	horizon   int
	periods   []int
	quantiles []float64
}

func forecastCommand(o *options) *cobra.Command {
	var f forecastFile
	var ask forecastQuestion
	c := &cobra.Command{
		Use:   "forecast SERIES | tier NAME | az NAME | --input FILE.csv",
		Short: "Forecast a series, a tier or a zone, or the series of a file, with quantiles",
		Long: `Foresee a quantity with the planner's own models, chosen and weighed by a backtest
on its own past. Each answer says which model it is of, what window of history it
was fitted to, the error that it made on the past, and how much of what came its
interval held.

SERIES is a name of the report ("nvme", "az-a", "vCPU in az-a") or a PromQL
expression, of which each series is forecast; "tier NAME" and "az NAME" are never
taken for an expression. A tier and a zone come with their limit and the dates at
which they reach it; give an expression one with --limit. --horizon is a duration
(90d, 26w). --seasonal foresees what swings with the day and the week, such as a load,
instead of what fills up.

With --input no planner needs to run. The file has a row for each series,
"id,value,value,…": values in order and equally far apart, the last ones may be
empty, an empty cell between values is a missing one. A first row without numbers
is a heading. "-" reads standard input. --horizon is then a number of steps.

The answer for a file as CSV has rows "id,step,mean,q…", step 1 right after the last
value; quantile cells are empty where a history is too short to tell any spread.
What limits a forecast is said on standard error, and in the JSON beside the
models, their weights and the backtest.`,
		Example: `  mcloud-plan forecast tier nvme
  mcloud-plan forecast az az-a --class VCPU --horizon 90d
  mcloud-plan forecast nvme --output csv
  mcloud-plan forecast 'sum(ceph_cluster_total_used_bytes)' --limit 1.5e15 --horizon 52w
  mcloud-plan forecast 'sum(rate(http_requests_total[1h]))' --seasonal --horizon 14d
  mcloud-plan forecast --input FILE.csv --horizon 48 --period 24 --quantiles 0.025,0.1,0.5,0.9,0.975 --output csv
  mcloud-plan forecast --input FILE.csv --horizon 13 --output json
  mcloud-plan forecast --input FILE.csv --horizon 90 --period 7`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.input == "" && len(args) > 0 {
				return ask.run(cmd, o, args)
			}
			if len(args) > 0 {
				return errors.New("--input forecasts the series of the file: name no series beside it")
			}
			for _, name := range []string{"class", "limit", "seasonal"} {
				if cmd.Flags().Changed(name) {
					return fmt.Errorf("--%s is for a forecast that a planner makes, not for --input", name)
				}
			}
			if text := ask.horizon; text != "" {
				var err error
				if f.horizon, err = strconv.Atoi(text); err != nil {
					return fmt.Errorf("--horizon %q: with --input it is a number of steps", text)
				}
			}
			return f.run(cmd, o)
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.input, "input", "", "forecast the series of this CSV file, - for standard input")
	flags.StringVar(&ask.horizon, "horizon", "", fmt.Sprintf("how far to look ahead: 90d or 26w (default: the planner's), with --input steps, 1 to %d", forecast.MaxSteps))
	flags.IntSliceVar(&f.periods, "period", nil, "with --input: steps in a season, such as 24 for hours; one or two (default: looked for in the values)")
	flags.Float64SliceVar(&f.quantiles, "quantiles", []float64{0.1, 0.5, 0.9}, "with --input: levels between 0 and 1")
	flags.StringVar(&ask.class, "class", "", "of a zone: only this resource class, VCPU, MEMORY_MB or DISK_GB")
	flags.StringVar(&ask.limit, "limit", "", "of an expression: when does it reach this")
	flags.BoolVar(&ask.seasonal, "seasonal", false, "of an expression: by the models that know days and weeks, for what does not fill up")
	return c
}

// forecastQuestion is a forecast that a planner is asked for.
type forecastQuestion struct {
	horizon, class, limit string
	seasonal              bool
}

func (q *forecastQuestion) run(cmd *cobra.Command, o *options, args []string) error {
	for _, name := range []string{"period", "quantiles"} {
		if cmd.Flags().Changed(name) {
			return fmt.Errorf("--%s is for --input: a planner tells P10, P50 and P90", name)
		}
	}
	query := map[string]string{"horizon": q.horizon, "class": q.class, "limit": q.limit}
	if q.seasonal {
		query["seasonal"] = "true"
	}
	switch {
	case len(args) == 1:
		query["series"] = args[0]
	case args[0] == "tier":
		query["tier"] = args[1]
	case args[0] == "az" || args[0] == "zone":
		query["zone"] = args[1]
	default:
		return fmt.Errorf("%q %q: write tier NAME, az NAME, or one expression in quotes", args[0], args[1])
	}
	return question[[]report.Forecast]{
		path: "/api/v1/forecast", query: query,
		choices: []string{"table", "json", "csv"},
		formats: map[string]func(io.Writer, []report.Forecast) error{
			"csv":   report.WriteForecastCSV,
			"table": report.WriteForecastTable,
		},
	}.ask(cmd, o)
}

// predicted is a series' forecast as the JSON has it.
type predicted struct {
	ID string `json:"id"`
	forecast.Prediction
}

func (f *forecastFile) run(cmd *cobra.Command, o *options) error {
	format, err := o.output.choose("table", "json", "csv")
	if err != nil {
		return err
	}
	series, err := f.read(cmd.InOrStdin())
	if err != nil {
		return err
	}
	all, err := f.predict(cmd.Context(), series, progress(cmd.ErrOrStderr(), len(series)))
	if err != nil {
		return err
	}
	for _, p := range all {
		for _, note := range p.Notes {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", p.ID, note)
		}
	}
	return o.output.write(cmd.OutOrStdout(), func(w io.Writer) error {
		switch format {
		case "json":
			encoder := json.NewEncoder(w)
			encoder.SetIndent("", "  ")
			return encoder.Encode(all)
		case "csv":
			rows := make([]wide.Forecast, len(all))
			for i, p := range all {
				rows[i] = wide.Forecast{ID: p.ID, Mean: p.Mean, Quantiles: p.Quantiles}
			}
			return wide.Write(w, f.quantiles, rows)
		}
		return forecastTable(w, all)
	})
}

func (f *forecastFile) read(stdin io.Reader) ([]wide.Series, error) {
	switch f.input {
	case "":
		return nil, errors.New("--input FILE.csv is missing: which series? Name one, tier NAME or az NAME, or a file")
	case "-":
		return wide.Read(stdin, "standard input")
	}
	file, err := os.Open(f.input)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return wide.Read(file, f.input)
}

// predict forecasts the series on all processors, in order.
func (f *forecastFile) predict(ctx context.Context, series []wide.Series, done func()) ([]predicted, error) {
	all := make([]predicted, len(series))
	failed := make([]error, len(series))
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(len(series), runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			for i := range next {
				p, err := forecast.Predict(series[i].Values, forecast.Request{Horizon: f.horizon, Periods: f.periods, Quantiles: f.quantiles})
				all[i], failed[i] = predicted{series[i].ID, p}, err
				done()
			}
		})
	}
	for i := range series {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	workers.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for i, err := range failed {
		if err != nil {
			return nil, fmt.Errorf("series %q: %w", series[i].ID, err)
		}
	}
	return all, nil
}

// progress says on a terminal how many of n are done, once a second at most.
func progress(w io.Writer, n int) func() {
	file, ok := w.(*os.File)
	if !ok {
		return func() {}
	}
	if info, err := file.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return func() {}
	}
	var mu sync.Mutex
	count, said := 0, time.Now()
	return func() {
		mu.Lock()
		defer mu.Unlock()
		count++
		if time.Since(said) >= time.Second || count == n && said.IsZero() {
			said = time.Now()
			fmt.Fprintf(file, "\r%d of %d series", count, n)
			if count == n {
				fmt.Fprintln(file)
			}
		}
	}
}

func forecastTable(w io.Writer, all []predicted) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "series\tpoints\tnext\tlast step\tmodel\terror of seasonal naive\t80 % held\t95 % held\t")
	for _, p := range all {
		tested := "not tested\t\t"
		if e := p.Evidence; e.Origins > 0 {
			tested = fmt.Sprintf("%.0f %% (%d origins)\t%.0f %%\t%.0f %%", 100*e.Relative, e.Origins, 100*e.Coverage80, 100*e.Coverage95)
		}
		fmt.Fprintf(t, "%s\t%d\t%.6g\t%.6g\t%s\t%s\t\n", p.ID, p.Points, p.Mean[0], p.Mean[len(p.Mean)-1], cmp.Or(p.Model, "none"), tested)
	}
	return t.Flush()
}
