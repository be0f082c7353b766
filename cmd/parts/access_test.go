package parts

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	promconfig "github.com/prometheus/prometheus/config"

	"mcloud"
	"mcloud/cmd/access"
	"mcloud/cmd/config"
	"mcloud/collector/embedded"
)

// lines is a log that several parts write.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// writeCertificate makes a certificate of itself for mcloud.example.org.
func writeCertificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	made := x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"mcloud.example.org"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
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

// TestPartsFindEachOther runs exporter, collector and planner with TLS and tokens on
// addresses that their certificate is not for: the collector scrapes all three, the
// exporter's records and the planner's questions reach the collector, and strangers
// are refused everywhere.
func TestPartsFindEachOther(t *testing.T) {
	const token = "reader-0123456789abcdef"
	dir := t.TempDir()
	writeCertificate(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "reader"), []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := config.Parse(filepath.Join(dir, "mcloud.yaml"), fmt.Appendf(nil, `
cloud: test
access:
  tls: {cert: cert.pem, key: key.pem}
  tokens: [{name: noc, file: reader, roles: [reader]}]
exporter: {listen: %q}
collector: {listen: %q, scrape_interval: 1s}
planner: {listen: %q, interval: 1s}
store: {listen: %q}
`, freeAddress(t), freeAddress(t), freeAddress(t), freeAddress(t)))
	if err != nil {
		t.Fatal(err)
	}
	log := &lines{}
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	store := NewStore(f, logger) // which nobody serves
	collector, _, err := Collector(f, store, "test", func() []Part { return nil }, logger)
	if err != nil {
		t.Fatal(err)
	}
	exporter, err := Exporter(f, Librados, logger)
	if err != nil {
		t.Fatal(err)
	}
	planner, err := Planner(f, store, "test", logger)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, p := range []Part{collector, exporter, planner} {
		running.Go(func() {
			if err := p.Run(ctx); err != nil {
				t.Error(p.Name, err)
			}
		})
	}
	t.Cleanup(func() { cancel(); running.Wait() })

	reader := config.Client{TokenFile: filepath.Join(dir, "reader"), CA: filepath.Join(dir, "cert.pem"), ServerName: "mcloud.example.org"}
	up := func() (ups map[string]string) {
		var answer struct {
			Data struct {
				Result []struct {
					Metric map[string]string
					Value  [2]any
				}
			}
		}
		if _, body := ask(t, reader, "GET", f.CollectorURL()+"/api/v1/query?query=up", nil); body != nil && json.Unmarshal(body, &answer) == nil {
			ups = map[string]string{}
			for _, r := range answer.Data.Result {
				ups[r.Metric["job"]] = fmt.Sprint(r.Value[1])
			}
		}
		return ups
	}
	want := map[string]string{"exporter": "1", "collector": "1", "planner": "1"}
	for deadline := time.Now().Add(60 * time.Second); fmt.Sprint(up()) != fmt.Sprint(want); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("up is %v, want %v", up(), want)
		}
	}

	nobody := config.Client{CA: reader.CA, ServerName: reader.ServerName}
	for _, c := range []struct {
		who    string
		client config.Client
		method string
		url    string
		code   int
	}{
		{"nobody", nobody, "GET", f.CollectorURL() + "/api/v1/query?query=up", 401},
		{"nobody", nobody, "POST", f.CollectorURL() + "/-/reload", 401},
		{"nobody", nobody, "POST", f.CollectorURL() + mcloud.RecordsPath, 401},
		{"nobody", nobody, "GET", f.CollectorURL() + "/-/healthy", 200},
		{"nobody", nobody, "GET", f.Listeners()["exporter"].URL() + "/metrics", 401},
		{"nobody", nobody, "GET", f.Listeners()["exporter"].URL() + "/healthz", 200},
		{"nobody", nobody, "GET", f.PlannerURL() + "/api/v1/report", 401},
		{"a reader", reader, "GET", f.PlannerURL() + "/api/v1/status", 200},
		{"a reader", reader, "GET", f.Listeners()["exporter"].URL() + "/metrics", 200},
		{"a reader", reader, "POST", f.CollectorURL() + mcloud.RecordsPath, 403},
		{"a reader", reader, "POST", f.CollectorURL() + "/api/v1/write", 403},
		{"a reader", reader, "POST", f.CollectorURL() + "/-/reload", 403},
		{"a reader", reader, "POST", f.PlannerURL() + "/api/v1/rebalance/plans", 403},
		{"one of us", access.ClientOf(f, "collector", false), "POST", f.CollectorURL() + "/-/reload", 200},
		{"one of us", access.ClientOf(f, "collector", false), "POST", f.CollectorURL() + mcloud.RecordsPath, 400},
	} {
		if code, body := ask(t, c.client, c.method, c.url, strings.NewReader("{")); code != c.code {
			t.Errorf("%s: %s %s: %d, want %d: %.300s", c.who, c.method, c.url, code, c.code, body)
		}
	}
	// The exporter's way to the collector: refused as the store is away, not as a stranger.
	poster, err := Poster(f)
	if err != nil {
		t.Fatal(err)
	}
	event := mcloud.Event{ID: "1", Time: time.Now(), Cloud: "test", Source: "nova", Kind: "k", Severity: mcloud.SeverityInfo}
	if err := poster.Post(t.Context(), mcloud.Batch{Events: []mcloud.Event{event}}); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("posting records: %v", err)
	}
	for name, url := range map[string]string{"exporter": f.Listeners()["exporter"].URL(), "collector": f.CollectorURL(), "planner": f.PlannerURL()} {
		_, body := ask(t, reader, "GET", url+"/metrics", nil)
		if !strings.Contains(string(body), `mcloud_http_authentications_total{listener="`+name+`",method="bearer",outcome="allowed"}`) {
			t.Errorf("%s does not count who asked", name)
		}
	}
	own, err := os.ReadFile(filepath.Join(f.DataDir, "access.token"))
	if err != nil {
		t.Fatal(err)
	}
	_, shown := ask(t, reader, "GET", f.CollectorURL()+"/api/v1/status/config", nil)
	for _, secret := range []string{token, strings.TrimSpace(string(own))} {
		if strings.Contains(log.String(), secret) || strings.Contains(string(shown), secret) {
			t.Errorf("a secret is in the log or in the shown configuration:\n%s", log)
		}
	}
}

// ask answers 0 where there is no answer.
func ask(t *testing.T, as config.Client, method, url string, body io.Reader) (int, []byte) {
	t.Helper()
	transport, err := access.Transport(as, url)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: transport, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	resp, err := client.Do(request)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil
	}
	return resp.StatusCode, content
}

// TestOpenToTheNetwork is refused by each part, with the key that is wrong.
func TestOpenToTheNetwork(t *testing.T) {
	f, err := config.Parse(filepath.Join(t.TempDir(), "mcloud.yaml"), []byte(`
cloud: test
exporter: {listen: "0.0.0.0:0"}
collector: {listen: "0.0.0.0:0"}
planner: {listen: "0.0.0.0:0"}
store: {listen: "0.0.0.0:0"}
`))
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.DiscardHandler)
	store := NewStore(f, logger)
	for name, start := range map[string]func() error{
		"exporter":  func() error { _, err := Exporter(f, Librados, logger); return err },
		"collector": func() error { _, _, err := Collector(f, store, "test", nil, logger); return err },
		"planner":   func() error { _, err := Planner(f, store, "test", logger); return err },
		// Optional, but not to be done without in silence.
		"store": func() error { return NewGroup(logger, EmbeddedStore(f, logger)).Run(t.Context()) },
	} {
		err := start()
		if err == nil || !strings.Contains(err.Error(), name+".listen: 0.0.0.0:0 is not on loopback and so needs TLS ("+name+".tls) and credentials") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAlertmanagersWithTLS(t *testing.T) {
	f, err := config.Parse("/etc/mcloud/mcloud.yaml", []byte(`
cloud: test
collector:
  alertmanagers: [am.example.org:9093]
  alertmanager_tls: true
  alertmanager_client: {user: mcloud, password_file: am.password, ca: ca.pem}
`))
	if err != nil {
		t.Fatal(err)
	}
	content, err := PrometheusConfig(f)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := promconfig.Load(string(content), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("%v\n%s", err, content)
	}
	m := parsed.AlertingConfig.AlertmanagerConfigs[0]
	if c := m.HTTPClientConfig; m.Scheme != "https" || c.BasicAuth.Username != "mcloud" || c.BasicAuth.PasswordFile != "/etc/mcloud/am.password" || c.TLSConfig.CAFile != "/etc/mcloud/ca.pem" || c.FollowRedirects {
		t.Errorf("%s %+v", m.Scheme, c)
	}
}

// TestStoreWithTLS serves the embedded store with a password and a certificate that is not
// for its address, and reaches it as the other parts do.
func TestStoreWithTLS(t *testing.T) {
	if _, err := embedded.FindLibrary(""); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	const password = "store-password-0123456789"
	dir := t.TempDir()
	writeCertificate(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := config.Parse(filepath.Join(dir, "mcloud.yaml"), fmt.Appendf(nil, `
cloud: test
store: {listen: %q, memory: 512MiB, user: mcloud, password_file: password, tls: {cert: cert.pem, key: key.pem}}
`, freeAddress(t)))
	if err != nil {
		t.Fatal(err)
	}
	log := &lines{}
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	store := NewStore(f, logger)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, p := range []Part{store.Embed(f), store.Part()} {
		running.Go(func() {
			if err := p.Run(ctx); err != nil {
				t.Error(p.Name, err)
			}
		})
	}
	t.Cleanup(func() { cancel(); running.Wait() })
	select {
	case <-store.Ready():
	case <-time.After(60 * time.Second):
		_, err := store.DB()
		t.Fatalf("%v\n%s", err, log)
	}
	trusting := config.Client{CA: filepath.Join(dir, "cert.pem"), ServerName: "mcloud.example.org"}
	if code, body := ask(t, trusting, "GET", f.Store.Address()+"/?query=SELECT+1", nil); code != http.StatusUnauthorized {
		t.Errorf("without a password: %d %s", code, body)
	}
	trusting.User, trusting.PasswordFile = "mcloud", filepath.Join(dir, "password")
	if code, body := ask(t, trusting, "GET", f.Store.Address()+"/?query=SELECT+1", nil); code != http.StatusOK || string(body) != "1\n" {
		t.Errorf("with it: %d %s", code, body)
	}
	if strings.Contains(log.String(), password) {
		t.Errorf("the password is in the log:\n%s", log)
	}
}
