package access

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	promconfig "github.com/prometheus/common/config"

	"mcloud/cmd/config"
)

// Our own programs ask each other with what access.client has. Where that says nothing,
// those of one machine present the token that they share (OwnToken), and trust the
// certificate that the configuration names for the listener.

// ClientOf is what a program of ours presents to the listener of f called name.
// remote says that its address was given by a url and so may be of another machine,
// which is given and trusted nothing but what access.client says.
func ClientOf(f config.File, name string, remote bool) config.Client {
	c, l := f.Access.Client, f.Listeners()[name]
	if remote {
		return c
	}
	if own := filepath.Join(f.DataDir, ownToken); c.TokenFile == "" && c.User == "" && f.Access.Asks() && readable(own) {
		c.TokenFile = own
	}
	if l.TLS.Cert != "" {
		if c.CA == "" {
			c.CA = l.TLS.Cert
		}
		if c.ServerName == "" {
			c.ServerName = nameIn(l)
		}
	}
	return c
}

func readable(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	return f.Close() == nil
}

// nameIn is a name of l's certificate, where l's address is none; "" where it is one, or
// the certificate cannot be read here.
func nameIn(l config.Listener) string {
	content, err := readBounded(l.TLS.Cert)
	if err != nil {
		return ""
	}
	leaf, err := firstCertificate(content)
	if err != nil {
		return ""
	}
	if u, err := url.Parse(l.URL()); err == nil && leaf.VerifyHostname(u.Hostname()) == nil {
		return ""
	}
	switch {
	case len(leaf.DNSNames) > 0:
		return leaf.DNSNames[0]
	case len(leaf.IPAddresses) > 0:
		return leaf.IPAddresses[0].String()
	}
	return ""
}

// Transport presents what c has to the host of address, and to no other. Its files are
// read again when they change.
func Transport(c config.Client, address string) (http.RoundTripper, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("%w: no address to present credentials to", errConfig)
	}
	made := promconfig.HTTPClientConfig{TLSConfig: promconfig.TLSConfig{CAFile: c.CA, ServerName: c.ServerName, MinVersion: tls.VersionTLS12}, ProxyConfig: promconfig.ProxyConfig{ProxyFromEnvironment: true}}
	switch {
	case c.TokenFile != "":
		made.Authorization = &promconfig.Authorization{Type: "Bearer", CredentialsFile: c.TokenFile}
	case c.User != "":
		made.BasicAuth = &promconfig.BasicAuth{Username: c.User, PasswordFile: c.PasswordFile}
	}
	transport, err := promconfig.NewRoundTripperFromConfig(made, "mcloud", promconfig.WithHTTP2Disabled())
	if err != nil {
		return nil, fmt.Errorf("%w: credentials: %w", errConfig, err)
	}
	return onlyTo{u.Scheme, u.Host, transport}, nil
}

// onlyTo keeps credentials from being sent elsewhere, where a redirect could lead to.
type onlyTo struct {
	scheme, host string
	next         http.RoundTripper
}

func (o onlyTo) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != o.scheme || r.URL.Host != o.host {
		return nil, fmt.Errorf("%s leads to another place, %s://%s: credentials are not sent there", o.host, r.URL.Scheme, r.URL.Host)
	}
	return o.next.RoundTrip(r)
}

// Prometheus is c in the words of a Prometheus configuration, for a scrape job or an
// Alertmanager. Nothing secret is in it, only the paths of files.
func Prometheus(c config.Client, encrypted bool) map[string]any {
	section := map[string]any{}
	if encrypted {
		section["scheme"] = "https"
		checks := map[string]any{"min_version": "TLS12"}
		if c.CA != "" {
			checks["ca_file"] = c.CA
		}
		if c.ServerName != "" {
			checks["server_name"] = c.ServerName
		}
		section["tls_config"] = checks
	}
	switch {
	case c.TokenFile != "":
		section["authorization"] = map[string]any{"type": "Bearer", "credentials_file": c.TokenFile}
	case c.User != "":
		section["basic_auth"] = map[string]any{"username": c.User, "password_file": c.PasswordFile}
	}
	if len(section) > 0 {
		section["follow_redirects"] = false
	}
	return section
}

// firstCertificate is the one that a listener presents; its chain follows it.
func firstCertificate(content []byte) (*x509.Certificate, error) {
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			return x509.ParseCertificate(block.Bytes)
		}
	}
	return nil, errors.New("no certificate in PEM")
}
