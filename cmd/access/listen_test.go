package access

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mcloud/cmd/config"
)

// writeCertificate makes a certificate of itself for name, in dir's cert.pem and key.pem.
func writeCertificate(t *testing.T, dir, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	if err != nil {
		t.Fatal(err)
	}
	made := x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, &made, &made, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: certificate}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNotOnLoopback(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir, "mcloud.example.org")
	for name, content := range map[string]string{
		"token":     readerToken,
		"both.yml":  "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\nbasic_auth_users: {a: $2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi}\n",
		"tls.yml":   "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n",
		"users.yml": "basic_auth_users: {a: $2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi}\n",
		"wrong.yml": "tls_server: {}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const (
		tokens   = "access: {tokens: [{name: a, file: token, roles: [reader]}]}\n"
		both     = "access: {tls: {cert: cert.pem, key: key.pem}, tokens: [{name: a, file: token, roles: [reader]}]}\n"
		keystone = "access: {tls: {cert: cert.pem, key: key.pem}, keystone: {url: \"https://k:5000\"}}\n"
	)
	for name, c := range map[string]struct{ section, says string }{
		"loopback":               {"collector: {listen: 127.0.0.1:9090}", ""},
		"loopback by name":       {"collector: {listen: \"localhost:9090\"}", ""},
		"loopback of IPv6":       {"collector: {listen: \"[::1]:9090\"}", ""},
		"all of 127":             {"collector: {listen: 127.9.9.9:9090}", ""},
		"everywhere":             {"collector: {listen: 0.0.0.0:9090}", "collector.listen: 0.0.0.0:9090 is not on loopback and so needs TLS (collector.tls) and credentials to ask for (access.users, access.tokens or access.keystone); collector.insecure: true serves it without"},
		"everywhere, no host":    {"collector: {listen: \":9090\"}", "collector.listen: :9090 is not"},
		"everywhere of IPv6":     {"collector: {listen: \"[::]:9090\"}", "is not on loopback"},
		"a name":                 {"collector: {listen: \"localhost.example.org:9090\"}", "is not on loopback"},
		"a prefix":               {"collector: {listen: \"127.0.0.1.example.org:9090\"}", "is not on loopback"},
		"one without TLS":        {tokens + "collector: {listen: 10.0.0.1:9090}", "needs TLS (collector.tls); collector"},
		"one that asks nobody":   {"collector: {listen: 10.0.0.1:9090, tls: {cert: cert.pem, key: key.pem}}", "needs credentials to ask for (access.users"},
		"tokens and TLS":         {both + "collector: {listen: 10.0.0.1:9090}", ""},
		"Keystone and TLS":       {keystone + "collector: {listen: 10.0.0.1:9090}", ""},
		"insecure":               {"collector: {listen: 10.0.0.1:9090, insecure: true}", ""},
		"toolkit's":              {"collector: {listen: 10.0.0.1:9090, web_config: both.yml}", ""},
		"toolkit's TLS":          {"collector: {listen: 10.0.0.1:9090, web_config: tls.yml}", "needs credentials"},
		"toolkit's TLS, tokens":  {tokens + "collector: {listen: 10.0.0.1:9090, web_config: tls.yml}", ""},
		"toolkit's users":        {"collector: {listen: 10.0.0.1:9090, web_config: users.yml}", "needs TLS"},
		"two kinds of users":     {tokens + "collector: {web_config: users.yml}", "access names who may ask as well"},
		"two kinds of TLS":       {"collector: {web_config: tls.yml, tls: {cert: cert.pem, key: key.pem}}", "one of them"},
		"toolkit's that is none": {"collector: {web_config: wrong.yml}", "wrong.yml"},
	} {
		f := parse(t, dir, c.section)
		var log bytes.Buffer
		gate, err := New(Options{Access: f.Access, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(name, err)
		}
		err = gate.Check(f.Listeners()["collector"])
		if (err == nil) != (c.says == "") || err != nil && (!errors.Is(err, config.ErrConfig) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
		if warned := strings.Contains(log.String(), "level=WARN"); warned != (name == "insecure") {
			t.Errorf("%s: warned %v: %s", name, warned, log.String())
		}
	}
}

// serveTLS serves with the files of dir and tells the certificate that a client got.
func serveTLS(t *testing.T, dir string, log *bytes.Buffer) (address string, presented func(*tls.Config) (*x509.Certificate, error)) {
	t.Helper()
	c, err := TLS(config.TLS{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}, "access.tls", slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{TLSConfig: c, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	done := make(chan error, 1)
	go func() { done <- server.ServeTLS(l, "", "") }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return l.Addr().String(), func(client *tls.Config) (*x509.Certificate, error) {
		conn, err := tls.Dial("tcp", l.Addr().String(), client)
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0], nil
	}
}

func TestCertificatesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir, "first.example.org")
	var log bytes.Buffer
	_, presented := serveTLS(t, dir, &log)
	name := func() string {
		c, err := presented(&tls.Config{InsecureSkipVerify: true}) // what it presents is what is looked at
		if err != nil {
			t.Fatal(err)
		}
		return c.DNSNames[0]
	}
	if got := name(); got != "first.example.org" {
		t.Fatal(got)
	}
	becomes := func(want string) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); name() != want; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("still %s, want %s", name(), want)
			}
		}
	}
	writeCertificate(t, dir, "second.example.org")
	becomes("second.example.org")
	// A key that does not belong to the certificate: the old pair stays.
	other := t.TempDir()
	writeCertificate(t, other, "third.example.org")
	content, err := os.ReadFile(filepath.Join(other, "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cert.pem"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(2 * lookPeriod); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if got := name(); got != "second.example.org" {
			t.Fatal(got)
		}
	}
	if err := os.Rename(filepath.Join(other, "key.pem"), filepath.Join(dir, "key.pem")); err != nil {
		t.Fatal(err)
	}
	becomes("third.example.org")
	if _, err := presented(&tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}); err == nil {
		t.Error("TLS 1.1 is taken")
	}
}

// TestOurOwnTrustTheCertificate that the configuration names, also by another name.
func TestOurOwnTrustTheCertificate(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir, "mcloud.example.org")
	var log bytes.Buffer
	address, _ := serveTLS(t, dir, &log)
	f := parse(t, dir, "data_dir: .\naccess: {tls: {cert: cert.pem, key: key.pem}}\nplanner: {listen: \""+address+"\"}")
	if got := f.PlannerURL(); got != "https://"+address {
		t.Fatal(got)
	}
	get := func(c config.Client) error {
		transport, err := Transport(c, f.PlannerURL())
		if err != nil {
			t.Fatal(err)
		}
		resp, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Get(f.PlannerURL())
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	if err := get(ClientOf(f, "planner", false)); err != nil {
		t.Error(err)
	}
	var unknown x509.UnknownAuthorityError
	if err := get(config.Client{ServerName: "mcloud.example.org"}); !errors.As(err, &unknown) {
		t.Errorf("without its authority: %v", err)
	}
	var name x509.HostnameError
	if err := get(config.Client{CA: filepath.Join(dir, "cert.pem")}); !errors.As(err, &name) {
		t.Errorf("for another name: %v", err)
	}
	other := t.TempDir()
	writeCertificate(t, other, "mcloud.example.org")
	if err := get(config.Client{CA: filepath.Join(other, "cert.pem"), ServerName: "mcloud.example.org"}); err == nil {
		t.Error("another's certificate of the same name is trusted")
	}
}
