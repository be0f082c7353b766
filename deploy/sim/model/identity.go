package model

import (
	"fmt"
	"math"
	"time"
)

// Domain is a Keystone domain.
type Domain struct {
	ID, Name, Description string
}

// Domains are the domains of every simulated cloud.
var Domains = []Domain{
	{ID: "default", Name: "Default", Description: "The default domain"},
	{ID: "6f2d9c1e4b7a45d08e31c5a97f40b6d2", Name: "partners", Description: "Resellers and their customers"},
}

// Project is a Keystone project and how it behaves.
type Project struct {
	ID, Name, DomainID, Description string
	Users                           []User
	Network                         *Network
	CIDR                            string

	weight   float64 // its share of new servers and volumes
	database bool    // may use the private flavors
	servers  []*Server
}

// User is a Keystone user.
type User struct {
	ID, Name, DomainID, DefaultProject string
}

// The projects that are not customers.
const (
	AdminProject   = "admin"
	ServiceProject = "service"
)

var customers = []string{
	"acme", "globex", "initech", "umbrella", "hooli", "stark", "wayne", "wonka", "tyrell", "cyberdyne",
	"soylent", "massive", "vandelay", "dunder", "pied-piper", "oscorp", "gringotts", "sirius", "virtucon", "monarch",
	"aperture", "weyland", "zorin", "octan", "kramerica", "bluth", "sterling", "prestige", "gekko", "nakatomi",
	"strickland", "los-pollos", "duff", "krusty", "planet-x", "momcorp", "encom", "rekall", "omni", "yoyodyne",
}

// buildIdentity makes admin, service and the customers; the first customers
// are the largest, as in Zipf's law with exponent 0.7.
func (w *World) buildIdentity() {
	for _, name := range []string{AdminProject, ServiceProject} {
		p := &Project{ID: w.hexID(), Name: name, DomainID: "default", Description: name + " project"}
		p.Users = []User{{ID: w.hexID(), Name: name, DomainID: "default", DefaultProject: p.ID}}
		w.Projects = append(w.Projects, p)
	}
	for i := range w.Config.Projects {
		p := &Project{ID: w.hexID(), Name: customer(i), DomainID: Domains[0].ID}
		if i%5 == 4 {
			p.DomainID = Domains[1].ID
		}
		p.Description = "Customer " + p.Name
		p.weight = math.Pow(float64(i+1), -0.7)
		p.database = i%4 == 0
		for _, role := range []string{"ops", "dev"} {
			p.Users = append(p.Users, User{ID: w.hexID(), Name: p.Name + "-" + role, DomainID: p.DomainID, DefaultProject: p.ID})
		}
		w.Projects = append(w.Projects, p)
	}
}

func customer(i int) string {
	if i < len(customers) {
		return customers[i]
	}
	return fmt.Sprintf("%s-%d", customers[i%len(customers)], i/len(customers)+1)
}

// Customers are the projects that own servers and volumes.
func (w *World) Customers() []*Project { return w.Projects[2:] }

// Project returns the project with the id or nil.
func (w *World) Project(id string) *Project {
	for _, p := range w.Projects {
		if p.ID == id {
			return p
		}
	}
	return nil
}

// pickProject draws a customer by weight among those that ok accepts.
func (w *World) pickProject(ok func(*Project) bool) *Project {
	var sum float64
	for _, p := range w.Customers() {
		if ok(p) {
			sum += p.weight
		}
	}
	x := w.rand.Float64() * sum
	var last *Project
	for _, p := range w.Customers() {
		if !ok(p) {
			continue
		}
		if last = p; x < p.weight {
			break
		}
		x -= p.weight
	}
	return last
}

// Image is a Glance image.
type Image struct {
	ID, Name string
	Size     int64 // bytes
	Created  time.Time
}
