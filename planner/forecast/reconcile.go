package forecast

import (
	"fmt"
	"math"
)

// Node is one forecast in a hierarchy: hosts, their zone, the cloud; or the
// projects of a tier.
type Node struct {
	// Parent is the index of the node that this one is a part of, less than this
	// node's own; −1 for the whole.
	Parent int
	// Value is what its own forecast says at one instant and Variance how sure of it
	// that is: 0 is certain, infinite (or a Value of NaN) says nothing. A node with
	// parts may say nothing, a part without parts of its own must say something.
	Value, Variance float64
}

// Reconcile changes the values so that every node with parts is their sum, by
// the least weighted squares of the changes: the less sure a forecast, the more it
// gives way (MinT of Wickramasuriya, Athanasopoulos and Hyndman 2019, with the
// variances on the diagonal; Athanasopoulos et al. 2017, WLS). It takes two
// passes over the tree, exact for any depth. It is an error when a parent does
// not come before its parts, a variance is negative or NaN, or a part without
// parts says nothing.
func Reconcile(nodes []Node) ([]float64, error) {
	parts := make([]int, len(nodes))
	for i, n := range nodes {
		if n.Parent >= i || n.Parent < -1 {
			return nil, fmt.Errorf("forecast: node %d has parent %d, want an earlier one or -1", i, n.Parent)
		}
		if n.Variance < 0 || math.IsNaN(n.Variance) || math.IsInf(n.Value, 0) {
			return nil, fmt.Errorf("forecast: node %d has value %v with variance %v", i, n.Value, n.Variance)
		}
		if n.Parent >= 0 {
			parts[n.Parent]++
		}
	}
	// Upwards: what each subtree says of its own sum, the node's own forecast
	// included, and how sure that is; below is the same of its parts alone.
	said, variance := make([]float64, len(nodes)), make([]float64, len(nodes))
	below, belowVariance := make([]float64, len(nodes)), make([]float64, len(nodes))
	for i := len(nodes) - 1; i >= 0; i-- {
		n := nodes[i]
		silent := math.IsNaN(n.Value) || math.IsInf(n.Variance, 0)
		switch {
		case parts[i] == 0 && silent:
			return nil, fmt.Errorf("forecast: node %d has no parts and no forecast", i)
		case parts[i] == 0:
			said[i], variance[i] = n.Value, n.Variance
		case silent:
			said[i], variance[i] = below[i], belowVariance[i]
		default:
			said[i], variance[i] = pool(n.Value, n.Variance, below[i], belowVariance[i])
		}
		if n.Parent >= 0 {
			below[n.Parent] += said[i]
			belowVariance[n.Parent] += variance[i]
		}
	}
	// Downwards: what a node's final value is above what its parts say is given to
	// them in proportion to how unsure they are.
	final := make([]float64, len(nodes))
	for i, n := range nodes {
		if n.Parent < 0 {
			final[i] = said[i]
			continue
		}
		p := n.Parent
		share := 1 / float64(parts[p])
		if belowVariance[p] > 0 {
			share = variance[i] / belowVariance[p]
		}
		final[i] = said[i] + share*(final[p]-below[p])
	}
	return final, nil
}

// pool is the mean of two estimates weighed by their certainty.
func pool(a, varA, b, varB float64) (mean, variance float64) {
	if varA+varB == 0 {
		return b, 0 // both are certain: the parts are right
	}
	w := varB / (varA + varB)
	return w*a + (1-w)*b, varA * varB / (varA + varB)
}

// ReconcileSteps reconciles predictions step by step, parents as in Node, and
// moves their quantiles along. The variances are those of the predictions' errors
// in their backtests; without one a prediction is taken to be as unsure as it is
// large. All must have the same horizon; each level of quantiles ascends as
// before. The predictions themselves stay as they are.
func ReconcileSteps(parents []int, predictions []Prediction) ([]Prediction, error) {
	if len(parents) != len(predictions) {
		return nil, fmt.Errorf("forecast: %d parents of %d predictions", len(parents), len(predictions))
	}
	out := make([]Prediction, len(predictions))
	for i, p := range predictions {
		if len(p.Mean) != len(predictions[0].Mean) {
			return nil, fmt.Errorf("forecast: prediction %d has %d steps, the first %d", i, len(p.Mean), len(predictions[0].Mean))
		}
		out[i] = p
		out[i].Mean = make([]float64, len(p.Mean))
		out[i].Quantiles = make([][]float64, len(p.Quantiles))
		for l := range p.Quantiles {
			out[i].Quantiles[l] = make([]float64, len(p.Mean))
		}
	}
	nodes := make([]Node, len(predictions))
	if len(nodes) == 0 {
		return out, nil
	}
	for h := range predictions[0].Mean {
		for i, p := range predictions {
			e := p.Evidence.Error
			if p.Evidence.Origins == 0 {
				e = math.Abs(p.Mean[h])
			}
			nodes[i] = Node{Parent: parents[i], Value: p.Mean[h], Variance: e * e}
		}
		final, err := Reconcile(nodes)
		if err != nil {
			return nil, err
		}
		for i, p := range predictions {
			out[i].Mean[h] = final[i]
			for l := range p.Quantiles {
				out[i].Quantiles[l][h] = p.Quantiles[l][h] + final[i] - p.Mean[h]
			}
		}
	}
	return out, nil
}
