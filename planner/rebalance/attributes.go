package rebalance

import (
	"encoding/json"
	"fmt"

	"mcloud"
)

// attributes reads the struct that belongs to v's kind.
func attributes(v mcloud.Version, into any) error {
	if err := json.Unmarshal(v.Attributes, into); err != nil {
		return fmt.Errorf("stored %s %s: %w", v.Kind, v.ID, err)
	}
	return nil
}
