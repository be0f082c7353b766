package openstack

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/gophercloud/gophercloud/v2"

	json "github.com/go-json-experiment/json/v1"

	"mcloud/exporters"
)

// Error is a call that failed. Code is the answer's status, 0 when none came.
type Error struct {
	API, Method, Path string
	Code              int
	Message           string // what the service said, shortened
	Hint              string // what to do about it
	Err               error
	kind              string
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s %s", e.API, e.Method, e.Path)
	if e.Code != 0 {
		fmt.Fprintf(&b, ": %d %s", e.Code, http.StatusText(e.Code))
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Connecting says that there was no token to ask anything with.
func (e *Error) Connecting() bool { return e.Method == http.MethodPost && e.Path == tokensPath }

// Kind is for exporters.KindOf.
func (e *Error) Kind() string {
	switch {
	case e.kind != "":
		return e.kind
	case e.Code != 0:
		return exporters.HTTPKind(e.Code)
	}
	return callKind(e.Err)
}

// callKind is the kind of a call's error. An EOF where an answer should begin is
// a connection that was closed on us, as by a proxy without a backend.
func callKind(err error) string {
	if errors.Is(err, io.EOF) {
		return exporters.KindRefused
	}
	return exporters.KindOf(err)
}

// asError turns what net/http or gophercloud gave into an Error.
func (c *Cloud) asError(api, method, path string, err error) *Error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	e := &Error{API: api, Method: method, Path: path, Err: err}
	var status gophercloud.ErrUnexpectedResponseCode
	if errors.As(err, &status) {
		e.Code, e.Message, e.Err = status.Actual, faultMessage(status.Body), nil
		return e
	}
	// A url.Error repeats method and URL before the cause; keep the host only.
	var u *url.Error
	if errors.As(err, &u) {
		e.Err = u.Err
		if at, parseErr := url.Parse(u.URL); parseErr == nil {
			e.Message = at.Host
		}
	}
	e.Hint = c.certificateHint(err)
	return e
}

// certificateHint says what to do about a certificate that is not trusted; "" for
// other errors.
func (c *Cloud) certificateHint(err error) string {
	var refused *tls.CertificateVerificationError
	if !errors.As(err, &refused) {
		return ""
	}
	creds := c.creds.current()
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return fmt.Sprintf("name the file of the CA that signed it as cacert of cloud %q in %s", creds.cloud, creds.file)
	}
	return "the service's certificate has to be renewed, or is for another name than the endpoint's"
}

// statusError is a call that was answered, but not with success.
func statusError(api, path string, code int, body []byte) *Error {
	e := &Error{API: api, Method: http.MethodGet, Path: path, Code: code, Message: faultMessage(body)}
	switch code {
	case http.StatusForbidden:
		e.Hint = "the account needs the role admin, or a policy that lets it read this"
	case http.StatusUnauthorized:
		e.Hint = "the service refuses a fresh token: do its clock and its keystone_authtoken section agree with Keystone?"
	}
	return e
}

// maxMessage bounds what is kept of a service's error text, in bytes.
const maxMessage = 300

// faultMessage finds the sentence in an error answer. Services wrap it in
// different ways: {"forbidden": {"message": …}}, {"error": {"message": …}},
// {"NeutronError": {"message": …}}, {"errors": [{"detail": …}]}, or plain text.
func faultMessage(body []byte) string {
	var v any
	if json.Unmarshal(body, &v) != nil {
		text := strings.TrimSpace(string(body))
		if strings.HasPrefix(text, "<") || strings.HasPrefix(text, "{") {
			return "" // HTML of a proxy, or half a JSON
		}
		return shorten(text)
	}
	// A title says no more than the status; the sentence may lie deeper than it.
	text := findMessage(v, 4, "message", "detail", "faultstring")
	if text == "" {
		text = findMessage(v, 4, "title", "description")
	}
	return shorten(text)
}

func findMessage(v any, depth int, keys ...string) string {
	if depth == 0 {
		return ""
	}
	switch v := v.(type) {
	case map[string]any:
		for _, key := range keys {
			if s, ok := v[key].(string); ok && s != "" {
				return s
			}
		}
		for _, inner := range v {
			if s := findMessage(inner, depth-1, keys...); s != "" {
				return s
			}
		}
	case []any:
		for _, inner := range v {
			if s := findMessage(inner, depth-1, keys...); s != "" {
				return s
			}
		}
	}
	return ""
}

func shorten(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") + "…"
	}
	return s
}
