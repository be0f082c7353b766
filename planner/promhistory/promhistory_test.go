package promhistory

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mcloud/planner"
)

func ask(t *testing.T, status int, body string, o Options) error {
	t.Helper()
	_, err := askFor(t, status, body, o)
	return err
}

func askFor(t *testing.T, status int, body string, o Options) (points int, err error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("query") != "up" || r.FormValue("step") != "3600" {
			t.Errorf("asked %v", r.Form)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	defer server.Close()
	o.URL = server.URL
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	series, err := c.Range(context.Background(), "up", time.Unix(0, 0), time.Unix(7200, 0), time.Hour)
	for _, s := range series {
		points += len(s.Points)
		if s.Labels["zone"] != "az-a" || s.Points[0].Value != 1.5 || !s.Points[0].Time.Equal(time.Unix(0, 0)) {
			t.Errorf("series %+v", s)
		}
	}
	return points, err
}

const matrix = `"data":{"resultType":"matrix","result":[{"metric":{"zone":"az-a"},"values":[[0,"1.5"],[3600,"2"]]}]}`

func TestRange(t *testing.T) {
	if n, err := askFor(t, 200, `{"status":"success",`+matrix+`}`, Options{}); err != nil || n != 2 {
		t.Errorf("%d points, error %v", n, err)
	}
	if n, err := askFor(t, 200, `{"status":"success","warnings":["PromQL info: metric might not be a counter"],`+matrix+`}`, Options{}); err != nil || n != 2 {
		t.Errorf("a remark: %d points, error %v", n, err)
	}
}

func TestErrorsNameTheCollector(t *testing.T) {
	for name, err := range map[string]error{
		"partial":   ask(t, 200, `{"status":"success","warnings":["long-term store is away"],`+matrix+`}`, Options{}),
		"bad query": ask(t, 400, `{"status":"error","errorType":"bad_data","error":"parse error"}`, Options{}),
		"no JSON":   ask(t, 200, `<html>`, Options{}),
		"vector":    ask(t, 200, `{"status":"success","data":{"resultType":"vector","result":[]}}`, Options{}),
		"too large": ask(t, 200, `{"status":"success",`+matrix+`}`, Options{MaxBytes: 20}),
	} {
		if err == nil || !strings.Contains(err.Error(), "collector http://127.0.0.1") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestABadQueryIsTheAskers: and nobody else's.
func TestABadQueryIsTheAskers(t *testing.T) {
	if err := ask(t, 400, `{"status":"error","errorType":"bad_data","error":"parse error"}`, Options{}); !errors.Is(err, planner.ErrBadRequest) || !strings.Contains(err.Error(), "parse error") {
		t.Errorf("error %v, want ErrBadRequest with the cause", err)
	}
	if err := ask(t, 503, `{"status":"error","errorType":"unavailable","error":"starting"}`, Options{}); err == nil || errors.Is(err, planner.ErrBadRequest) {
		t.Errorf("error %v of a collector that starts", err)
	}
}

func TestURL(t *testing.T) {
	for _, bad := range []string{"", "127.0.0.1:9090", "ftp://x", "http://user:secret@%zz"} {
		if _, err := New(Options{URL: bad}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: error %v", bad, err)
		}
	}
}
