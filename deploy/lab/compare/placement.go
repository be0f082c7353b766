package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
)

func placementOurs(p page) readings {
	out := make(readings)
	for family, thing := range map[string]string{
		"openstack_placement_inventory_units":  "total",
		"openstack_placement_reserved_units":   "reserved",
		"openstack_placement_allocation_ratio": "allocation_ratio",
		"openstack_placement_usage_units":      "usage",
	} {
		p.each(family, func(labels map[string]string, value float64) {
			out.add(thing, labels["hostname"]+" "+labels["resource_class"], value)
		})
	}
	count := func(family, thing, label string) {
		p.each(family, func(labels map[string]string, value float64) { out.add(thing, labels[label], value) })
	}
	count("openstack_placement_generation", "generation", "hostname")
	count("openstack_placement_trait_providers", "providers with trait", "trait")
	count("openstack_placement_aggregate_providers", "providers in aggregate", "aggregate")
	p.each("openstack_placement_providers", func(_ map[string]string, value float64) { out.add("providers", "all", value) })
	return out
}

// provider is a line of `openstack resource provider list`.
type provider struct {
	UUID       string    `json:"uuid"`
	Name       string    `json:"name"`
	Generation quotedNum `json:"generation"`
}

// trait is a line of `openstack resource provider trait list`.
type trait struct {
	Name string `json:"name"`
}

// aggregate is a line of `openstack resource provider aggregate list`.
type aggregate struct {
	UUID string `json:"uuid"`
}

// inventory is a line of `openstack resource provider inventory list`.
type inventory struct {
	Class           string    `json:"resource_class"`
	Total           quotedNum `json:"total"`
	Reserved        quotedNum `json:"reserved"`
	AllocationRatio quotedNum `json:"allocation_ratio"`
}

// usage is a line of `openstack resource provider usage show`.
type usage struct {
	Class string    `json:"resource_class"`
	Usage quotedNum `json:"usage"`
}

// quotedNum is a number that some versions of the client put in quotes.
type quotedNum float64

// UnmarshalJSON implements json.Unmarshaler.
func (n *quotedNum) UnmarshalJSON(text []byte) error {
	var value float64
	if err := json.Unmarshal(text, &value); err != nil {
		var quoted string
		if json.Unmarshal(text, &quoted) != nil {
			return err
		}
		if value, err = strconv.ParseFloat(quoted, 64); err != nil {
			return fmt.Errorf("%s is no number", text)
		}
	}
	*n = quotedNum(value)
	return nil
}

func placementReadings(p provider, inventories []inventory, usages []usage, out readings) {
	for _, i := range inventories {
		object := p.Name + " " + i.Class
		out.add("total", object, float64(i.Total))
		out.add("reserved", object, float64(i.Reserved))
		out.add("allocation_ratio", object, float64(i.AllocationRatio))
	}
	for _, u := range usages {
		out.add("usage", p.Name+" "+u.Class, float64(u.Usage))
	}
}

func placementTheirs(ctx context.Context, c *clients) (readings, error) {
	var providers []provider
	if err := c.openstack(ctx, question{"resource provider list", &providers}); err != nil {
		return nil, err
	}
	inventories, usages := make([][]inventory, len(providers)), make([][]usage, len(providers))
	traits, aggregates := make([][]trait, len(providers)), make([][]aggregate, len(providers))
	var questions []question
	for i, p := range providers {
		questions = append(questions,
			question{"resource provider inventory list " + p.UUID, &inventories[i]},
			question{"resource provider usage show " + p.UUID, &usages[i]},
			question{"resource provider trait list " + p.UUID, &traits[i]},
			question{"resource provider aggregate list " + p.UUID, &aggregates[i]})
	}
	if err := c.openstack(ctx, questions...); err != nil {
		return nil, err
	}
	out := make(readings)
	for i, p := range providers {
		placementReadings(p, inventories[i], usages[i], out)
		out.add("providers", "all", 1)
		out.add("generation", p.Name, float64(p.Generation))
		for _, t := range traits[i] {
			out.add("providers with trait", t.Name, 1)
		}
		for _, a := range aggregates[i] {
			out.add("providers in aggregate", a.UUID, 1)
		}
	}
	return out, nil
}
