package clickhouse

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	neturl "net/url"
	"strings"
	"sync/atomic"
	"testing"

	"mcloud/collector/embedded/embeddedtest"
)

// More new series than can be written in the time that one try has: each try goes on
// where the one before ended, and does not begin anew for ever.
func TestNewSeriesMakeProgress(t *testing.T) {
	url, database := embeddedtest.Database(t)
	behind := httputil.NewSingleHostReverseProxy(must(neturl.Parse(url)))
	var written, left atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Query().Get("query"), "INSERT INTO series ") {
			if left.Add(-1) < 0 {
				http.Error(w, "no time left", http.StatusServiceUnavailable)
				return
			}
			written.Add(1)
		}
		behind.ServeHTTP(w, r)
	}))
	defer proxy.Close()
	db := dial(t, Options{URL: proxy.URL, Database: database})
	db.series.most = 3
	batch := scrape(cloud(10), 1, base, 1)
	for try := range 4 { // 10 series, 3 at once
		left.Store(1)
		if err := db.WriteSamples(t.Context(), "token", batch); (err == nil) != (try == 3) {
			t.Fatalf("try %d: %v", try, err)
		}
	}
	if written.Load() != 4 {
		t.Errorf("series were written %d times, want 4", written.Load())
	}
	var rows, ids uint64
	if err := db.conn.QueryRow(t.Context(), "SELECT count(), uniqExact(id) FROM series").Scan(&rows, &ids); err != nil || rows != 10 || ids != 10 {
		t.Errorf("%d rows of %d series, %v", rows, ids, err)
	}
	c, err := db.CountCheck(t.Context())
	if fmt.Sprint(c, err) != "{10 0} <nil>" {
		t.Error(c, err)
	}
}
