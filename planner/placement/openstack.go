package placement

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/aggregates"
	"github.com/gophercloud/gophercloud/v2/openstack/config"
	"github.com/gophercloud/gophercloud/v2/openstack/config/clouds"
	"github.com/gophercloud/gophercloud/v2/openstack/placement/v1/resourceproviders"
)

const callTimeout = 30 * time.Second

// placementVersion is the oldest with all that is used: generations in the
// answers of trait writes.
const placementVersion = "1.20"

// OpenStack is the Cloud behind a clouds.yaml entry.
type OpenStack struct {
	placement, compute *gophercloud.ServiceClient
}

// Connect authenticates with the operator's own account from a clouds.yaml:
// file may be empty for the usual places. Errors name the file, cloud and cure.
func Connect(ctx context.Context, file, cloud string) (*OpenStack, error) {
	options := []clouds.ParseOption{clouds.WithCloudName(cloud)}
	if file != "" {
		options = append(options, clouds.WithLocations(file))
	}
	auth, endpoint, tls, err := clouds.Parse(options...)
	if err != nil {
		return nil, fmt.Errorf("cloud %q in clouds.yaml %s: %w", cloud, file, err)
	}
	auth.AllowReauth = true
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	provider, err := config.NewProviderClient(ctx, auth, config.WithTLSConfig(tls))
	if err != nil {
		return nil, fmt.Errorf("log in to cloud %q at %s: %w", cloud, auth.IdentityEndpoint, err)
	}
	o := &OpenStack{}
	if o.placement, err = openstack.NewPlacementV1(provider, endpoint); err != nil {
		return nil, fmt.Errorf("placement of cloud %q: %w", cloud, err)
	}
	o.placement.Microversion = placementVersion
	if o.compute, err = openstack.NewComputeV2(provider, endpoint); err != nil {
		return nil, fmt.Errorf("compute of cloud %q: %w", cloud, err)
	}
	return o, nil
}

// call bounds one request and gives its error a meaning.
func call(ctx context.Context, what string, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := do(ctx)
	switch {
	case err == nil:
		return nil
	case gophercloud.ResponseCodeIs(err, http.StatusNotFound):
		return fmt.Errorf("%s: %w", what, ErrNotFound)
	case gophercloud.ResponseCodeIs(err, http.StatusConflict):
		return fmt.Errorf("%s: %w", what, ErrConflict)
	case gophercloud.ResponseCodeIs(err, http.StatusForbidden):
		return fmt.Errorf("%s: forbidden; rebalance apply and undo need an account with the admin role: %w", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

func (o *OpenStack) trait(ctx context.Context, method, trait string, ok ...int) error {
	return call(ctx, method+" trait "+trait, func(ctx context.Context) error {
		response, err := o.placement.Request(ctx, method, o.placement.ServiceURL("traits", trait), &gophercloud.RequestOpts{OkCodes: ok})
		if err != nil {
			return err
		}
		return response.Body.Close()
	})
}

// HasTrait implements Cloud.
func (o *OpenStack) HasTrait(ctx context.Context, trait string) (bool, error) {
	err := o.trait(ctx, http.MethodGet, trait, http.StatusNoContent)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// CreateTrait implements Cloud.
func (o *OpenStack) CreateTrait(ctx context.Context, trait string) error {
	return o.trait(ctx, http.MethodPut, trait, http.StatusCreated, http.StatusNoContent)
}

// DeleteTrait implements Cloud.
func (o *OpenStack) DeleteTrait(ctx context.Context, trait string) error {
	return o.trait(ctx, http.MethodDelete, trait, http.StatusNoContent)
}

// Provider implements Cloud.
func (o *OpenStack) Provider(ctx context.Context, uuid string) (Provider, error) {
	var p Provider
	err := call(ctx, "read traits of provider "+uuid, func(ctx context.Context) error {
		t, err := resourceproviders.GetTraits(ctx, o.placement, uuid).Extract()
		if err == nil {
			p = Provider{Generation: int64(t.ResourceProviderGeneration), Traits: t.Traits}
		}
		return err
	})
	return p, err
}

// SetTraits implements Cloud.
func (o *OpenStack) SetTraits(ctx context.Context, uuid string, p Provider) error {
	traits := p.Traits
	if traits == nil {
		traits = []string{}
	}
	return call(ctx, "write traits of provider "+uuid, func(ctx context.Context) error {
		_, err := resourceproviders.UpdateTraits(ctx, o.placement, uuid, resourceproviders.UpdateTraitsOpts{ResourceProviderGeneration: int(p.Generation), Traits: traits}).Extract()
		return err
	})
}

// Aggregate implements Cloud.
func (o *OpenStack) Aggregate(ctx context.Context, name string) (Aggregate, error) {
	found := Aggregate{}
	err := call(ctx, "list host aggregates", func(ctx context.Context) error {
		pages, err := aggregates.List(o.compute).AllPages(ctx)
		if err != nil {
			return err
		}
		all, err := aggregates.ExtractAggregates(pages)
		if err != nil {
			return err
		}
		for _, a := range all {
			if a.Name == name {
				found = Aggregate{ID: strconv.Itoa(a.ID), Hosts: a.Hosts, Metadata: a.Metadata}
			}
		}
		return nil
	})
	if err == nil && found.ID == "" {
		err = fmt.Errorf("host aggregate %s: %w", name, ErrNotFound)
	}
	return found, err
}

// CreateAggregate implements Cloud. The aggregate carries no availability zone:
// hosts of any zone may be put into it and taken out with servers on them.
func (o *OpenStack) CreateAggregate(ctx context.Context, name string) (Aggregate, error) {
	var made Aggregate
	err := call(ctx, "create host aggregate "+name, func(ctx context.Context) error {
		a, err := aggregates.Create(ctx, o.compute, aggregates.CreateOpts{Name: name}).Extract()
		if err == nil {
			made = Aggregate{ID: strconv.Itoa(a.ID), Metadata: maps.Clone(a.Metadata)}
		}
		return err
	})
	return made, err
}

func (o *OpenStack) onAggregate(ctx context.Context, what, id string, do func(ctx context.Context, id int) error) error {
	number, err := strconv.Atoi(id)
	if err != nil {
		return fmt.Errorf("%s: aggregate id %q is no number", what, id)
	}
	return call(ctx, what+" of host aggregate "+id, func(ctx context.Context) error { return do(ctx, number) })
}

// SetMetadata implements Cloud; an empty value removes its key.
func (o *OpenStack) SetMetadata(ctx context.Context, id string, metadata map[string]string) error {
	values := map[string]any{}
	for k, v := range metadata {
		values[k] = v
		if v == "" {
			values[k] = nil
		}
	}
	return o.onAggregate(ctx, "set metadata", id, func(ctx context.Context, id int) error {
		_, err := aggregates.SetMetadata(ctx, o.compute, id, aggregates.SetMetadataOpts{Metadata: values}).Extract()
		return err
	})
}

// AddHost implements Cloud.
func (o *OpenStack) AddHost(ctx context.Context, id, host string) error {
	return o.onAggregate(ctx, "add "+host+" to the hosts", id, func(ctx context.Context, id int) error {
		_, err := aggregates.AddHost(ctx, o.compute, id, aggregates.AddHostOpts{Host: host}).Extract()
		return err
	})
}

// RemoveHost implements Cloud.
func (o *OpenStack) RemoveHost(ctx context.Context, id, host string) error {
	return o.onAggregate(ctx, "remove "+host+" from the hosts", id, func(ctx context.Context, id int) error {
		_, err := aggregates.RemoveHost(ctx, o.compute, id, aggregates.RemoveHostOpts{Host: host}).Extract()
		return err
	})
}

// DeleteAggregate implements Cloud.
func (o *OpenStack) DeleteAggregate(ctx context.Context, id string) error {
	return o.onAggregate(ctx, "deletion", id, func(ctx context.Context, id int) error {
		return aggregates.Delete(ctx, o.compute, id).ExtractErr()
	})
}
