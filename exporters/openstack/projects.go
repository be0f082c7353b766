package openstack

import (
	"context"
	"fmt"
	"slices"
	"time"

	"mcloud/exporters"
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
// With an error the list is the one read before, if there is one, however old. A
// list of which some objects did not decode is an error too, and is completed by
// the one before: a project is not gone because it cannot be read.
func (c *Cloud) Projects(ctx context.Context, maxAge time.Duration) (Listing[Project], error) {
	p := &c.projects
	if err := p.hold(ctx); err != nil {
		return Listing[Project]{}, err
	}
	defer p.release()
	if !p.read.IsZero() && time.Since(p.read) < maxAge {
		return p.list, nil
	}
	list, err := p.readNow(ctx, c)
	switch {
	case err != nil && !p.read.IsZero():
		return p.list, err
	case err == nil && len(list.Failed) > 0:
		err = exporters.WithKind(fmt.Errorf("keystone: GET /projects: %d of %d projects could not be read: %w", len(list.Failed), len(list.Failed)+len(list.Objects), list.Failed[0]), exporters.KindDecode)
		list.Objects = completed(list.Objects, p.list.Objects)
	}
	return list, err
}

// ReadProjects lists the cloud's projects as they are now, for the one who tells
// of them; the list becomes the one that all share when it is whole.
func (c *Cloud) ReadProjects(ctx context.Context) (Listing[Project], error) {
	p := &c.projects
	if err := p.hold(ctx); err != nil {
		return Listing[Project]{}, err
	}
	defer p.release()
	return p.readNow(ctx, c)
}

func (p *projects) hold(ctx context.Context) error {
	select {
	case p.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *projects) release() { <-p.busy }

func (p *projects) readNow(ctx context.Context, c *Cloud) (Listing[Project], error) {
	list, err := List[Project](ctx, c, Identity, "/projects", "projects", nil)
	list.Objects = eachOnce(list.Objects)
	if err == nil && len(list.Failed) == 0 {
		p.list, p.read = list, time.Now()
	}
	return list, err
}

// eachOnce leaves out a project that came again: pages move while projects are made
// and deleted, and who counts accounts would wait for one that is not there.
func eachOnce(list []Project) []Project {
	seen := make(map[ID]bool, len(list))
	return slices.DeleteFunc(list, func(p Project) bool {
		again := seen[p.ID]
		seen[p.ID] = true
		return again
	})
}

// completed are those of now, and of those before the ones that now lacks.
func completed(now, before []Project) []Project {
	all, there := slices.Clone(now), map[ID]bool{}
	for _, p := range now {
		there[p.ID] = true
	}
	for _, p := range before {
		if !there[p.ID] {
			all = append(all, p)
		}
	}
	return all
}
