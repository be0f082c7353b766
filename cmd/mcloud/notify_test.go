package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mcloud/planner/alertmanager"
)

// TestNotifyTestSaysWhoGetsIt: by what Alertmanager's API answers.
func TestNotifyTestSaysWhoGetsIt(t *testing.T) {
	var sent []alertmanager.Alert
	serve := func(status int, alerts string) alertmanager.Endpoint {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
					t.Error(err)
				}
				w.WriteHeader(status)
				return
			}
			if r.URL.Query().Get("filter") != `alertname="TestNotification"` {
				t.Errorf("asked for %s", r.URL)
			}
			_, _ = w.Write([]byte(alerts))
		}))
		t.Cleanup(s.Close)
		return alertmanager.Endpoint{URL: s.URL}
	}
	for name, c := range map[string]struct {
		of         alertmanager.Endpoint
		says, errs string
	}{
		"well":     {serve(200, `[{"receivers":[{"name":"on-call"},{"name":"chat"}],"status":{"state":"active"}}]`), "took it, for chat, on-call", ""},
		"silenced": {serve(200, `[{"receivers":[{"name":"on-call"}],"status":{"state":"suppressed"}}]`), "holds it back", "a silence or an inhibition"},
		"broken":   {serve(500, ``), "did not take it", "500"},
	} {
		client, err := alertmanager.New(c.of)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		err = sendTest(t.Context(), &out, client, alertmanager.Alert{Labels: map[string]string{"alertname": testNotification}})
		if !strings.Contains(out.String(), c.says) || (err == nil) != (c.errs == "") || err != nil && !strings.Contains(err.Error(), c.errs) {
			t.Errorf("%s: %q, %v", name, out.String(), err)
		}
	}
	if len(sent) != 1 || sent[0].Labels["alertname"] != testNotification {
		t.Errorf("sent %v", sent)
	}
}
