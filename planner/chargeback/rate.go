package chargeback

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cockroachdb/apd/v3"
	"go.yaml.in/yaml/v3"
)

// money computes exactly what bills need: 34 digits, half to even.
var money = apd.BaseContext.WithPrecision(34)

// ErrRateCard is wrapped by every error of ReadRateCard.
var ErrRateCard = errors.New("rate card")

// RateCard says what things cost, and when.
type RateCard struct {
	// Currency is an ISO 4217 code.
	Currency string
	// Digits are the decimal places that a line's cost is rounded to, half to even.
	Digits int32
	Rates  []Rate
}

// Rate is the price of one SKU while it is valid.
type Rate struct {
	Meter Meter
	// SKU is a flavor's or volume type's name; "*" prices whatever has no rate of its own.
	SKU string
	// Price is for one unit (a server, a GiB) for the length of Per.
	Price *apd.Decimal
	Per   Period
	// From is inclusive, To exclusive; a zero time is open.
	From, To time.Time
}

// Period is a time that a price is for.
type Period string

// The periods. A month is 730 hours, a twelfth of 8,760, whatever the calendar
// says, so that a second costs the same in February.
const (
	PerHour  Period = "hour"
	PerDay   Period = "day"
	PerMonth Period = "month"
)

func (p Period) seconds() int64 {
	switch p {
	case PerHour:
		return 3600
	case PerDay:
		return 24 * 3600
	case PerMonth:
		return 730 * 3600
	}
	return 0
}

// rawCard is the file.
type rawCard struct {
	Currency string `yaml:"currency"`
	Digits   *int32 `yaml:"digits"`
	Rates    []struct {
		Meter Meter     `yaml:"meter"`
		SKU   string    `yaml:"sku"`
		Price string    `yaml:"price"`
		Per   Period    `yaml:"per"`
		From  time.Time `yaml:"from"`
		To    time.Time `yaml:"to"`
	} `yaml:"rates"`
}

// ReadRateCard reads a card in YAML. Its errors wrap ErrRateCard and name the
// rate at fault, counted from 1.
func ReadRateCard(r io.Reader) (RateCard, error) {
	var raw rawCard
	dec := yaml.NewDecoder(r)
	dec.KnownFields(true)
	if err := dec.Decode(&raw); err != nil {
		return RateCard{}, fmt.Errorf("%w: %v", ErrRateCard, err)
	}
	card := RateCard{Currency: raw.Currency, Digits: 4}
	if raw.Digits != nil {
		card.Digits = *raw.Digits
	}
	if len(card.Currency) != 3 {
		return RateCard{}, fmt.Errorf("%w: currency %q, want a code of three letters like EUR", ErrRateCard, card.Currency)
	}
	if card.Digits < 0 || card.Digits > 10 {
		return RateCard{}, fmt.Errorf("%w: digits %d, want 0 to 10", ErrRateCard, card.Digits)
	}
	for i, r := range raw.Rates {
		price, _, err := apd.NewFromString(r.Price)
		at := fmt.Sprintf("rate %d (%s %s)", i+1, r.Meter, r.SKU)
		switch {
		case r.Meter != MeterServer && r.Meter != MeterVolume:
			return RateCard{}, fmt.Errorf("%w: %s: meter %q, want server or volume", ErrRateCard, at, r.Meter)
		case r.SKU == "":
			return RateCard{}, fmt.Errorf("%w: %s: no sku; name a flavor or volume type, or \"*\"", ErrRateCard, at)
		case err != nil || price.Form != apd.Finite || price.Negative:
			return RateCard{}, fmt.Errorf("%w: %s: price %q, want a decimal number of 0 or more, in quotes", ErrRateCard, at, r.Price)
		case r.Per.seconds() == 0:
			return RateCard{}, fmt.Errorf("%w: %s: per %q, want hour, day or month (730 hours)", ErrRateCard, at, r.Per)
		case !r.To.IsZero() && !r.To.After(r.From):
			return RateCard{}, fmt.Errorf("%w: %s: ends %s, not after its begin %s", ErrRateCard, at, r.To.Format(time.RFC3339), r.From.Format(time.RFC3339))
		}
		rate := Rate{Meter: r.Meter, SKU: r.SKU, Price: price, Per: r.Per, From: r.From.UTC(), To: r.To.UTC()}
		for j, other := range card.Rates {
			if other.Meter == rate.Meter && other.SKU == rate.SKU && overlap(other, rate) {
				return RateCard{}, fmt.Errorf("%w: %s is valid at the same time as rate %d; end the older one where the newer begins", ErrRateCard, at, j+1)
			}
		}
		card.Rates = append(card.Rates, rate)
	}
	return card, nil
}

func overlap(a, b Rate) bool {
	return (b.To.IsZero() || a.From.Before(b.To)) && (a.To.IsZero() || b.From.Before(a.To))
}

// PerMonth is what quantity units of a SKU cost in a month of 730 hours at the rate
// of t, in decimal; ok is false when the card has no rate for it.
func (c RateCard) PerMonth(meter Meter, sku string, quantity int64, t time.Time) (cost string, ok bool, err error) {
	rate, _ := c.at(meter, sku, t)
	if rate == nil {
		return "", false, nil
	}
	d, err := rate.cost(quantity*PerMonth.seconds(), c.Digits)
	if err != nil {
		return "", false, fmt.Errorf("price of %s %s: %w", meter, sku, err)
	}
	return d.Text('f'), true, nil
}

// at returns the rate valid for meter and sku at t, and when it stops being
// the answer (zero: never). A rate of the SKU's own comes before "*".
func (c RateCard) at(meter Meter, sku string, t time.Time) (*Rate, time.Time) {
	var until time.Time
	sooner := func(x time.Time) {
		if !x.IsZero() && x.After(t) && (until.IsZero() || x.Before(until)) {
			until = x
		}
	}
	var found *Rate
	for i := range c.Rates {
		r := &c.Rates[i]
		if r.Meter != meter || r.SKU != sku && r.SKU != "*" {
			continue
		}
		sooner(r.From)
		sooner(r.To)
		if r.From.After(t) || !r.To.IsZero() && !t.Before(r.To) {
			continue
		}
		if found == nil || found.SKU == "*" {
			found = r
		}
	}
	return found, until
}
