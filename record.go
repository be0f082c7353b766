package mcloud

import "fmt"

// RecordsPath is where a collector takes Batches: POST, JSON, gzip welcome.
// 200 means stored; 400 that the batch is invalid and sending it again will not
// help; 401 and 403 that the sender may not; 409 that an Inventory is the
// difference to a look that the store does not hold as its last, so that a complete
// one is wanted; 413 that it is too large; 503 with
// Retry-After that the store is away and the same batch is to be sent later.
const RecordsPath = "/api/mcloud/v1/records"

// Batch is what an exporter posts: any number of Events and Inventories.
// Posting the same Batch again changes nothing.
type Batch struct {
	Events      []Event     `json:"events,omitempty"`
	Inventories []Inventory `json:"inventories,omitempty"`
}

// Validate returns the first record's error, with its place in the batch.
func (b Batch) Validate() error {
	for i, e := range b.Events {
		if err := e.Validate(); err != nil {
			return fmt.Errorf("events[%d]: %w", i, err)
		}
	}
	for i, v := range b.Inventories {
		if err := v.Validate(); err != nil {
			return fmt.Errorf("inventories[%d]: %w", i, err)
		}
	}
	return nil
}
