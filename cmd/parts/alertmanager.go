package parts

import (
	"fmt"

	"mcloud/cmd/access"
	"mcloud/cmd/config"
	"mcloud/planner/alertmanager"
)

// Alertmanagers is a client for those that the collector pages through, with what the
// collector presents to them.
func Alertmanagers(f config.File) (*alertmanager.Client, error) {
	scheme := "http://"
	if f.Collector.AlertmanagerTLS {
		scheme = "https://"
	}
	var all []alertmanager.Endpoint
	for _, at := range f.Collector.Alertmanagers {
		transport, err := access.Transport(f.Collector.AlertmanagerClient, scheme+at)
		if err != nil {
			return nil, fmt.Errorf("collector.alertmanager_client: %w", err)
		}
		all = append(all, alertmanager.Endpoint{URL: scheme + at, Transport: transport})
	}
	return alertmanager.New(all...)
}
