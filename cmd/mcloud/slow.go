package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

	"mcloud"
	"mcloud/cmd/parts"
	"mcloud/cmd/settings"
)

func slowQueriesCommand(s *settings.Settings) *cobra.Command {
	var since, output string
	var top int
	command := &cobra.Command{
		Use:   "slow-queries",
		Short: "List the queries that took longest or ran into a limit",
		Long: `List the queries of PromQL that took longer than collector.query.slow (5 s), or that
ran into a limit of samples or time, whole or with the part of them that the
long-term store answers. Those that took longest come first. The store keeps them
for 90 days, of all collectors; it must run. The collector shows the same at
/api/v1/status/slow_queries?since=24h&top=20.

The reason is slow, limit (of samples), timeout, error or cancelled.`,
		Example: `  mcloud store slow-queries --config mcloud.yaml
  mcloud store slow-queries --since 7d --top 5
  mcloud store slow-queries --since 1h --output json | jq '.[].expression'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "table" && output != "json" {
				return fmt.Errorf("--output %q: want table or json", output)
			}
			ago, err := model.ParseDuration(since)
			if err != nil {
				return fmt.Errorf("--since %q: %w: want something like 90m, 24h or 7d", since, err)
			}
			f, logger, err := load(s)
			if err != nil {
				return err
			}
			queries, err := parts.SlowQueries(cmd.Context(), f, time.Now().Add(-time.Duration(ago)), top, logger)
			if err != nil {
				return err
			}
			return writeSlowQueries(cmd.OutOrStdout(), output, since, queries)
		},
	}
	flags := command.Flags()
	flags.StringVar(&since, "since", "24h", "how far to look back, as in PromQL")
	flags.IntVar(&top, "top", 20, "how many")
	flags.StringVarP(&output, "output", "o", "table", "table, json")
	return command
}

func writeSlowQueries(w io.Writer, output, since string, queries []mcloud.SlowQuery) error {
	if output == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(queries)
	}
	if len(queries) == 0 {
		_, err := fmt.Fprintf(w, "no slow queries in the last %s\n", since)
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "BEGAN (UTC)\tSECONDS\tREASON\tSAMPLES\tASKED FOR\tBY\tEXPRESSION")
	for _, q := range queries {
		fmt.Fprintf(t, "%s\t%.1f\t%s\t%d\t%s\t%s\t%s\n", q.Time.Format(time.DateTime), q.Seconds, q.Reason, q.Samples, askedFor(q), line(cmp.Or(q.User, "-"), 20), line(q.Expression, 100))
	}
	return t.Flush()
}

// askedFor is how much time a query looks at, and how finely.
func askedFor(q mcloud.SlowQuery) string {
	if q.Kind == "instant" {
		return "an instant"
	}
	step := time.Duration(q.StepSeconds * float64(time.Second))
	return model.Duration(q.End.Sub(q.Start).Truncate(time.Second)).String() + " by " + model.Duration(step).String()
}

// line is a text in one line of at most n signs.
func line(text string, n int) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if signs := []rune(text); len(signs) > n {
		text = string(signs[:n-1]) + "…"
	}
	return text
}
