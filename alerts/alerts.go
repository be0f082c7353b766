// Package alerts holds the product's recording and alerting rules, as
// Prometheus reads them, embedded so that a collector carries its own.
//
// The severities: "page" means that a person must act now, "ticket" that a
// person must act this week, "info" that nobody must; README.md has the policy, and how a
// rule is added.
package alerts

import "embed"

// Rules holds rules/*.yml, each one Prometheus rule file.
//
//go:embed rules/*.yml
var Rules embed.FS
