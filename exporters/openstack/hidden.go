package openstack

import (
	"context"
	"fmt"

	"mcloud/exporters"
)

// SeesAll is an error when an account may see its own project's objects only,
// where a service hides the others instead of refusing: an empty list of such an
// account is not an empty cloud. projects are the owners of what was seen; one
// that is not the account's own proves that others are shown too, and otherwise
// only the role admin does. call and need name the request and what would allow
// it.
func (c *Cloud) SeesAll(ctx context.Context, api API, call, need string, projects []string) error {
	own, err := c.ProjectID(ctx)
	if err != nil {
		return err
	}
	for _, p := range projects {
		if p != "" && p != own {
			return nil
		}
	}
	if admin, err := c.Admin(ctx); admin || err != nil {
		return err
	}
	return exporters.WithKind(fmt.Errorf("%s: GET %s: the account of cloud %q may see its own project's only: it needs the role admin, or a policy for %s",
		api.Name, call, c.name, need), exporters.KindForbidden)
}
