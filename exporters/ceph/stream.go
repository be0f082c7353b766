package ceph

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"mcloud/exporters"
)

// errNoPGMap says that the mgr answers without having heard of the placement
// groups: what it lists is not what there is.
var errNoPGMap = errors.New("the mgr has no map of placement groups yet; it just started, or the OSDs do not reach it")

// eachElement reads {"pg_ready": true, list: [element, …]} one element after the
// other into the same T, so that a list of tens of thousands costs no more memory
// than the answer itself. each must not keep what its argument points to. A list
// that is not there is an error: its absence is not emptiness.
func eachElement[T any](answer []byte, list string, each func(*T)) error {
	d := json.NewDecoder(bytes.NewReader(answer))
	if err := delim(d, '{'); err != nil {
		return err
	}
	found := false
	var element T
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch token {
		case "pg_ready":
			ready := true
			if err := d.Decode(&ready); err != nil {
				return err
			}
			if !ready {
				return errNoPGMap
			}
		case list:
			found = true
			if err := delim(d, '['); err != nil {
				return fmt.Errorf("%s: %w", list, err)
			}
			for d.More() {
				element = *new(T)
				if err := d.Decode(&element); err != nil {
					return fmt.Errorf("%s: %w", list, err)
				}
				each(&element)
			}
			if err := delim(d, ']'); err != nil {
				return fmt.Errorf("%s: %w", list, err)
			}
		default:
			var other json.RawMessage
			if err := d.Decode(&other); err != nil {
				return err
			}
		}
	}
	if err := delim(d, '}'); err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("%w: the answer has no %q", errShape, list)
	}
	return nil
}

// errShape is for JSON that is not what the command gives.
var errShape = exporters.WithKind(errors.New("unexpected answer"), exporters.KindDecode)

func delim(d *json.Decoder, want json.Delim) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	if token != want {
		return fmt.Errorf("%w: %v where %v was due", errShape, token, want)
	}
	return nil
}
