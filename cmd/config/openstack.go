package config

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// OpenStack is the account that looks, and the one that changes.
type OpenStack struct {
	// CloudsFile is a clouds.yaml; empty means the openstack client's usual places.
	CloudsFile string `yaml:"clouds_file"`
	// Cloud is the entry that the exporter uses; reader roles suffice.
	Cloud string `yaml:"cloud"`
	// ApplyCloud is the entry that `mcloud-plan rebalance apply` and `undo` use;
	// nothing else ever does. Without one they ask for --os-cloud.
	ApplyCloud  string   `yaml:"apply_cloud"`
	Region      string   `yaml:"region"`
	Interface   string   `yaml:"interface"`
	SystemScope bool     `yaml:"system_scope"`
	Period      Duration `yaml:"period"` // of inventory and service looks, default 30s
	// Horizon is the dashboard's address as people type it; the catalogue seldom
	// has it.
	Horizon string `yaml:"horizon"`
	// Budgets bound the load on each API, by its name; an API that is not named
	// has the default one.
	Budgets map[string]Budget `yaml:"budgets"`
}

// Budget bounds the load on one API.
type Budget struct {
	InFlight  int     `yaml:"in_flight"`  // calls at a time; 0 for the default
	PerSecond float64 `yaml:"per_second"` // calls begun in a second, on average; 0 for the default
}

// apis are the names that budgets may have.
var apis = []string{
	"barbican", "cinder", "designate", "glance", "gnocchi", "heat", "horizon", "ironic", "keystone", "magnum", "manila", "masakari",
	"neutron", "nova", "octavia", "placement", "swift", "trove",
}

func (o OpenStack) validate() error {
	if o.Cloud == "" {
		return errors.New("openstack.cloud: no entry of clouds.yaml is named")
	}
	if o.Horizon != "" && (!webAddress(o.Horizon) || strings.Contains(o.Horizon, "@")) {
		return errors.New("openstack.horizon: want the dashboard's address without credentials, for example https://dashboard.example.org/")
	}
	for _, name := range slices.Sorted(maps.Keys(o.Budgets)) {
		b := o.Budgets[name]
		switch {
		case !slices.Contains(apis, name):
			message := fmt.Sprintf("openstack.budgets: %q is no API", name)
			if meant := nearest(name, apis); meant != "" {
				message += fmt.Sprintf("; did you mean %q?", meant)
			}
			return errors.New(message)
		case b.InFlight < 0 || b.InFlight > 256:
			return fmt.Errorf("openstack.budgets.%s.in_flight: %d, want 1 to 256", name, b.InFlight)
		case b.PerSecond < 0 || b.PerSecond > 10_000 || math.IsNaN(b.PerSecond):
			return fmt.Errorf("openstack.budgets.%s.per_second: %g, want above 0 and up to 10000", name, b.PerSecond)
		}
	}
	return nil
}
