package exporters

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"syscall"

	jsonv1 "github.com/go-json-experiment/json/v1"
)

// The kinds of error that mcloud_source_errors_total counts.
const (
	KindTimeout      = "timeout"
	KindRefused      = "refused" // no connection: refused, reset, unroutable, unknown name
	KindUnauthorized = "unauthorized"
	KindForbidden    = "forbidden"
	KindNotFound     = "not_found"
	KindThrottled    = "throttled"
	KindServerError  = "server_error"
	KindDecode       = "decode"
	KindOther        = "other"

	// These two are the Runner's own findings about a Source.
	KindPanic  = "panic"
	KindSample = "sample" // a sample of an undeclared family, or one that is there already
)

// ErrAbsent is wrapped by the error of a Collector whose system the cloud does
// not have: no endpoint in the catalogue, no such daemon. The Runner says it
// once and exports mcloud_source_absent instead of counting errors for ever.
var ErrAbsent = errors.New("absent")

// WithKind marks err as of a kind, for KindOf. It returns nil for nil.
func WithKind(err error, kind string) error {
	if err == nil {
		return nil
	}
	return &kindError{err, kind}
}

type kindError struct {
	error
	kind string
}

func (e *kindError) Kind() string  { return e.kind }
func (e *kindError) Unwrap() error { return e.error }

// KindOf says what kind of error err is. An error in err's chain that has a
// method Kind() string answers for itself; those of net, encoding/json (its v1 in the module, too), context
// and os are known. The result is one of the Kind constants unless an error
// named its own.
func KindOf(err error) string {
	var own interface{ Kind() string }
	var timeout net.Error
	var dns *net.DNSError
	var syntax, syntaxV1 = new(*json.SyntaxError), new(*jsonv1.SyntaxError)
	var wrongType, wrongTypeV1 = new(*json.UnmarshalTypeError), new(*jsonv1.UnmarshalTypeError)
	switch {
	case err == nil:
		return ""
	case errors.As(err, &own):
		return own.Kind()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return KindTimeout
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.As(err, &dns):
		return KindRefused
	case errors.As(err, syntax), errors.As(err, wrongType), errors.As(err, syntaxV1), errors.As(err, wrongTypeV1),
		errors.Is(err, io.ErrUnexpectedEOF):
		return KindDecode
	case errors.Is(err, fs.ErrPermission):
		return KindForbidden
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, ErrAbsent):
		return KindNotFound
	}
	return KindOther
}

// HTTPKind is the kind of a response status that is not a success.
func HTTPKind(code int) string {
	switch {
	case code == http.StatusUnauthorized:
		return KindUnauthorized
	case code == http.StatusForbidden:
		return KindForbidden
	case code == http.StatusNotFound:
		return KindNotFound
	case code == http.StatusTooManyRequests:
		return KindThrottled
	case code == http.StatusRequestTimeout || code == http.StatusGatewayTimeout:
		return KindTimeout
	case code >= 500:
		return KindServerError
	}
	return KindOther
}

// leaves are the errors that errors.Join put together in err, so that each is
// counted under its own kind.
func leaves(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, leaves(e)...)
		}
		if len(all) > 0 {
			return all
		}
	}
	if err == nil {
		return nil
	}
	return []error{err}
}
