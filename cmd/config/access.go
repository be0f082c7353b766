package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"
)

// Access says who may ask the listeners what (cmd/access). With nobody named in it
// everybody may ask, and then every listener has to be on loopback.
type Access struct {
	// TLS is of each listener but the store's that has none of its own.
	TLS TLS `yaml:"tls"`
	// Users are asked for a password, Tokens present a secret that a file holds.
	Users    []AccessUser  `yaml:"users"`
	Tokens   []AccessToken `yaml:"tokens"`
	Keystone *Keystone     `yaml:"keystone"`
	// Roles are the permissions (read, write, admin) that each role gives.
	Roles map[string][]string `yaml:"roles"`
	// Client is what our own programs present to each other.
	Client Client `yaml:"client"`
}

// TLS is a certificate with its chain and its key, in PEM. Both are read again when
// they change.
type TLS struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// AccessUser is somebody with a password, of which only the bcrypt hash is kept.
type AccessUser struct {
	Name             string   `yaml:"name"`
	PasswordHash     string   `yaml:"password_hash"`
	PasswordHashFile string   `yaml:"password_hash_file"`
	Roles            []string `yaml:"roles"`
	// Projects bound what is seen to the usage of these, by id; none for the cloud.
	Projects []string `yaml:"projects"`
}

// AccessToken is a program with a bearer token: a line of a file.
type AccessToken struct {
	Name     string   `yaml:"name"`
	File     string   `yaml:"file"`
	Roles    []string `yaml:"roles"`
	Projects []string `yaml:"projects"`
}

// Keystone is where tokens of OpenStack are checked.
type Keystone struct {
	URL     string   `yaml:"url"` // https://keystone.example.org:5000/v3
	CA      string   `yaml:"ca"`
	Timeout Duration `yaml:"timeout"` // of one check, default 5 s
	// Recheck is after how long a token is checked again, Cache how long it counts
	// at most when Keystone does not answer.
	Recheck Duration `yaml:"recheck"` // default 1 min
	Cache   Duration `yaml:"cache"`   // default and at most 5 min
	// CloudRoles are the roles that show the whole cloud on any project, default admin;
	// CloudProjects are the ids of projects whose tokens show it with any role. Tokens
	// for the system always do.
	CloudRoles    []string `yaml:"cloud_roles"`
	CloudProjects []string `yaml:"cloud_projects"`
}

// Client is what a program of ours presents, and whom it trusts.
type Client struct {
	TokenFile    string `yaml:"token_file"`
	User         string `yaml:"user"`
	PasswordFile string `yaml:"password_file"`
	CA           string `yaml:"ca"`
	// ServerName is what certificates are checked for, when it is not the address.
	ServerName string `yaml:"server_name"`
}

// Permissions are all that roles can give.
var Permissions = []string{"read", "write", "admin"}

// MaxKeystoneCache bounds how long a revoked token may go on to count.
const MaxKeystoneCache = 5 * time.Minute

// Asks says whether anybody is named, so that everybody is asked who they are.
func (a Access) Asks() bool { return len(a.Users) > 0 || len(a.Tokens) > 0 || a.Keystone != nil }

func (a *Access) defaults() {
	roles := map[string][]string{"reader": {"read"}, "member": {"read"}, "service": {"write"}, "writer": {"write"}, "admin": Permissions}
	maps.Copy(roles, a.Roles)
	a.Roles = roles
	if k := a.Keystone; k != nil {
		every := func(d *Duration, v time.Duration) {
			if *d == 0 {
				*d = Duration(v)
			}
		}
		every(&k.Timeout, 5*time.Second)
		every(&k.Cache, MaxKeystoneCache)
		every(&k.Recheck, min(time.Minute, time.Duration(k.Cache)))
		if k.CloudRoles == nil {
			k.CloudRoles = []string{"admin"}
		}
	}
}

// files are the paths that are relative to the configuration's folder.
func (a *Access) files() []*string {
	files := []*string{&a.TLS.Cert, &a.TLS.Key, &a.Client.TokenFile, &a.Client.PasswordFile, &a.Client.CA}
	for i := range a.Users {
		files = append(files, &a.Users[i].PasswordHashFile)
	}
	for i := range a.Tokens {
		files = append(files, &a.Tokens[i].File)
	}
	if a.Keystone != nil {
		files = append(files, &a.Keystone.CA)
	}
	return files
}

func (t TLS) validate(field string) error {
	if (t.Cert == "") != (t.Key == "") {
		return fmt.Errorf("%s: cert and key go together", field)
	}
	return nil
}

func (a Access) validate() error {
	if err := a.TLS.validate("access.tls"); err != nil {
		return err
	}
	for _, role := range slices.Sorted(maps.Keys(a.Roles)) {
		for _, p := range a.Roles[role] {
			if !slices.Contains(Permissions, p) {
				return fmt.Errorf("access.roles.%s: %q, want read, write or admin", role, p)
			}
		}
	}
	names := map[string]bool{}
	named := func(field, name string, roles []string) error {
		switch {
		case name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == ':' || r == 0x7f }):
			return fmt.Errorf("%s.name: %q, want a name without blanks and colons", field, name)
		case names[name]:
			return fmt.Errorf("%s.name: %q is there twice", field, name)
		case len(roles) == 0:
			return fmt.Errorf("%s (%s).roles: none, so it may do nothing; for example [reader]", field, name)
		}
		names[name] = true
		return a.known(fmt.Sprintf("%s (%s).roles", field, name), roles)
	}
	for i, u := range a.Users {
		field := fmt.Sprintf("access.users[%d]", i)
		if err := named(field, u.Name, u.Roles); err != nil {
			return err
		}
		if (u.PasswordHash == "") == (u.PasswordHashFile == "") {
			return fmt.Errorf("%s (%s): password_hash or password_hash_file, one of them; make one with: htpasswd -nBC 10 %s", field, u.Name, u.Name)
		}
	}
	for i, t := range a.Tokens {
		field := fmt.Sprintf("access.tokens[%d]", i)
		if err := named(field, t.Name, t.Roles); err != nil {
			return err
		}
		if t.File == "" {
			return fmt.Errorf("%s (%s).file: none; write a token into a file with: openssl rand -hex 32", field, t.Name)
		}
	}
	if a.Keystone != nil {
		if err := a.Keystone.validate(a); err != nil {
			return err
		}
	}
	return a.Client.validate("access.client")
}

// known says whether all roles give something.
func (a Access) known(field string, roles []string) error {
	for _, r := range roles {
		if _, ok := a.Roles[r]; !ok {
			return fmt.Errorf("%s: %q is not in access.roles (%s)", field, r, strings.Join(slices.Sorted(maps.Keys(a.Roles)), ", "))
		}
	}
	return nil
}

func (k Keystone) validate(a Access) error {
	switch {
	case !webAddress(k.URL) || strings.Contains(k.URL, "@"):
		return errors.New("access.keystone.url: want Keystone's address without credentials, for example https://keystone.example.org:5000/v3")
	case time.Duration(k.Cache) > MaxKeystoneCache:
		return fmt.Errorf("access.keystone.cache: %s, want at most %s: a revoked token counts that long", time.Duration(k.Cache), MaxKeystoneCache)
	case k.Recheck > k.Cache:
		return fmt.Errorf("access.keystone.recheck: %s is more than cache has, %s", time.Duration(k.Recheck), time.Duration(k.Cache))
	case time.Duration(k.Timeout) > time.Minute:
		return fmt.Errorf("access.keystone.timeout: %s, want at most 1m", time.Duration(k.Timeout))
	}
	return a.known("access.keystone.cloud_roles", k.CloudRoles)
}

func (c Client) validate(field string) error {
	switch {
	case c.TokenFile != "" && c.User != "":
		return fmt.Errorf("%s: token_file and user, one of them", field)
	case (c.User == "") != (c.PasswordFile == ""):
		return fmt.Errorf("%s: user and password_file go together", field)
	}
	return nil
}

// Listener is how one part serves.
type Listener struct {
	Name      string // of the part, which is its section of the file
	Listen    string
	WebConfig string
	TLS       TLS
	Insecure  bool
}

// Listeners of the parts that serve HTTP, by name. The store has no web_config, a
// certificate and a user of its own, and knows nothing of access.
func (f File) Listeners() map[string]Listener {
	made := map[string]Listener{}
	for _, l := range []Listener{
		{"exporter", f.Exporter.Listen, f.Exporter.WebConfig, f.Exporter.TLS, f.Exporter.Insecure},
		{"collector", f.Collector.Listen, f.Collector.WebConfig, f.Collector.TLS, f.Collector.Insecure},
		{"planner", f.Planner.Listen, f.Planner.WebConfig, f.Planner.TLS, f.Planner.Insecure},
		{"store", f.Store.Listen, "", f.Store.TLS, f.Store.Insecure},
	} {
		if l.TLS == (TLS{}) && l.WebConfig == "" && l.Name != "store" {
			l.TLS = f.Access.TLS
		}
		made[l.Name] = l
	}
	return made
}

// Loopback says whether only this machine reaches the listener.
func (l Listener) Loopback() bool {
	host, _, err := net.SplitHostPort(l.Listen)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// URL is where programs on this machine find the listener. With web_config, whose file
// is not read here, it is http: the part's url says otherwise.
func (l Listener) URL() string {
	scheme, address := "http", l.Listen
	if l.TLS.Cert != "" {
		scheme = "https"
	}
	if host, port, err := net.SplitHostPort(address); err == nil {
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			address = net.JoinHostPort("127.0.0.1", port)
		}
	}
	return scheme + "://" + address
}

// CollectorURL is where the other parts find the collector.
func (f File) CollectorURL() string {
	if f.Collector.URL != "" {
		return f.Collector.URL
	}
	return f.Listeners()["collector"].URL()
}

// PlannerURL is where mcloud-plan finds the planner.
func (f File) PlannerURL() string {
	if f.Planner.URL != "" {
		return f.Planner.URL
	}
	return f.Listeners()["planner"].URL()
}
