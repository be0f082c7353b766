package mcloud

import "time"

// KindStack is Heat's.
const KindStack Kind = "stack"

// Stack is a Heat stack. Object.Parent is the stack that it is nested in.
type Stack struct {
	Name    string    `json:"name"`
	Action  string    `json:"action"`          // "CREATE", "UPDATE", "DELETE", "SUSPEND", …
	Status  string    `json:"status"`          // "COMPLETE", "IN_PROGRESS", "FAILED"
	Owner   string    `json:"owner,omitempty"` // name of the user that made it
	Tags    []string  `json:"tags,omitempty"`  // sorted
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated,omitzero"`
}
