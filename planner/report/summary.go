package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// Summary is what the answers come to.
type Summary struct {
	Now  Orders `json:"now"`  // what is full or has to be ordered today
	Soon Orders `json:"soon"` // what has to be within the next two months
	// Unknown counts the answers that do not say whether anything has to be ordered.
	Unknown int `json:"unknown"`
	// Sure counts the answers by their confidence's level.
	Sure map[string]int `json:"confidence"`
}

// Orders is a number of purchases with what they cost.
type Orders struct {
	Count int      `json:"count"`
	What  []string `json:"what,omitempty"`  // "tier nvme"
	Costs []Money  `json:"costs,omitempty"` // by currency
	// Unpriced counts those whose price or quantity is not known.
	Unpriced int `json:"unpriced,omitempty"`
}

// Money is an amount in decimal.
type Money struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

// Summarise adds up the answers.
func Summarise(answers []Answer) Summary {
	s := Summary{Sure: map[string]int{}}
	for _, a := range answers {
		s.Sure[a.Confidence.Level]++
		switch a.Urgency {
		case Full, Order:
			s.Now.add(a)
		case Soon:
			s.Soon.add(a)
		case Unknown:
			s.Unknown++
		}
	}
	return s
}

func (o *Orders) add(a Answer) {
	p := a.Purchase
	if p != nil && p.Units == 0 {
		return // nothing has to be bought on the middle path
	}
	o.Count++
	o.What = append(o.What, a.Subject())
	if p == nil || p.Cost == "" {
		o.Unpriced++
		return
	}
	cost, _, err := apd.NewFromString(p.Cost)
	if err != nil {
		o.Unpriced++
		return
	}
	i := slices.IndexFunc(o.Costs, func(m Money) bool { return m.Currency == p.Currency })
	if i < 0 {
		o.Costs = append(o.Costs, Money{Amount: p.Cost, Currency: p.Currency})
		return
	}
	sum, _, err := apd.NewFromString(o.Costs[i].Amount)
	if err == nil {
		_, err = apd.BaseContext.WithPrecision(34).Add(sum, sum, cost)
	}
	if err != nil {
		o.Unpriced++
		return
	}
	o.Costs[i].Amount = sum.Text('f')
}

// Text says how many orders there are.
func (o Orders) Text() string {
	switch o.Count {
	case 0:
		return "nothing"
	case 1:
		return "1 order"
	}
	return fmt.Sprintf("%d orders", o.Count)
}

// CostText says what they cost, "" when there are none.
func (o Orders) CostText() string {
	var parts []string
	for _, m := range o.Costs {
		parts = append(parts, strings.TrimSpace(money(m.Amount)+" "+m.Currency))
	}
	if o.Unpriced > 0 {
		parts = append(parts, fmt.Sprintf("%d without a price", o.Unpriced))
	}
	return strings.Join(parts, " + ")
}

// levels are the confidences, the highest first.
var levels = []string{"high", "medium", "low", "none"}

// NowText and SoonText say how many orders there are, and of how much it is not known.
func (s Summary) NowText() string { return s.text(s.Now) }

// SoonText is NowText of what can wait for a while.
func (s Summary) SoonText() string { return s.text(s.Soon) }

func (s Summary) text(o Orders) string {
	all := 0
	for _, n := range s.Sure {
		all += n
	}
	switch {
	case o.Count > 0 || s.Unknown == 0 && all > 0:
		return o.Text()
	case s.Unknown == all:
		return "unknown"
	}
	return fmt.Sprintf("nothing, but %d unknown", s.Unknown)
}

// SureText counts the answers by their confidence.
func (s Summary) SureText() string {
	var parts []string
	for _, level := range levels {
		if n := s.Sure[level]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, level))
		}
	}
	if len(parts) == 0 {
		return "nothing is forecast"
	}
	return "confidence: " + strings.Join(parts, ", ")
}
