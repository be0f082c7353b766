// Package embeddedtest gives tests a real embedded store.
package embeddedtest

import (
	"context"
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
	res, err := http.Post(url, "text/plain", strings.NewReader(statement))
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
