package main

import (
	"context"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"mcloud/planner"
	"mcloud/planner/httpapi"
	"mcloud/planner/plannertest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mcloud-plan": main})
}

// TestScripts runs testdata/*.txtar against a planner of the test cloud.
func TestScripts(t *testing.T) {
	options := plannertest.Options()
	p, err := planner.New(options)
	if err != nil {
		t.Fatal(err)
	}
	more, err := routes(options)
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
	server := httptest.NewServer(httpapi.New(httpapi.Options{Planner: p, Routes: more, Now: func() time.Time { return plannertest.At }}))
	t.Cleanup(server.Close)
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("MCLOUD_PLAN_URL", server.URL)
			e.Setenv("LISTEN", server.Listener.Addr().String())
			return nil
		},
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
	})
}
