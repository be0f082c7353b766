package access

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/bcrypt"

	"mcloud/cmd/config"
)

const (
	// hashesAtOnce bounds the processors that guessing passwords can keep busy, and
	// hashWait how long one waits for its turn.
	hashesAtOnce = 2
	hashWait     = 2 * time.Second
	// Each comparison takes 2^cost rounds: below it guessing is cheap, above it a
	// login takes seconds.
	minCost, maxCost = 8, 14
)

// users have passwords, of which only bcrypt's hashes are here.
type users struct {
	byName map[string]*user
	// nobody is compared with where there is no such user, so that time does not tell
	// who there is; as dear as the dearest of the users'.
	nobody []byte
	slots  chan struct{}
}

type user struct {
	identity Identity
	hash     func() []byte
}

func (g *Gate) openUsers(list []config.AccessUser) (*users, error) {
	u := &users{byName: map[string]*user{}, slots: make(chan struct{}, hashesAtOnce)}
	cost := minCost
	for i, c := range list {
		made := &user{identity: g.identity(c.Name, c.Roles, c.Projects)}
		what := fmt.Sprintf("access.users[%d] (%s)", i, c.Name)
		if c.PasswordHashFile != "" {
			f, err := openFiles(what+".password_hash_file", g.logger, g.now, func(contents [][]byte) ([]byte, error) {
				hash := bytes.TrimSpace(contents[0])
				return hash, checkHash(hash)
			}, c.PasswordHashFile)
			if err != nil {
				return nil, err
			}
			made.hash = f.get
		} else {
			hash := []byte(c.PasswordHash)
			if err := checkHash(hash); err != nil {
				return nil, fmt.Errorf("%w: %s.password_hash: %w", errConfig, what, err)
			}
			made.hash = func() []byte { return hash }
		}
		c, err := bcrypt.Cost(made.hash())
		if err != nil {
			return nil, err
		}
		cost = max(cost, c)
		u.byName[made.identity.Name] = made
	}
	if len(list) > 0 {
		var err error
		if u.nobody, err = bcrypt.GenerateFromPassword(g.key, cost); err != nil {
			return nil, err
		}
	}
	return u, nil
}

// checkHash says what is wrong with a hash, without showing it.
func checkHash(hash []byte) error {
	cost, err := bcrypt.Cost(hash)
	switch {
	case err != nil || len(hash) != 60:
		return errors.New("it is no bcrypt hash; make one with: htpasswd -nBC 10 NAME")
	case cost < minCost || cost > maxCost:
		return fmt.Errorf("the hash has cost %d, want %d to %d", cost, minCost, maxCost)
	}
	return nil
}

var errBusy = errors.New("too many passwords are being checked; try again")

// hash is of who claims to be name, for the digest of what was right lately.
func (u *users) hash(name string) []byte {
	if who, ok := u.byName[name]; ok {
		return who.hash()
	}
	return u.nobody
}

// check compares a password; it takes its time.
func (u *users) check(ctx context.Context, name, password string) (Identity, bool, error) {
	if len(u.byName) == 0 {
		return Identity{}, false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, hashWait)
	defer cancel()
	select {
	case u.slots <- struct{}{}:
		defer func() { <-u.slots }()
	case <-ctx.Done():
		return Identity{}, false, errBusy
	}
	who, ok := u.byName[name]
	if bcrypt.CompareHashAndPassword(u.hash(name), []byte(password)) != nil || !ok {
		return Identity{}, false, nil
	}
	return who.identity, true, nil
}
