package main

import (
	"context"
	"encoding/pem"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"mcloud/cmd/access"
	"mcloud/cmd/config"
	"mcloud/planner"
	"mcloud/planner/chargeback"
	"mcloud/planner/httpapi"
	"mcloud/planner/plannertest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mcloud-plan": main})
}

// TestScripts runs testdata/*.txtar against a planner of the test cloud.
func TestScripts(t *testing.T) {
	options := plannertest.Options()
	var err error
	shelf := &ledger{plannertest.NewLedger(options.Inventory)}
	options.Ledger, options.Recorder = shelf, shelf
	if options.Card, err = chargeback.ReadRateCard(strings.NewReader(testRates)); err != nil {
		t.Fatal(err)
	}
	keeper := planner.Keeper{Cloud: options.Cloud, Ledger: shelf, Recorder: shelf, Now: func() time.Time { return plannertest.At }}
	options.Promises = keeper
	p, err := planner.New(options)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	ctx, stop := context.WithCancel(context.Background())
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	api := func() (httpapi.Options, error) {
		more, err := routes(options, p, keeper)
		return httpapi.Options{Planner: p, Routes: more, Now: func() time.Time { return plannertest.At }}, err
	}
	behind, err := api()
	if err != nil {
		t.Fatal(err)
	}
	guarded := guard(t, behind)
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			own, err := api()
			if err != nil {
				return err
			}
			server := httptest.NewServer(httpapi.New(own))
			e.Defer(server.Close)
			e.Setenv("MCLOUD_PLAN_URL", server.URL)
			e.Setenv("PLANNER", server.URL) // for scripts that name another first
			e.Setenv("LISTEN", server.Listener.Addr().String())
			e.Setenv("GUARDED", guarded.URL)
			certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: guarded.Certificate().Raw})
			return os.WriteFile(filepath.Join(e.WorkDir, "ca.pem"), certificate, 0o600)
		},
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
	})
}

// guard serves the planner with TLS to those who are named.
func guard(t *testing.T, o httpapi.Options) *httptest.Server {
	t.Helper()
	dir := t.TempDir()
	for name, token := range map[string]string{"reader": "reader-0123456789abcdef", "acme": "acme-0123456789abcdef"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := config.Parse(filepath.Join(dir, "mcloud.yaml"), []byte(`
cloud: test
access:
  users: [{name: noc, password_hash: "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi", roles: [reader]}]
  tokens:
    - {name: reader, file: reader, roles: [reader]}
    - {name: acme, file: acme, roles: [reader], projects: [p1]}
`))
	if err != nil {
		t.Fatal(err)
	}
	gate, err := access.New(access.Options{Access: f.Access})
	if err != nil {
		t.Fatal(err)
	}
	o.Sight = func(ctx context.Context) planner.Sight {
		who := access.From(ctx)
		return planner.Sight{All: who.All, Projects: who.Projects, Domain: who.Domain}
	}
	server := httptest.NewTLSServer(gate.Guard("planner", access.PlannerPolicy).Before(httpapi.New(o)))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(server.Close)
	return server
}
