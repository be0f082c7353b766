package mcloud

// KindDomain is Keystone's.
const KindDomain Kind = "domain"

// Domain is a Keystone domain.
type Domain struct {
	Name    string `json:"name"`
	Enabled bool   `json:"enabled"`
}
