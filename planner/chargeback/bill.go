package chargeback

import (
	"fmt"
	"time"

	"github.com/cockroachdb/apd/v3"
)

// Line is one usage with its price.
type Line struct {
	Usage
	Seconds int64 `json:"seconds"`
	// UnitSeconds is Seconds × Quantity: server seconds, or GiB seconds.
	UnitSeconds int64 `json:"unit_seconds"`
	// Price is for one unit and Per; both are empty when the card has none.
	Price string `json:"price,omitempty"`
	Per   Period `json:"per,omitempty"`
	// Cost is UnitSeconds × Price ÷ Per, rounded to the card's digits, half to
	// even; empty when there is no price.
	Cost string `json:"cost,omitempty"`
}

// Bill is what the lines come to.
type Bill struct {
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Currency string    `json:"currency"`
	Lines    []Line    `json:"lines"`
	// Projects are the names of the projects in Lines, by id, as far as known.
	Projects map[string]string `json:"projects,omitempty"`
	// Sums are by project, meter and SKU, in the order of the lines.
	Sums []Sum `json:"sums"`
	// Total is the sum of the lines' rounded costs, so it can be checked by hand.
	Total string `json:"total"`
	// Unpriced names what the card has no rate for; it is not in Total.
	Unpriced []string `json:"unpriced,omitempty"`
	// Unread names stored records that could not be read; the bill is without them.
	Unread []string `json:"unread,omitempty"`
	// Estimated counts lines with a boundary that only looks at the inventory know.
	Estimated int `json:"estimated"`
}

// Sum is a subtotal.
type Sum struct {
	Project     string `json:"project"`
	Meter       Meter  `json:"meter"`
	SKU         string `json:"sku"`
	UnitSeconds int64  `json:"unit_seconds"`
	Cost        string `json:"cost"`
}

// Price makes the bill of usages, which Fold returned for [from, to). A usage
// is split where its rate changes.
func Price(usages []Usage, card RateCard, from, to time.Time) (Bill, error) {
	bill := Bill{From: from.UTC(), To: to.UTC(), Currency: card.Currency}
	total := new(apd.Decimal)
	sums := map[Sum]*subtotal{}
	var order []Sum
	unpriced := map[string]bool{}
	for _, u := range usages {
		for _, part := range splitByRate(u, card) {
			line := Line{Usage: part.usage, Seconds: part.usage.Seconds()}
			line.UnitSeconds = line.Seconds * line.Quantity
			key := Sum{Project: u.Project, Meter: u.Meter, SKU: u.SKU}
			sum := sums[key]
			if sum == nil {
				sum = &subtotal{}
				sums[key] = sum
				order = append(order, key)
			}
			sum.unitSeconds += line.UnitSeconds
			if part.rate == nil {
				what := fmt.Sprintf("%s %s", u.Meter, u.SKU)
				if !unpriced[what] {
					unpriced[what] = true
					bill.Unpriced = append(bill.Unpriced, what)
				}
			} else {
				cost, err := part.rate.cost(line.UnitSeconds, card.Digits)
				if err != nil {
					return Bill{}, fmt.Errorf("price %s %s of %s: %w", u.Meter, u.SKU, u.Resource, err)
				}
				line.Price, line.Per, line.Cost = part.rate.Price.Text('f'), part.rate.Per, cost.Text('f')
				if _, err := money.Add(total, total, cost); err != nil {
					return Bill{}, fmt.Errorf("add up: %w", err)
				}
				if _, err := money.Add(&sum.cost, &sum.cost, cost); err != nil {
					return Bill{}, fmt.Errorf("add up: %w", err)
				}
			}
			if line.Estimated {
				bill.Estimated++
			}
			bill.Lines = append(bill.Lines, line)
		}
	}
	for _, key := range order {
		cost, err := rounded(&sums[key].cost, card.Digits)
		if err != nil {
			return Bill{}, err
		}
		key.UnitSeconds, key.Cost = sums[key].unitSeconds, cost.Text('f')
		bill.Sums = append(bill.Sums, key)
	}
	sum, err := rounded(total, card.Digits)
	if err != nil {
		return Bill{}, err
	}
	bill.Total = sum.Text('f')
	return bill, nil
}

type subtotal struct {
	unitSeconds int64
	cost        apd.Decimal
}

type pricedPart struct {
	usage Usage
	rate  *Rate
}

func splitByRate(u Usage, card RateCard) []pricedPart {
	var parts []pricedPart
	for from := u.From; from.Before(u.To); {
		rate, until := card.at(u.Meter, u.SKU, from)
		part := u
		part.From = from
		if !until.IsZero() && until.Before(u.To) {
			part.To = until
		}
		if n := len(parts); n > 0 && parts[n-1].rate == rate {
			parts[n-1].usage.To = part.To // another SKU's validity ended here, not ours
		} else {
			parts = append(parts, pricedPart{usage: part, rate: rate})
		}
		from = part.To
	}
	return parts
}

func (r Rate) cost(unitSeconds int64, digits int32) (*apd.Decimal, error) {
	cost := new(apd.Decimal)
	if _, err := money.Mul(cost, r.Price, apd.New(unitSeconds, 0)); err != nil {
		return nil, err
	}
	if _, err := money.Quo(cost, cost, apd.New(r.Per.seconds(), 0)); err != nil {
		return nil, err
	}
	return rounded(cost, digits)
}

func rounded(d *apd.Decimal, digits int32) (*apd.Decimal, error) {
	ctx := *money
	ctx.Rounding = apd.RoundHalfEven
	out := new(apd.Decimal)
	if _, err := ctx.Quantize(out, d, -digits); err != nil {
		return nil, fmt.Errorf("round %s to %d digits: %w", d, digits, err)
	}
	return out, nil
}
