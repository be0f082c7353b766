package main

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/spf13/cobra"

	"mcloud/cmd/access"
	"mcloud/cmd/config"
	"mcloud/cmd/parts"
	"mcloud/cmd/progress"
	"mcloud/cmd/settings"
	"mcloud/collector/importer"
)

// remoteFlags are those of an import by remote read.
type remoteFlags struct {
	url, from, to   string
	match           []string
	client          config.Client
	window, timeout time.Duration
}

func (r *remoteFlags) register(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&r.url, "remote-read", "", "import from this address of a remote read instead of files")
	flags.StringVar(&r.from, "from", "", "the first time to import from a remote read: 2026-01-31 or 2026-01-31T08:00:00Z")
	flags.StringVar(&r.to, "to", "", "the time to end before (default: the last full hour)")
	flags.StringArrayVar(&r.match, "match", nil, "selector of series, may be given again (default: all series)")
	flags.StringVar(&r.client.User, "user", "", "user of the remote read, with --password-file")
	flags.StringVar(&r.client.PasswordFile, "password-file", "", "file with the user's password")
	flags.StringVar(&r.client.TokenFile, "token-file", "", "file with a bearer token of the remote read")
	flags.StringVar(&r.client.CA, "ca-file", "", "certificates, PEM, that the remote read is checked against")
	flags.DurationVar(&r.window, "window", 24*time.Hour, "the most time to ask for at once, in whole hours")
	flags.DurationVar(&r.timeout, "timeout", 10*time.Minute, "how long one answer may take")
}

// remote is what the flags say.
func (r *remoteFlags) remote(now time.Time) (importer.Remote, error) {
	made := importer.Remote{URL: r.url, Window: r.window, Timeout: r.timeout, To: now.Add(-5 * time.Minute).Truncate(time.Hour)}
	if (r.client.User != "") != (r.client.PasswordFile != "") {
		return made, fmt.Errorf("--user and --password-file belong together")
	}
	var err error
	if made.From, err = moment("--from", r.from); err != nil {
		return made, err
	}
	if r.to != "" {
		if made.To, err = moment("--to", r.to); err != nil {
			return made, err
		}
	}
	matches := r.match
	if len(matches) == 0 {
		matches = []string{`{__name__=~".+"}`}
	}
	for _, m := range matches {
		matchers, err := parser.NewParser(parser.Options{}).ParseMetricSelector(m)
		if err != nil {
			return made, fmt.Errorf("--match %s: %w", m, err)
		}
		made.Selectors = append(made.Selectors, matchers)
	}
	made.Transport, err = access.Transport(r.client, r.url)
	return made, err
}

func moment(flag, text string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%s %q: want a time like 2026-01-31 or 2026-01-31T08:00:00Z", flag, text)
}

// month is what speed is told in.
const month = 30 * 24 * time.Hour

func importRemote(cmd *cobra.Command, s *settings.Settings, flags *remoteFlags) error {
	remote, err := flags.remote(time.Now())
	if err != nil {
		return err
	}
	f, logger, err := load(s)
	if err != nil {
		return err
	}
	store, closeStore, err := parts.ImportStore(cmd.Context(), f, logger)
	if err != nil {
		return err
	}
	defer closeStore()
	began := time.Now()
	months := func(r importer.RemoteResult) float64 {
		return r.Done.Hours() / month.Hours() / time.Since(began).Minutes()
	}
	remote.Progress = func(r importer.RemoteResult) {
		progress.Line(cmd.ErrOrStderr(), "%s, %.0f %% of %.1f months, %.2f months a minute, %d samples", r.At.Format("2006-01-02 15:04"),
			100*(r.Before+r.Done).Hours()/cmp.Or(r.Total.Hours(), 1), r.Total.Hours()/month.Hours(), months(r), r.Samples)
	}
	r, err := importer.RunRemote(cmd.Context(), importer.Options{Store: store, StateDir: filepath.Join(f.DataDir, "import")}, remote)
	progress.Line(cmd.ErrOrStderr(), "")
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "imported %d samples of %.1f days in %.1f s, %.2f months a minute; %.1f days were stored before\n",
		r.Samples, r.Done.Hours()/24, time.Since(began).Seconds(), months(r), r.Before.Hours()/24)
	if n, text := passedOver(r.Histograms); n > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "%d native histograms were passed over, the long-term store keeps floats: %s\n", n, text)
	}
	return nil
}

// passedOver counts histograms and names their metrics, the most frequent first.
func passedOver(histograms map[string]int) (n int, text string) {
	names := slices.SortedFunc(maps.Keys(histograms), func(a, b string) int {
		return cmp.Or(histograms[b]-histograms[a], strings.Compare(a, b))
	})
	var shown []string
	for i, name := range names {
		n += histograms[name]
		if i < 10 {
			shown = append(shown, fmt.Sprintf("%s (%d)", cmp.Or(name, labels.EmptyLabels().String()), histograms[name]))
		}
	}
	text = strings.Join(shown, ", ")
	if more := len(names) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more metrics", more)
	}
	return n, text
}
