// Package embeddedtest gives tests a real store: the embedded one, or where that is
// wanted the server that the environment names.
package embeddedtest

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"mcloud/collector/embedded"
)

// shared is the one store of the test process; it lives while a test uses it.
var shared struct {
	sync.Mutex
	users     int
	databases int
	store     *embedded.Store
	dir       string
	stop      context.CancelFunc
	done      chan error
}

// Database returns the URL of a running store and the name of a new, empty
// database in it. The test is skipped where libchdb is not installed, unless
// the environment has CI=true: there it fails.
func Database(t testing.TB) (url, database string) {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.users == 0 {
		if err := start(); err != nil {
			if errors.Is(err, embedded.ErrNoLibrary) && os.Getenv("CI") != "true" {
				t.Skip(err)
			}
			t.Fatal(err)
		}
	}
	shared.users++
	t.Cleanup(func() {
		shared.Lock()
		defer shared.Unlock()
		if shared.users--; shared.users > 0 {
			return
		}
		shared.stop()
		if err := errors.Join(<-shared.done, os.RemoveAll(shared.dir)); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	shared.databases++
	database = fmt.Sprintf("test_%d", shared.databases)
	if _, err := Query(shared.store.URL(), "CREATE DATABASE "+database+" ENGINE = Atomic"); err != nil {
		t.Fatal(err)
	}
	return shared.store.URL(), database
}

// Place is an empty database of a test's own and how to reach it.
type Place struct{ URL, Database, User, Password, CAFile, Cluster string }

// Served says whether the environment names a server for the tests.
func Served() bool { return os.Getenv("MCLOUD_CLICKHOUSE_URL") != "" }

// Anywhere returns a place in the server that MCLOUD_CLICKHOUSE_URL names, with
// MCLOUD_CLICKHOUSE_USER, _PASSWORD, _CA (a file) and _CLUSTER, else in the embedded
// store. On a server the database has a random name, and is dropped after the test.
func Anywhere(t testing.TB) Place {
	t.Helper()
	if !Served() {
		url, database := Database(t)
		return Place{URL: url, Database: database}
	}
	var random [8]byte
	_, _ = rand.Read(random[:])
	p := Place{
		URL: os.Getenv("MCLOUD_CLICKHOUSE_URL"), Database: "mcloud_test_" + hex.EncodeToString(random[:]),
		User: os.Getenv("MCLOUD_CLICKHOUSE_USER"), Password: os.Getenv("MCLOUD_CLICKHOUSE_PASSWORD"),
		CAFile: os.Getenv("MCLOUD_CLICKHOUSE_CA"), Cluster: os.Getenv("MCLOUD_CLICKHOUSE_CLUSTER"),
	}
	on := ""
	if p.Cluster != "" {
		on = " ON CLUSTER '" + p.Cluster + "'"
	}
	if _, err := p.query("CREATE DATABASE " + p.Database + on + " ENGINE = Atomic"); err != nil {
		t.Fatalf("a database for the test: %v", err)
	}
	t.Cleanup(func() {
		if _, err := p.query("DROP DATABASE " + p.Database + on); err != nil {
			t.Errorf("drop the database %s by hand: %v", p.Database, err)
		}
	})
	return p
}

// query asks a server outside of any database.
func (p Place) query(statement string) (string, error) {
	transport := &http.Transport{DisableKeepAlives: true}
	if p.CAFile != "" {
		pem, err := os.ReadFile(p.CAFile)
		if err != nil {
			return "", err
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return "", fmt.Errorf("%s holds no PEM certificate", p.CAFile)
		}
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	}
	client := http.Client{Transport: transport}
	req, err := http.NewRequest(http.MethodPost, p.URL, strings.NewReader(statement))
	if err != nil {
		return "", err
	}
	if p.User != "" {
		req.Header.Set("X-ClickHouse-User", p.User)
	}
	if p.Password != "" {
		req.Header.Set("X-ClickHouse-Key", p.Password)
	}
	return answer(client.Do(req))
}

func start() error {
	dir, err := os.MkdirTemp("", "mcloud-store-")
	if err != nil {
		return err
	}
	store, err := embedded.Open(embedded.Options{Path: dir, Listen: "127.0.0.1:0"})
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	ctx, stop := context.WithCancel(context.Background())
	shared.store, shared.dir, shared.stop, shared.done = store, dir, stop, make(chan error, 1)
	go func() { shared.done <- store.Run(ctx) }()
	return nil
}

// Query sends a statement as curl would and returns the answer's text.
func Query(url, statement string) (string, error) {
	return answer(http.Post(url, "text/plain", strings.NewReader(statement)))
}

func answer(res *http.Response, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = errors.New(strings.TrimSpace(string(b)))
	}
	return string(b), err
}
