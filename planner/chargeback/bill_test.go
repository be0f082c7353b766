package chargeback

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/apd/v3"
	"pgregory.net/rapid"
)

const card = `
currency: EUR
digits: 4
rates:
  - {meter: server, sku: small, price: "0.0360", per: hour, to: 2026-11-01T12:00:00Z}
  - {meter: server, sku: small, price: "0.0720", per: hour, from: 2026-11-01T12:00:00Z}
  - {meter: volume, sku: "*", price: "0.10", per: month}
  - {meter: volume, sku: nvme, price: "0.73", per: month}
`

func readCard(t testing.TB, s string) RateCard {
	t.Helper()
	c, err := ReadRateCard(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPrice(t *testing.T) {
	usages := []Usage{
		{Project: "acme", Meter: MeterServer, Resource: "s1", SKU: "small", Quantity: 1, From: clock("11:00:00"), To: clock("13:00:10")},
		{Project: "acme", Meter: MeterVolume, Resource: "v1", SKU: "nvme", Quantity: 100, From: clock("11:00:00"), To: clock("12:00:00")},
		{Project: "acme", Meter: MeterVolume, Resource: "v2", SKU: "sas7k", Quantity: 730, From: clock("11:00:00"), To: clock("12:00:00")},
		{Project: "acme", Meter: MeterServer, Resource: "s2", SKU: "huge", Quantity: 1, From: clock("11:00:00"), To: clock("12:00:00")},
	}
	bill, err := Price(usages, readCard(t, card), clock("00:00:00"), clock("23:00:00"))
	if err != nil {
		t.Fatal(err)
	}
	var costs []string
	for _, l := range bill.Lines {
		costs = append(costs, l.Resource+" "+l.Cost)
	}
	// 1 h × 0.036; 3,610 s × 0.072 / 3600; 100 GiB h × 0.73 / 730; 730 GiB h × 0.10 / 730
	if got, want := strings.Join(costs, ", "), "s1 0.0360, s1 0.0722, v1 0.1000, v2 0.1000, s2 "; got != want {
		t.Errorf("costs %q, want %q", got, want)
	}
	if bill.Total != "0.3082" {
		t.Errorf("total %s", bill.Total)
	}
	if len(bill.Unpriced) != 1 || bill.Unpriced[0] != "server huge" {
		t.Errorf("unpriced %v", bill.Unpriced)
	}
	if bill.Sums[0].UnitSeconds != 7210 || bill.Sums[0].Cost != "0.1082" {
		t.Errorf("first sum %+v", bill.Sums[0])
	}
}

// TestTotalIsTheSumOfTheLines holds for any usages: what a customer adds up by
// hand is what stands at the end, and no second is lost or billed twice.
func TestTotalIsTheSumOfTheLines(t *testing.T) {
	c := readCard(t, card)
	rapid.Check(t, func(t *rapid.T) {
		var usages []Usage
		for range rapid.IntRange(0, 20).Draw(t, "n") {
			from := day.Add(time.Duration(rapid.IntRange(0, 80000).Draw(t, "from")) * time.Second)
			usages = append(usages, Usage{Project: "p", Meter: rapid.SampledFrom([]Meter{MeterServer, MeterVolume}).Draw(t, "meter"),
				Resource: "r", SKU: rapid.SampledFrom([]string{"small", "nvme", "x"}).Draw(t, "sku"), Quantity: rapid.Int64Range(1, 5000).Draw(t, "q"),
				From: from, To: from.Add(time.Duration(rapid.IntRange(1, 90000).Draw(t, "s")) * time.Second)})
		}
		bill, err := Price(usages, c, day, day.Add(48*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		sum, sumOfSums := new(apd.Decimal), new(apd.Decimal)
		var seconds, want int64
		for _, l := range bill.Lines {
			seconds += l.UnitSeconds
			if l.Cost == "" {
				continue
			}
			d, _, err := apd.NewFromString(l.Cost)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := money.Add(sum, sum, d); err != nil {
				t.Fatal(err)
			}
		}
		for _, s := range bill.Sums {
			d, _, _ := apd.NewFromString(s.Cost)
			if _, err := money.Add(sumOfSums, sumOfSums, d); err != nil {
				t.Fatal(err)
			}
		}
		for _, u := range usages {
			want += u.Seconds() * u.Quantity
		}
		total, _, _ := apd.NewFromString(bill.Total)
		if total.Cmp(sum) != 0 || total.Cmp(sumOfSums) != 0 || seconds != want {
			t.Fatalf("total %s, lines %s, sums %s; %d unit seconds, want %d", total, sum, sumOfSums, seconds, want)
		}
	})
}

func TestReadRateCardNamesTheFault(t *testing.T) {
	for name, c := range map[string]struct{ card, says string }{
		"empty":       {"", "EOF"},
		"typo":        {"currency: EUR\nrate: []", "line 2"},
		"currency":    {"currency: Euro", "currency"},
		"meter":       {"currency: EUR\nrates: [{meter: disk, sku: a, price: '1', per: hour}]", "rate 1 (disk a): meter"},
		"price":       {"currency: EUR\nrates: [{meter: server, sku: a, price: 'x', per: hour}]", `price "x"`},
		"negative":    {"currency: EUR\nrates: [{meter: server, sku: a, price: '-1', per: hour}]", `price "-1"`},
		"not a price": {"currency: EUR\nrates: [{meter: server, sku: a, price: 'NaN', per: hour}]", `price "NaN"`},
		"period":      {"currency: EUR\nrates: [{meter: server, sku: a, price: '1', per: year}]", "per"},
		"overlap":     {"currency: EUR\nrates: [{meter: server, sku: a, price: '1', per: hour}, {meter: server, sku: a, price: '2', per: hour, from: 2026-01-01T00:00:00Z}]", "same time as rate 1"},
	} {
		_, err := ReadRateCard(strings.NewReader(c.card))
		if !errors.Is(err, ErrRateCard) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want it to say %q", name, err, c.says)
		}
	}
}
