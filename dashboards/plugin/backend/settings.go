package backend

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/httpclient"
)

// The ways to say who asks.
const (
	authNone     = "none"
	authBasic    = "basic"
	authBearer   = "bearer"
	authKeystone = "keystone"
)

const (
	defaultTimeout = 30 * time.Second
	maxTimeout     = 5 * time.Minute
	// maxAnswerBytes bounds the planner's answer: the report on a cloud of 2,000 hosts has 5 MB.
	maxAnswerBytes = 64 << 20
)

// settings are the data source's, checked. What is secret in them is never printed.
type settings struct {
	url      string // without a slash at its end
	auth     string
	user     string // of basic
	password string
	token    string // of bearer
	keystone keystoneSettings
	timeout  time.Duration
	http     httpclient.Options
}

// keystoneSettings name a user with a password, or an application credential.
type keystoneSettings struct {
	URL           string `json:"url"`
	Method        string `json:"method"` // password, application_credential
	User          string `json:"user"`
	UserDomain    string `json:"userDomain"`
	Project       string `json:"project"`
	ProjectDomain string `json:"projectDomain"`
	// System asks for a token for the whole system instead of one for a project.
	System     bool   `json:"system"`
	Credential string `json:"applicationCredentialId"`
	secret     string
}

// jsonData is how the settings are stored.
type jsonData struct {
	Auth           string           `json:"auth"`
	Keystone       keystoneSettings `json:"keystone"`
	TimeoutSeconds float64          `json:"timeoutSeconds"`
}

// wrongSettings is what an administrator of Grafana has to mend.
func wrongSettings(format string, args ...any) *failure {
	return &failure{status: backend.StatusBadRequest, source: backend.ErrorSourceDownstream, message: "the data source is not set up: " + fmt.Sprintf(format, args...)}
}

// readSettings checks what Grafana stores about the data source.
func readSettings(ctx context.Context, in backend.DataSourceInstanceSettings) (settings, error) {
	var stored jsonData
	if len(in.JSONData) > 0 {
		// The decoder's error quotes no value.
		if err := json.Unmarshal(in.JSONData, &stored); err != nil {
			return settings{}, wrongSettings("jsonData cannot be read: %v", err)
		}
	}
	s := settings{auth: stored.Auth, keystone: stored.Keystone, timeout: defaultTimeout}
	var err error
	if s.url, err = address("URL", in.URL); err != nil {
		return s, err
	}
	if n := stored.TimeoutSeconds; n != 0 {
		s.timeout = time.Duration(n * float64(time.Second))
		if s.timeout < time.Second || s.timeout > maxTimeout {
			return s, wrongSettings("timeoutSeconds is %g, want 1 to %g", n, maxTimeout.Seconds())
		}
	}
	if s.http, err = in.HTTPClientOptions(ctx); err != nil {
		return s, wrongSettings("%v", err)
	}
	// Whom it asks as is said with each request here, so that nothing goes to where an
	// answer redirects to.
	s.http.BasicAuth = nil
	if s.auth == "" {
		s.auth = authNone
		if in.BasicAuthEnabled {
			s.auth = authBasic
		}
	}
	secrets := in.DecryptedSecureJSONData
	switch s.auth {
	case authNone:
	case authBasic:
		if s.user, s.password = in.BasicAuthUser, secrets["basicAuthPassword"]; s.user == "" || s.password == "" {
			return s, wrongSettings("basic authentication needs a user and a password (basicAuthUser, secureJsonData.basicAuthPassword)")
		}
	case authBearer:
		if s.token = secrets["bearerToken"]; s.token == "" {
			return s, wrongSettings("authentication by token needs the token (secureJsonData.bearerToken)")
		}
		if strings.ContainsFunc(s.token, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return s, wrongSettings("the token (secureJsonData.bearerToken) has blanks or other characters in it that no token has")
		}
	case authKeystone:
		return s, s.keystone.check(secrets)
	default:
		return s, wrongSettings("auth is %q, want none, basic, bearer or keystone", s.auth)
	}
	return s, nil
}

func (k *keystoneSettings) check(secrets map[string]string) error {
	var err error
	if k.URL, err = address("keystone.url", k.URL); err != nil {
		return err
	}
	if !strings.HasSuffix(k.URL, "/v3") {
		k.URL += "/v3"
	}
	switch k.Method {
	case "", "password":
		k.Method = "password"
		k.secret = secrets["keystonePassword"]
		switch {
		case k.User == "" || k.secret == "":
			return wrongSettings("Keystone needs a user and a password (keystone.user, secureJsonData.keystonePassword)")
		case !k.System && k.Project == "":
			return wrongSettings("Keystone needs a project (keystone.project), or keystone.system for a token of the whole system")
		}
		if k.UserDomain == "" {
			k.UserDomain = "Default"
		}
		if k.ProjectDomain == "" {
			k.ProjectDomain = k.UserDomain
		}
	case "application_credential":
		if k.secret = secrets["applicationCredentialSecret"]; k.Credential == "" || k.secret == "" {
			return wrongSettings("an application credential has an id and a secret (keystone.applicationCredentialId, secureJsonData.applicationCredentialSecret)")
		}
	default:
		return wrongSettings("keystone.method is %q, want password or application_credential", k.Method)
	}
	return nil
}

// address checks a URL; it may have a path and nothing behind that.
func address(name, text string) (string, error) {
	if strings.TrimSpace(text) == "" {
		return "", wrongSettings("%s is missing; write for example http://planner:9197", name)
	}
	u, err := url.Parse(strings.TrimSpace(text))
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		return "", wrongSettings("%s is no http or https address", name)
	case u.User != nil:
		return "", wrongSettings("%s has a user in it; choose basic authentication instead", name)
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// who is whom the planner is asked as, for messages.
func (s settings) who() string {
	switch s.auth {
	case authBasic:
		return "user " + s.user
	case authBearer:
		return "the bearer of a token"
	case authKeystone:
		if s.keystone.Method == "application_credential" {
			return "Keystone's application credential " + s.keystone.Credential
		}
		of := "project " + s.keystone.Project
		if s.keystone.System {
			of = "the system"
		}
		return fmt.Sprintf("Keystone's user %s@%s for %s", s.keystone.User, s.keystone.UserDomain, of)
	}
	return "nobody"
}
