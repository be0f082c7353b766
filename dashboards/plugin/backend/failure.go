package backend

import (
	"context"
	"errors"
	"fmt"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// failure is an error for whoever looks at the panel: what is wrong, what to do, whose
// fault it is.
type failure struct {
	status  backend.Status
	source  backend.ErrorSource
	message string
}

func (f *failure) Error() string { return f.message }

// wrongQuery is the failure of a query whose field is at fault.
func wrongQuery(field, format string, args ...any) *failure {
	return &failure{status: backend.StatusBadRequest, source: backend.ErrorSourceDownstream, message: field + ": " + fmt.Sprintf(format, args...)}
}

// response answers a query with err.
func response(err error) backend.DataResponse {
	f := failureOf(err)
	return backend.ErrDataResponseWithSource(f.status, f.source, f.message)
}

func failureOf(err error) *failure {
	var f *failure
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, context.Canceled):
		return &failure{status: 499, source: backend.ErrorSourceDownstream, message: "nobody waits for the answer any more"}
	}
	return &failure{status: backend.StatusInternal, source: backend.ErrorSourcePlugin, message: err.Error()}
}
