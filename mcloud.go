// Package mcloud holds the words of the product that Prometheus has no word
// for: what exists in the cloud (Object), what happened (Event), and the kinds
// both come in. Everything that is a number over time is a Prometheus sample
// and needs no type here.
//
// The package imports the standard library only, and everyone may import it.
package mcloud

import (
	"errors"
	"fmt"
)

// ErrInvalid is wrapped by every Validate error of this package: the record
// must be refused, sending it again will not help.
var ErrInvalid = errors.New("invalid record")

// ErrOutdated is wrapped by a store that is given the difference to a look which
// is not the last one it holds: it wants everything again.
var ErrOutdated = errors.New("the store's last look is not the one that this is the difference to")

func invalidf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}
