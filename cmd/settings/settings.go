// Package settings are the flags that the programs share, each with an
// environment variable of the same name, and how they change the configuration
// file: flag before environment before file before default.
package settings

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"mcloud/cmd/config"
)

// Settings are the values of the shared flags.
type Settings struct {
	Config   string
	DataDir  string
	LogLevel string
	LogJSON  bool
	Insecure bool

	CollectorListen, ExporterListen, StoreListen, PlannerListen string
	StoreURL, StoreLibrary                                      string
}

// AddFlags defines the flags; their defaults come from the environment.
func (s *Settings) AddFlags(flags *pflag.FlagSet) {
	text := func(into *string, name, fallback, usage string) {
		flags.StringVar(into, name, FromEnvironment(name, fallback), usage+" [$"+Variable(name)+"]")
	}
	text(&s.Config, "config", "", "the configuration file, mcloud.yaml")
	text(&s.DataDir, "data-dir", "", "where everything is kept (default from the file, else ./data)")
	text(&s.CollectorListen, "collector.listen", "", "address of the collector (default "+config.DefaultCollectorListen+")")
	text(&s.ExporterListen, "exporter.listen", "", "address of the exporter (default "+config.DefaultExporterListen+")")
	text(&s.StoreListen, "store.listen", "", "address of the embedded store (default "+config.DefaultStoreListen+")")
	text(&s.PlannerListen, "planner.listen", "", "address of the planner (default "+config.DefaultPlannerListen+")")
	text(&s.StoreURL, "store.url", "", "a ClickHouse server's HTTP interface instead of the embedded store")
	text(&s.StoreLibrary, "store.library", "", "path of libchdb.so (default: where deploy/libchdb/install put it)")
	flags.BoolVar(&s.Insecure, "insecure", FromEnvironment("insecure", "") == "true", "serve on addresses off loopback without TLS and without asking who asks [$"+Variable("insecure")+"]")
	text(&s.LogLevel, "log.level", "info", "debug, info, warn or error")
	flags.BoolVar(&s.LogJSON, "log.json", FromEnvironment("log.json", "") == "true", "log in JSON [$"+Variable("log.json")+"]")
}

// Variable is the environment variable of a flag: MCLOUD_COLLECTOR_LISTEN.
func Variable(flag string) string {
	return "MCLOUD_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(flag))
}

// FromEnvironment is the flag's variable, or fallback.
func FromEnvironment(flag, fallback string) string {
	if v, ok := os.LookupEnv(Variable(flag)); ok {
		return v
	}
	return fallback
}

// Load reads the file named by --config and lets the flags change it.
func (s *Settings) Load() (config.File, error) {
	if s.Config == "" {
		return config.File{}, fmt.Errorf("%w: no file; name it with --config or %s, or try mcloud run --demo", config.ErrConfig, Variable("config"))
	}
	f, err := config.Load(s.Config)
	if err != nil {
		return config.File{}, err
	}
	return f, s.Apply(&f)
}

// Apply lets the flags change f.
func (s *Settings) Apply(f *config.File) error {
	if s.DataDir != "" {
		f.DataDir = s.DataDir
	}
	dir, err := filepath.Abs(f.DataDir)
	if err != nil {
		return fmt.Errorf("data directory %s: %w", f.DataDir, err)
	}
	f.DataDir = dir
	for value, into := range map[*string]*string{
		&s.CollectorListen: &f.Collector.Listen, &s.ExporterListen: &f.Exporter.Listen, &s.StoreListen: &f.Store.Listen,
		&s.PlannerListen: &f.Planner.Listen, &s.StoreURL: &f.Store.URL, &s.StoreLibrary: &f.Store.Library,
	} {
		if *value != "" {
			*into = *value
		}
	}
	if s.Insecure {
		f.Exporter.Insecure, f.Collector.Insecure, f.Store.Insecure, f.Planner.Insecure = true, true, true, true
	}
	if err := f.Validate(); err != nil {
		return fmt.Errorf("%w: %w", config.ErrConfig, err)
	}
	return nil
}

// Logger writes to w as the flags say.
func (s *Settings) Logger(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.LogLevel)); err != nil {
		return nil, fmt.Errorf("--log.level: %q, want debug, info, warn or error", s.LogLevel)
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			a.Value = slog.StringValue(a.Value.Time().UTC().Format("2006-01-02T15:04:05.000Z"))
		}
		return a
	}}
	if s.LogJSON {
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return slog.New(slog.NewTextHandler(w, options)), nil
}
