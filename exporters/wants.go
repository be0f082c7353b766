package exporters

import "context"

type setsKey struct{}

// Wants says whether series of the set are served, so that a Collector need not
// make those that nobody asked for: a cloud of 100,000 volumes has as many of
// them. SetBase always is. A ctx that no Runner made wants everything.
func Wants(ctx context.Context, set Set) bool {
	sets, ok := ctx.Value(setsKey{}).(map[Set]bool)
	return !ok || set == SetBase || sets[set]
}

// Serving makes a ctx like a Runner's that serves these sets besides SetBase.
func Serving(ctx context.Context, also ...Set) context.Context {
	sets := map[Set]bool{SetBase: true}
	for _, set := range also {
		sets[set] = true
	}
	return context.WithValue(ctx, setsKey{}, sets)
}

// Bool is 1 for true and 0 for false.
func Bool(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
