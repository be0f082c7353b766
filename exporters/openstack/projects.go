package openstack

import (
	"context"
	"time"
)

// Identity is Keystone's API.
var Identity = API{Name: "keystone", Types: []string{"identity"}, Version: "v3"}

// Project is a Keystone project.
type Project struct {
	ID          ID       `json:"id"`
	Name        string   `json:"name"`
	DomainID    string   `json:"domain_id"`
	ParentID    string   `json:"parent_id"`
	Description string   `json:"description"`
	Enabled     bool     `json:"enabled"`
	IsDomain    bool     `json:"is_domain"`
	Tags        []string `json:"tags"`
}

// projects holds the list of projects that all Sources of a cloud share.
type projects struct {
	busy chan struct{} // held by the one who reads; guards the fields below
	list Listing[Project]
	read time.Time
}

// Projects lists the cloud's projects, read no longer ago than maxAge: all
// Sources share one list, so that it is asked for once and not by each service.
// With an error the list is the one read before, if there is one, however old.
func (c *Cloud) Projects(ctx context.Context, maxAge time.Duration) (Listing[Project], error) {
	p := &c.projects
	select {
	case p.busy <- struct{}{}:
		defer func() { <-p.busy }()
	case <-ctx.Done():
		return Listing[Project]{}, ctx.Err()
	}
	if !p.read.IsZero() && time.Since(p.read) < maxAge {
		return p.list, nil
	}
	list, err := List[Project](ctx, c, Identity, "/projects", "projects", nil)
	if err != nil {
		if p.read.IsZero() {
			return list, err
		}
		return p.list, err
	}
	p.list, p.read = list, time.Now()
	return list, nil
}
