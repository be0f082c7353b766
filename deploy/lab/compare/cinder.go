package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// bytesPerGB: Cinder says gigabytes and means 2^30 bytes.
const bytesPerGB = 1 << 30

func cinderOurs(p page) readings {
	out := make(readings)
	for family, thing := range map[string]string{
		"openstack_cinder_pool_capacity_bytes":    "pool total bytes",
		"openstack_cinder_pool_free_bytes":        "pool free bytes",
		"openstack_cinder_pool_allocated_bytes":   "pool allocated bytes",
		"openstack_cinder_pool_provisioned_bytes": "pool provisioned bytes",
	} {
		p.each(family, func(labels map[string]string, value float64) { out.add(thing, labels["pool"], value) })
	}
	return out
}

// cinderPools is GET /v3/{project}/scheduler-stats/get_pools?detail=true.
type cinderPools struct {
	Pools []struct {
		Name         string `json:"name"`
		Capabilities struct {
			Total       float64 `json:"total_capacity_gb"`
			Free        float64 `json:"free_capacity_gb"`
			Allocated   float64 `json:"allocated_capacity_gb"`
			Provisioned float64 `json:"provisioned_capacity_gb"`
		} `json:"capabilities"`
	} `json:"pools"`
}

func (pools cinderPools) readings() readings {
	out := make(readings)
	for _, pool := range pools.Pools {
		out.add("pool total bytes", pool.Name, pool.Capabilities.Total*bytesPerGB)
		out.add("pool free bytes", pool.Name, pool.Capabilities.Free*bytesPerGB)
		out.add("pool allocated bytes", pool.Name, pool.Capabilities.Allocated*bytesPerGB)
		out.add("pool provisioned bytes", pool.Name, pool.Capabilities.Provisioned*bytesPerGB)
	}
	return out
}

// cinderTheirs asks the API itself with the client's token and catalogue: the
// client's own list of pools knows neither free nor provisioned.
func cinderTheirs(ctx context.Context, c *clients) (readings, error) {
	var token struct {
		ID string `json:"id"`
	}
	if err := c.openstack(ctx, &token, "token", "issue"); err != nil {
		return nil, err
	}
	var service struct {
		Endpoints []struct {
			Interface string `json:"interface"`
			URL       string `json:"url"`
		} `json:"endpoints"`
	}
	if err := c.openstack(ctx, &service, "catalog", "show", "block-storage"); err != nil {
		return nil, err
	}
	for _, endpoint := range service.Endpoints {
		if endpoint.Interface == "public" {
			return askCinderPools(ctx, endpoint.URL, token.ID)
		}
	}
	return nil, fmt.Errorf("the catalogue has no public endpoint of the block-storage service")
}

func askCinderPools(ctx context.Context, endpoint, token string) (readings, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet,
		strings.TrimSuffix(endpoint, "/")+"/scheduler-stats/get_pools?detail=true", nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("X-Auth-Token", token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", request.URL, response.Status)
	}
	var pools cinderPools
	if err := json.NewDecoder(response.Body).Decode(&pools); err != nil {
		return nil, fmt.Errorf("%s: %w", request.URL, err)
	}
	return pools.readings(), nil
}
