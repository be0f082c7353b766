// Package conformance holds the simulated cloud to the real one: its tests ask
// both the same questions and compare the shapes of the answers, and run the
// real exporters against the simulator. See the tests; there is no other code.
package conformance
