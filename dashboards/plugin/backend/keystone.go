package backend

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// keystone keeps a token and gets a new one before it expires: POST /v3/auth/tokens, as
// keystone/api/auth.py reads it.
type keystone struct {
	settings keystoneSettings
	http     *http.Client
	now      func() time.Time

	lock    chan struct{} // holds one while the fields below are used, or a token is asked for
	token   string
	renewal time.Time // from when on a new one is asked for
}

func newKeystone(s keystoneSettings, h *http.Client) *keystone {
	return &keystone{settings: s, http: h, now: time.Now, lock: make(chan struct{}, 1)}
}

func (k *keystone) enter(ctx context.Context) error {
	select {
	case k.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return unreachable(ctx, "POST "+k.settings.URL+"/auth/tokens", "Keystone", "keystone.url", ctx.Err())
	}
}

func (k *keystone) leave() { <-k.lock }

// get returns a token that is good for a while.
func (k *keystone) get(ctx context.Context) (string, error) {
	if err := k.enter(ctx); err != nil {
		return "", err
	}
	defer k.leave()
	if k.token != "" && k.now().Before(k.renewal) {
		return k.token, nil
	}
	token, expires, err := k.ask(ctx)
	if err != nil {
		return "", err
	}
	// Five minutes before the end, or a tenth of a shorter life.
	life := expires.Sub(k.now())
	k.token, k.renewal = token, expires.Add(-min(5*time.Minute, life/10))
	return k.token, nil
}

// forget drops token, which somebody refused, unless it was renewed meanwhile.
func (k *keystone) forget(ctx context.Context, token string) error {
	if err := k.enter(ctx); err != nil {
		return err
	}
	defer k.leave()
	if k.token == token {
		k.token = ""
	}
	return nil
}

type object = map[string]any

// request is the body that asks for a token.
func (s keystoneSettings) request() object {
	if s.Method == "application_credential" {
		return object{"auth": object{"identity": object{"methods": []string{"application_credential"}, "application_credential": object{"id": s.Credential, "secret": s.secret}}}}
	}
	user := object{"name": s.User, "domain": object{"name": s.UserDomain}, "password": s.secret}
	scope := object{"project": object{"name": s.Project, "domain": object{"name": s.ProjectDomain}}}
	if s.System {
		scope = object{"system": object{"all": true}}
	}
	return object{"auth": object{"identity": object{"methods": []string{"password"}, "password": object{"user": user}}, "scope": scope}}
}

func (k *keystone) ask(ctx context.Context) (token string, expires time.Time, err error) {
	raw, err := json.Marshal(k.settings.request())
	if err != nil {
		return "", time.Time{}, err
	}
	// nocatalog: the planner's address is configured.
	where := k.settings.URL + "/auth/tokens"
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, where+"?nocatalog", bytes.NewReader(raw))
	if err != nil {
		return "", time.Time{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	got, err := send(k.http, r, "Keystone", "keystone.url")
	if err != nil {
		return "", time.Time{}, err
	}
	var answer struct {
		Token struct {
			Expires time.Time `json:"expires_at"`
		} `json:"token"`
	}
	switch {
	case got.status == http.StatusUnauthorized:
		return "", time.Time{}, &failure{backend.StatusUnauthorized, backend.ErrorSourceDownstream, fmt.Sprintf("Keystone at %s does not take the credentials of %s: see the data source's authentication", k.settings.URL, k.who())}
	case got.status != http.StatusCreated && got.status != http.StatusOK:
		return "", time.Time{}, &failure{backend.StatusBadGateway, backend.ErrorSourceDownstream, fmt.Sprintf("Keystone gave no token to %s: POST %s was answered with %d; does keystone.url lead to Keystone, and is the scope right?", k.who(), where, got.status)}
	}
	token = got.header.Get("X-Subject-Token")
	if json.Unmarshal(got.body, &answer) != nil || token == "" || answer.Token.Expires.IsZero() {
		return "", time.Time{}, &failure{backend.StatusBadGateway, backend.ErrorSourceDownstream, fmt.Sprintf("what POST %s answered is no token: does keystone.url lead to Keystone?", where)}
	}
	return token, answer.Token.Expires, nil
}

func (k *keystone) who() string { return settings{auth: authKeystone, keystone: k.settings}.who() }
