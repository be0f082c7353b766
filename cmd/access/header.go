package access

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// Method is how somebody was, or would have been, recognised; a label.
type method string

const (
	methodNone     method = "none"
	methodBasic    method = "basic"
	methodBearer   method = "bearer"
	methodKeystone method = "keystone"
	methodUnknown  method = "unknown" // a scheme or a header that is not understood
)

// credentials are what a request presents. They are never logged.
type credentials struct {
	method         method
	user, password string
	token          string
}

// maxCredentials bounds a header's value, in bytes. Keystone's tokens have at most 255
// by default, and signed ones below 2,000.
const maxCredentials = 8 << 10

// present reads Authorization (RFC 9110 section 11.6.2; Basic of RFC 7617, Bearer of
// RFC 6750) and, as OpenStack's services do, X-Auth-Token. Two values are one too many.
func present(h http.Header) credentials {
	authorization, keystone := h.Values("Authorization"), h.Values("X-Auth-Token")
	switch {
	case len(authorization)+len(keystone) == 0:
		return credentials{method: methodNone}
	case len(authorization)+len(keystone) > 1:
		return credentials{method: methodUnknown}
	case len(keystone) == 1:
		if !isToken(keystone[0]) {
			return credentials{method: methodUnknown}
		}
		return credentials{method: methodKeystone, token: keystone[0]}
	}
	return parseAuthorization(authorization[0])
}

func parseAuthorization(value string) credentials {
	if len(value) > maxCredentials {
		return credentials{method: methodUnknown}
	}
	scheme, rest, _ := strings.Cut(value, " ")
	rest = strings.Trim(rest, " ")
	switch {
	case strings.EqualFold(scheme, "Bearer") && isToken(rest):
		return credentials{method: methodBearer, token: rest}
	case strings.EqualFold(scheme, "Basic"):
		decoded, err := base64.StdEncoding.DecodeString(rest)
		user, password, ok := strings.Cut(string(decoded), ":")
		if err != nil || !ok || user == "" || strings.ContainsFunc(user+password, isControl) {
			return credentials{method: methodUnknown}
		}
		return credentials{method: methodBasic, user: user, password: password}
	}
	return credentials{method: methodUnknown}
}

// isToken says whether s can be a token: what can be seen of ASCII, no blanks.
func isToken(s string) bool {
	return s != "" && len(s) <= maxCredentials && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }
