package access

import (
	"net/http"
	"strings"

	"mcloud"
)

// What each listener's requests need. A path that a policy does not know needs admin, so
// that one that is added is closed until somebody says who may ask for it.

// ExporterPolicy is for mcloud exporter: everything is read.
func ExporterPolicy(method, path string) Need {
	switch path {
	case "/healthz", "/-/ready":
		return Need{Permission: Public}
	case "/", "/metrics", "/-/pair":
		if isRead(method) {
			return Need{Permission: Read}
		}
	}
	return Need{Permission: Admin}
}

// collectorReads are the paths of Prometheus's API that only look, and those below them.
var collectorReads = []string{
	"/", "/metrics", "/federate", "/api/v1/query", "/api/v1/query_range", "/api/v1/query_exemplars", "/api/v1/format_query", "/api/v1/parse_query",
	"/api/v1/labels", "/api/v1/label/", "/api/v1/series", "/api/v1/metadata", "/api/v1/read", "/api/v1/search/", "/api/v1/rules", "/api/v1/alerts",
	"/api/v1/targets", "/api/v1/targets/", "/api/v1/scrape_pools", "/api/v1/alertmanagers", "/api/v1/status/", "/api/v1/features",
	"/api/v1/notifications", "/api/v1/notifications/", "/api/v1/openapi.yaml",
}

// CollectorPolicy is for the collector: queries read, remote write and the records of
// exporters write; reload, deletion, the TSDB's administration and profiles are admin's.
func CollectorPolicy(method, path string) Need {
	switch path {
	case "/-/healthy", "/-/ready":
		return Need{Permission: Public}
	case "/api/v1/write", mcloud.RecordsPath:
		return Need{Permission: Write}
	}
	// Queries are posted when they are too long for a URL.
	if isRead(method) || method == http.MethodPost {
		for _, p := range collectorReads {
			if path == p || strings.HasSuffix(p, "/") && p != "/" && strings.HasPrefix(path, p) {
				return Need{Permission: Read}
			}
		}
	}
	return Need{Permission: Admin}
}

// PlannerPolicy is for the planner: everything looks but what makes a plan, a commitment or
// a scenario, which is kept, and what notes that a plan was applied or undone. A bill and the
// list of projects are of those projects that who asks may see.
func PlannerPolicy(method, path string) Need {
	const plans = "/api/v1/rebalance/plans"
	switch {
	case path == "/healthz" || path == "/readyz":
		return Need{Permission: Public}
	case (path == "/api/v1/chargeback" || path == "/api/v1/projects") && isRead(method):
		return Need{Permission: Read, Scoped: true}
	case path == plans && method == http.MethodPost:
		return Need{Permission: Write}
	case path == "/api/v1/whatif" && method == http.MethodPost: // a question that is too long for a URL
		return Need{Permission: Read}
	case (strings.HasPrefix(path, "/api/v1/commitments/") || strings.HasPrefix(path, "/api/v1/scenarios/")) && (method == http.MethodPut || method == http.MethodDelete):
		return Need{Permission: Write}
	case isRead(method) && !strings.HasPrefix(path, "/debug"):
		return Need{Permission: Read}
	}
	return Need{Permission: Admin}
}

func isRead(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}
