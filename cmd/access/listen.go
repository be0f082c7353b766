package access

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v3"

	"mcloud/cmd/config"
)

// TLS serves with the certificate in t's files, and with what is in them when they
// change; nil without one. TLS 1.2 is the oldest.
func TLS(t config.TLS, key string, logger *slog.Logger) (*tls.Config, error) {
	if t.Cert == "" {
		return nil, nil
	}
	f, err := openFiles(key, logger, time.Now, func(contents [][]byte) (*tls.Certificate, error) {
		c, err := tls.X509KeyPair(contents[0], contents[1])
		if err != nil {
			return nil, fmt.Errorf("%s and %s: %w", t.Cert, t.Key, err)
		}
		if c.Leaf != nil && time.Now().After(c.Leaf.NotAfter) {
			logger.Warn("the certificate has expired", "key", key, "since", c.Leaf.NotAfter)
		}
		return &c, nil
	}, t.Cert, t.Key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.get(), nil },
	}, nil
}

// Check says whether l may be served: off loopback it needs TLS, and somebody to ask for.
func (g *Gate) Check(l config.Listener) error {
	toolkit, err := readWebConfig(l)
	if err != nil {
		return err
	}
	if toolkit.users && g.asks {
		return fmt.Errorf("%w: %s.web_config has basic_auth_users, and access names who may ask as well: write the users into access.users and take them out of %s", errConfig, l.Name, l.WebConfig)
	}
	if toolkit.tls && l.TLS.Cert != "" {
		return fmt.Errorf("%w: %s.tls and the tls_server_config of %s.web_config, one of them", errConfig, l.Name, l.Name)
	}
	return Exposed(l, l.TLS.Cert != "" || toolkit.tls, g.asks || toolkit.users, "access.users, access.tokens or access.keystone", g.logger)
}

// ErrExposed is wrapped by the error about a listener that would be open to the network.
var ErrExposed = errors.New("not served")

// Exposed is an error when l is not on loopback and has no TLS or asks nobody who they are,
// unless the configuration says that it is to be so.
func Exposed(l config.Listener, encrypted, asks bool, who string, logger *slog.Logger) error {
	if l.Loopback() || encrypted && asks {
		return nil
	}
	var lacks []string
	if !encrypted {
		lacks = append(lacks, "TLS ("+l.Name+".tls)")
	}
	if !asks {
		lacks = append(lacks, "credentials to ask for ("+who+")")
	}
	if l.Insecure {
		logger.Warn("this listener is open to the network without "+strings.Join(lacks, " and ")+", because "+l.Name+".insecure says so", "address", l.Listen)
		return nil
	}
	return fmt.Errorf("%w: %w: %s.listen: %s is not on loopback and so needs %s; %s.insecure: true serves it without", errConfig, ErrExposed, l.Name, l.Listen, strings.Join(lacks, " and "), l.Name)
}

// toolkit is what a web_config says about access.
type toolkit struct{ tls, users bool }

// readWebConfig looks into the file of exporter-toolkit, which serves with it itself.
func readWebConfig(l config.Listener) (toolkit, error) {
	if l.WebConfig == "" {
		return toolkit{}, nil
	}
	if err := web.Validate(l.WebConfig); err != nil {
		return toolkit{}, fmt.Errorf("%w: %s.web_config %s: %w", errConfig, l.Name, l.WebConfig, err)
	}
	file, err := os.Open(l.WebConfig)
	if err != nil {
		return toolkit{}, fmt.Errorf("%w: %s.web_config: %w", errConfig, l.Name, err)
	}
	defer file.Close()
	var content struct {
		TLS   map[string]any    `yaml:"tls_server_config"`
		Users map[string]string `yaml:"basic_auth_users"`
	}
	if err := yaml.NewDecoder(io.LimitReader(file, maxFile)).Decode(&content); err != nil && err != io.EOF {
		return toolkit{}, fmt.Errorf("%w: %s.web_config %s cannot be read", errConfig, l.Name, l.WebConfig)
	}
	return toolkit{tls: len(content.TLS) > 0, users: len(content.Users) > 0}, nil
}
