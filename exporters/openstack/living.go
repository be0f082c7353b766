package openstack

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"mcloud/exporters"
)

// living are the collections that no cloud in use is without: an account that may
// not see them, a database that was emptied or a proxy that answers by itself
// looks like a cloud where nothing is. An empty one is therefore an error, and no
// count of zero. Every other collection may be empty in truth: a cloud without
// servers, volumes or agents (Neutron has none with some drivers), or pools that
// Cinder's scheduler does not know yet.
var living = map[string][]string{
	"keystone":  {"/domains", "/projects", "/users", "/roles", "/regions", "/services", "/endpoints"},
	"nova":      {"/os-services", "/os-hypervisors/detail", "/os-hypervisors", "/os-availability-zone"},
	"placement": {"/resource_providers"},
	"cinder":    {"/os-services"},
	"heat":      {"/services"},
	"designate": {"/service_statuses", "/pools"},
	"octavia":   {"/lbaas/providers"},
}

// noFilters are the words of a query that leave nothing out; others may make any list empty.
var noFilters = []string{"limit", "marker", "detail", "sort", "sort_key", "sort_dir", "fields"}

// lifeless is the error of a list that is empty and cannot be; nil otherwise.
func lifeless(api API, path string, query url.Values, objects int) error {
	if objects > 0 || !slices.Contains(living[api.Name], path) {
		return nil
	}
	for name := range query {
		if !slices.Contains(noFilters, name) {
			return nil
		}
	}
	return &Error{
		API: api.Name, Method: http.MethodGet, Path: path, kind: exporters.KindDecode,
		Err: errors.New("the list is empty, which it is in no cloud that is in use"), Hint: "does the account see everything there?",
	}
}
