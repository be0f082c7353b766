// Package access says who may ask a listener what. A Gate knows the users, tokens and
// the Keystone that the configuration names; Guard puts it before the handler of a part:
// each request is answered by the part only when somebody is recognised whose roles give
// the permission that the part's Policy wants for it.
//
//	401  nobody was recognised: no credentials, wrong or expired ones
//	403  somebody was, whose roles or project do not suffice; the answer says which does
//	429  too many wrong credentials from one address; known ones go on
//	503  Keystone could not be asked about a token that is not known yet
//
// It keeps only hashes of what is presented, and nothing of it gets into a log, a label
// or an error.
package access

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"mcloud/cmd/config"
)

// Permission is what a request needs and a role gives.
type Permission string

// The permissions. None includes another; the role admin has all three.
const (
	// Public needs nobody: whether a part lives.
	Public Permission = ""
	Read   Permission = "read"
	Write  Permission = "write"
	Admin  Permission = "admin"
)

// Identity is who asks.
type Identity struct {
	// Name is for the log: a user's or token's, or "alice@Default" of Keystone.
	Name string
	May  []Permission
	// All says that the whole cloud may be seen. Otherwise only the usage of Projects,
	// by id, and of the projects in Domain.
	All      bool
	Projects []string
	Domain   string
}

// narrow is what somebody may see who does not see all.
func (i Identity) narrow() string {
	switch {
	case i.Domain != "":
		return "the usage of domain " + i.Domain
	case len(i.Projects) > 0:
		return "the usage of project " + strings.Join(i.Projects, ", ")
	}
	return "nothing"
}

type contextKey struct{}

// From is who asked for what ctx belongs to. Without a Guard, and where nobody is
// named in the configuration, it is nobody who may see everything.
func From(ctx context.Context) Identity {
	if i, ok := ctx.Value(contextKey{}).(Identity); ok {
		return i
	}
	return Identity{All: true}
}

// Gate knows who there is. Its methods may be called concurrently.
type Gate struct {
	asks     bool
	logger   *slog.Logger
	now      func() time.Time
	key      []byte // of the digests that are kept, made anew at each start
	roles    map[string][]string
	users    *users
	tokens   []*tokenFile
	keystone *keystone // nil without one
	slow     *throttle
	said     *rate.Limiter // bounds the log's lines about refusals
}

// Options of a Gate.
type Options struct {
	Access config.Access
	// OwnToken is the file of the token that our own programs on this machine share;
	// "" for none. See OwnToken.
	OwnToken string
	Logger   *slog.Logger
	// Transport reaches Keystone, by default with the configuration's CA.
	Transport http.RoundTripper
	Now       func() time.Time // time.Now if nil
}

// New reads the files that the configuration names. Its errors name the key.
func New(o Options) (*Gate, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	g := &Gate{
		asks: o.Access.Asks(), logger: o.Logger, now: o.Now, key: make([]byte, 32), roles: o.Access.Roles,
		slow: newThrottle(o.Now), said: rate.NewLimiter(1, 10),
	}
	if _, err := rand.Read(g.key); err != nil {
		return nil, err
	}
	var err error
	if g.users, err = g.openUsers(o.Access.Users); err != nil {
		return nil, err
	}
	for i, t := range o.Access.Tokens {
		file, err := g.openTokens(fmt.Sprintf("access.tokens[%d] (%s).file", i, t.Name), t.File, g.identity(t.Name, t.Roles, t.Projects))
		if err != nil {
			return nil, err
		}
		g.tokens = append(g.tokens, file)
	}
	if g.asks && o.OwnToken != "" {
		file, err := g.openTokens("the own token", o.OwnToken, Identity{Name: "mcloud", May: []Permission{Read, Write, Admin}, All: true})
		if err != nil {
			return nil, err
		}
		g.tokens = append(g.tokens, file)
	}
	if k := o.Access.Keystone; k != nil {
		if g.keystone, err = g.openKeystone(*k, o.Transport); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// identity is somebody of the configuration.
func (g *Gate) identity(name string, roles, projects []string) Identity {
	return Identity{Name: name, May: g.permissions(roles), All: len(projects) == 0, Projects: projects}
}

func (g *Gate) permissions(roles []string) []Permission {
	var may []Permission
	for _, r := range roles {
		for _, p := range g.roles[r] {
			if !slices.Contains(may, Permission(p)) {
				may = append(may, Permission(p))
			}
		}
	}
	return may
}

// digest stands for a secret in memory.
type digest [sha256.Size]byte

func (g *Gate) digest(parts ...string) (d digest) {
	h := hmac.New(sha256.New, g.key)
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p) // so that no two lists look the same
	}
	h.Sum(d[:0])
	return d
}
