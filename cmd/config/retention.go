package config

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Retention is how long the store keeps samples and their rollups. What is not
// set has a default: raw 90d, five_minutes 365d, hour forever; in a class, the
// age of the metrics that are in none.
type Retention struct {
	Raw         Age              `yaml:"raw"`
	FiveMinutes Age              `yaml:"five_minutes"`
	Hour        Age              `yaml:"hour"`
	Classes     []RetentionClass `yaml:"classes"`
}

// RetentionClass is metrics with ages of their own; the first class that names a
// metric counts.
type RetentionClass struct {
	Name        string  `yaml:"name"`
	Metrics     Pattern `yaml:"metrics"`
	Raw         Age     `yaml:"raw"`
	FiveMinutes Age     `yaml:"five_minutes"`
	Hour        Age     `yaml:"hour"`
}

// Forever is an Age that nothing reaches.
const Forever = time.Duration(1<<63 - 1)

// Age reads "90d", "1y" and "forever", and remembers where it stood.
type Age struct {
	Duration time.Duration
	line     int
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (a *Age) UnmarshalYAML(n *yaml.Node) error {
	a.line = n.Line
	if n.Value == "forever" {
		a.Duration = Forever
		return nil
	}
	d, err := parseDuration(n.Value)
	if err != nil {
		return fmt.Errorf("line %d: %q is no age; write for example 90d, 1y or forever", n.Line, n.Value)
	}
	a.Duration = d
	return nil
}

// Pattern reads a regular expression that a whole name must match.
type Pattern struct {
	*regexp.Regexp
	line int
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (p *Pattern) UnmarshalYAML(n *yaml.Node) error {
	r, err := regexp.Compile("^(?:" + n.Value + ")$")
	if err != nil || n.Value == "" {
		cause := "it is empty"
		if err != nil {
			cause = strings.TrimPrefix(err.Error(), "error parsing regexp: ")
		}
		return fmt.Errorf("line %d: %q is no pattern of metric names (%s); write for example node_.* or ceph_osd_.*|ovs_.*", n.Line, n.Value, cause)
	}
	p.Regexp, p.line = r, n.Line
	return nil
}

// lineError is an error of a line of the file.
type lineError struct {
	line int
	text string
}

func (e lineError) Error() string { return e.text }

// Defaults of Retention.
const (
	DefaultRaw         = 90 * 24 * time.Hour
	DefaultFiveMinutes = 365 * 24 * time.Hour
)

func (r *Retention) defaults() {
	fill := func(raw, five, hour *Age, d Retention) {
		for age, d := range map[*Age]Age{raw: d.Raw, five: d.FiveMinutes, hour: d.Hour} {
			if age.Duration == 0 {
				age.Duration = d.Duration
			}
		}
	}
	fill(&r.Raw, &r.FiveMinutes, &r.Hour, Retention{Raw: Age{Duration: DefaultRaw}, FiveMinutes: Age{Duration: DefaultFiveMinutes}, Hour: Age{Duration: Forever}})
	for i := range r.Classes {
		c := &r.Classes[i]
		fill(&c.Raw, &c.FiveMinutes, &c.Hour, *r)
	}
}

func (r Retention) validate() error {
	if err := ages("store.retention", r.Raw, r.FiveMinutes, r.Hour); err != nil {
		return err
	}
	names := map[string]bool{}
	for i, c := range r.Classes {
		at := fmt.Sprintf("store.retention.classes[%d]", i)
		line := max(c.Metrics.line, c.Raw.line, c.FiveMinutes.line, c.Hour.line)
		switch {
		case c.Name == "":
			return lineError{line, at + ".name: no name; it says in the log whose samples went"}
		case names[c.Name]:
			return lineError{line, fmt.Sprintf("%s.name: %q is there twice", at, c.Name)}
		case c.Metrics.Regexp == nil:
			return lineError{line, fmt.Sprintf("%s (%s).metrics: no pattern; write for example metrics: node_.*", at, c.Name)}
		}
		names[c.Name] = true
		if err := ages(at+" ("+c.Name+")", c.Raw, c.FiveMinutes, c.Hour); err != nil {
			return err
		}
	}
	return nil
}

// ages wants a day at least, and what is coarser kept as long as what is finer.
func ages(at string, raw, five, hour Age) error {
	switch {
	case raw.Duration < 24*time.Hour:
		return lineError{raw.line, fmt.Sprintf("%s.raw: %s, samples are kept for a day at least", at, raw)}
	case five.Duration < raw.Duration:
		return lineError{max(five.line, raw.line), fmt.Sprintf("%s.five_minutes: %s is less than raw has, %s; a rollup is kept as long as what it is made of", at, five, raw)}
	case hour.Duration < five.Duration:
		return lineError{max(hour.line, five.line), fmt.Sprintf("%s.hour: %s is less than five_minutes has, %s; a rollup is kept as long as what it is made of", at, hour, five)}
	}
	return nil
}

func (a Age) String() string {
	switch {
	case a.Duration == Forever:
		return "forever"
	case a.Duration%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", a.Duration/(24*time.Hour))
	}
	return a.Duration.String()
}
