package collector

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	// Ways to find targets that a configuration may use.
	_ "github.com/prometheus/prometheus/discovery/dns"
	_ "github.com/prometheus/prometheus/discovery/file"
	_ "github.com/prometheus/prometheus/discovery/http"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// configuration is a whole and valid one: no file of it is unreadable or wrong.
type configuration struct {
	*config.Config
	// bundled are the rule files that come with the program, by path below the rules
	// directory.
	bundled map[string][]byte
}

// load reads and checks everything, and changes nothing.
func (c *Collector) load(ctx context.Context) (*configuration, error) {
	src := c.opts.Config
	text, err := src.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w %s cannot be read: %w", ErrConfig, src.Name, err)
	}
	cfg, err := config.Load(string(text), slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrConfig, src.Name, err)
	}
	if cfg.StorageConfig.ExemplarsConfig == nil {
		exemplars := config.DefaultExemplarsConfig
		cfg.StorageConfig.ExemplarsConfig = &exemplars
	}
	cfg.SetDirectory(src.Dir)
	if _, err := cfg.GetScrapeConfigs(); err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrConfig, src.Name, err)
	}
	if t := cfg.StorageConfig.TSDBConfig; t != nil && t.OutOfOrderTimeWindow > 0 {
		return nil, fmt.Errorf("%w %s: storage.tsdb.out_of_order_time_window is not supported: the long-term store gets samples in the order of their times; remove it", ErrConfig, src.Name)
	}
	for name, used := range map[string]bool{"remote_write": len(cfg.RemoteWriteConfigs) > 0, "remote_read": len(cfg.RemoteReadConfigs) > 0} {
		if used {
			c.logger.Warn("this section of the configuration is not run here", "config", src.Name, "section", name)
		}
	}
	scheme := cfg.GlobalConfig.MetricNameValidationScheme
	for _, pattern := range cfg.RuleFiles {
		files, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("%w %s: rule_files %q: %w", ErrConfig, src.Name, pattern, err)
		}
		if len(files) == 0 {
			c.logger.Warn("no rule file matches", "config", src.Name, "rule_files", pattern)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				return nil, fmt.Errorf("%w: rule file: %w", ErrConfig, err)
			}
			if err := checkRules(f, text, scheme, c.parser); err != nil {
				return nil, err
			}
		}
	}
	bundled, err := readRules(c.opts.RuleFS, scheme, c.parser)
	if err != nil {
		return nil, err
	}
	return &configuration{Config: cfg, bundled: bundled}, nil
}

func readRules(rules fs.FS, scheme model.ValidationScheme, p parser.Parser) (map[string][]byte, error) {
	out := map[string][]byte{}
	if rules == nil {
		return out, nil
	}
	err := fs.WalkDir(rules, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".yml") && !strings.HasSuffix(path, ".yaml") {
			return err
		}
		text, err := fs.ReadFile(rules, path)
		if err != nil {
			return err
		}
		out[path] = text
		return checkRules(path, text, scheme, p)
	})
	if err != nil && !errors.Is(err, ErrConfig) {
		err = fmt.Errorf("%w: bundled rule files: %w", ErrConfig, err)
	}
	return out, err
}

func checkRules(name string, text []byte, scheme model.ValidationScheme, p parser.Parser) error {
	if _, errs := rulefmt.Parse(text, false, scheme, p, slog.New(slog.DiscardHandler)); len(errs) > 0 {
		return fmt.Errorf("%w: rule file %s: %w", ErrConfig, name, errors.Join(errs...))
	}
	return nil
}

// installRules writes the bundled rule files below dir and returns the paths of all
// rule files.
func (c *configuration) installRules(dir string) ([]string, error) {
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("clear the directory of bundled rules: %w", err)
	}
	var files []string
	for name, text := range c.bundled {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return nil, fmt.Errorf("write bundled rules: %w", err)
		}
		if err := os.WriteFile(path, text, 0o640); err != nil {
			return nil, fmt.Errorf("write bundled rules: %w", err)
		}
		files = append(files, path)
	}
	for _, pattern := range c.RuleFiles {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("%w: rule_files %q: %w", ErrConfig, pattern, err)
		}
		files = append(files, matches...)
	}
	return files, nil
}
