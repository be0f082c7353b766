package exporters

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
)

// List is the catalogue of metrics: every Family that the Sources declare and
// those of the Runner itself, each once, by name. Labels are completed with the
// names of the Sources' Const labels, which come first.
func List(sources []Source) []Family {
	byName := map[string]Family{}
	for _, f := range SelfFamilies() {
		byName[f.Name] = *f
	}
	for _, s := range sources {
		for _, f := range s.Families {
			full := *f
			full.Labels = append(constNames(s), f.Labels...)
			byName[f.Name] = full
		}
	}
	all := make([]Family, 0, len(byName))
	for _, f := range byName {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b Family) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func constNames(s Source) []string {
	names := make([]string, 0, len(s.Const))
	for name := range s.Const {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Lint returns what Prometheus's naming rules have against the families, one
// line for each complaint, in the order of families.
func Lint(families []Family) []string {
	var complaints []string
	for _, f := range families {
		problems, err := promlint.NewWithMetricFamilies([]*dto.MetricFamily{f.proto()}).Lint()
		if err != nil {
			complaints = append(complaints, fmt.Sprintf("%s: %v", f.Name, err))
		}
		for _, p := range problems {
			complaints = append(complaints, p.Metric+": "+p.Text)
		}
	}
	return complaints
}

func (f Family) proto() *dto.MetricFamily {
	kind := dto.MetricType_GAUGE
	one := 1.0
	metric := &dto.Metric{Gauge: &dto.Gauge{Value: &one}}
	if f.Type == Counter {
		kind = dto.MetricType_COUNTER
		metric = &dto.Metric{Counter: &dto.Counter{Value: &one}}
	}
	empty := ""
	for i := range f.Labels {
		metric.Label = append(metric.Label, &dto.LabelPair{Name: &f.Labels[i], Value: &empty})
	}
	return &dto.MetricFamily{Name: &f.Name, Help: &f.Help, Type: &kind, Metric: []*dto.Metric{metric}}
}

// Formats are the values that Write takes.
var Formats = []string{"table", "json", "md"}

// Write prints a catalogue as an aligned table for a terminal, as JSON for
// programs, or as Markdown for documentation.
func Write(w io.Writer, format string, families []Family) error {
	switch format {
	case "table":
		return writeTable(w, families)
	case "json":
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(families)
	case "md":
		return writeMarkdown(w, families)
	}
	return fmt.Errorf("unknown format %q, want one of %s", format, strings.Join(Formats, ", "))
}

// mostLabels is how many labels the table shows: one metric with nine would
// push every help text off the screen. The other formats have them all.
const mostLabels = 4

func writeTable(w io.Writer, families []Family) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "METRIC\tTYPE\tUNIT\tSET\tLABELS\tHELP")
	for _, f := range families {
		labels := strings.Join(f.Labels[:min(mostLabels, len(f.Labels))], ",")
		if more := len(f.Labels) - mostLabels; more > 0 {
			labels += fmt.Sprintf(",+%d", more)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", f.Name, f.Type, orDash(f.Unit), f.Set, orDash(labels), f.Help)
	}
	return t.Flush()
}

func orDash(s string) string { return cmp.Or(s, "-") }

func writeMarkdown(w io.Writer, families []Family) error {
	var b strings.Builder
	b.WriteString("| metric | type | unit | labels | set | meaning | from |\n|---|---|---|---|---|---|---|\n")
	cell := strings.NewReplacer("|", `\|`, "\n", " ")
	for _, f := range families {
		labels := ""
		if len(f.Labels) > 0 {
			labels = "`" + strings.Join(f.Labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s | %s |\n",
			f.Name, f.Type, f.Unit, labels, f.Set, cell.Replace(f.Help), cell.Replace(f.Call))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
