package report_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"mcloud/planner"
	"mcloud/planner/chargeback"
	"mcloud/planner/plannertest"
	"mcloud/planner/report"
)

func document(t *testing.T, change func(*planner.Options)) report.Document {
	t.Helper()
	o := plannertest.Options()
	if change != nil {
		change(&o)
	}
	p, err := planner.New(o)
	if err != nil {
		t.Fatal(err)
	}
	d, err := p.Report(context.Background(), plannertest.At)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func render(t *testing.T, d report.Document) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.WriteHTML(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestHTMLIsSelfContained(t *testing.T) {
	page := render(t, document(t, nil))
	for _, reference := range []string{"http:", "https:", "src=", "<script", "<link", "@import", "url(h", "url(/"} {
		if strings.Contains(page, reference) {
			t.Errorf("the page refers to something outside: %q", reference)
		}
	}
	for _, word := range []string{"viewport", "prefers-color-scheme: dark", "geo-nvme", "az-a", "2026-11-22T12:00:00Z"} {
		if !strings.Contains(page, word) {
			t.Errorf("the page lacks %q", word)
		}
	}
	for _, id := range []string{"buy", "basis", "compute", "storage", "drivers", "reclaim", "options", "check", "headroom"} {
		if strings.Count(page, `id="`+id+`"`) != 1 || !strings.Contains(page, `href="#`+id+`"`) {
			t.Errorf("the page has no section %s that is linked to", id)
		}
	}
	if n := strings.Count(page, "<figcaption>"); n != 10 || strings.Count(page, "dates are UTC. History from 2026-05-26 to 2026-11-22, forecast up to 2027-11-22") != 10 {
		t.Errorf("%d charts say what they show", n)
	}
	if n := strings.Count(page, "<svg"); n != 10 {
		t.Errorf("%d charts, want one for each of 4 tiers and 3 zones × 2 classes", n)
	}
	for _, svg := range regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(page, -1) {
		if err := xml.Unmarshal([]byte(svg), new(struct{})); err != nil {
			t.Errorf("a chart is no XML: %v", err)
		}
		if !strings.Contains(svg, "aria-label") || strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Errorf("a chart without a label or with an impossible number: %.120s", svg)
		}
	}
}

var (
	hidden  = regexp.MustCompile(`(?s)<style.*?</style>|<g clip-path.*?</g>|<text class="tick".*?</text>|<[^>]*>`)
	numbers = regexp.MustCompile(`\d[\d\x{2009}]*(?:\.\d+)?`)
)

// TestEveryNumberIsInTheJSON reads the numbers off the page, axes aside, and
// looks for a number, date or text of the JSON that reads like it.
func TestEveryNumberIsInTheJSON(t *testing.T) {
	d := document(t, func(o *planner.Options) {
		card, err := chargeback.ReadRateCard(strings.NewReader(`{currency: EUR, rates: [{meter: server, sku: m1.large, price: "10.1000", per: hour}, {meter: server, sku: "*", price: "0.0250", per: hour}]}`))
		if err != nil {
			t.Fatal(err)
		}
		o.Card = card
	})
	raw, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	learn := func(s string) {
		for _, n := range numbers.FindAllString(s, -1) {
			known[n] = true
		}
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, child := range v {
				learn(key)
				walk(child)
			}
		case []any:
			for _, child := range v {
				walk(child)
			}
		case string:
			learn(v)
			learn(apart(v))
			if at, err := time.Parse(time.RFC3339, v); err == nil {
				learn(at.Format(time.DateOnly))
			}
		case float64:
			for _, s := range []string{
				report.Quantity(v, "bytes"), report.Quantity(v, "MiB"), report.Quantity(v, "GiB"), report.Quantity(v, "vCPU"),
				report.Percent(v), report.Days(v), fmt.Sprintf("%.2f", v), fmt.Sprintf("%.1f", v), fmt.Sprintf("%.0f", v),
			} {
				learn(s)
			}
		}
	}
	walk(tree)
	learn("P10 P50 P90 N+1 100 % 80 %") // the explanations' own words
	text := html.UnescapeString(hidden.ReplaceAllString(render(t, d), " "))
	for _, n := range numbers.FindAllString(text, -1) {
		if !known[n] {
			at := strings.Index(text, n)
			t.Errorf("%s is on the page and not in the JSON: …%s…", n, strings.TrimSpace(text[max(0, at-60):min(len(text), at+40)]))
		}
	}
	if len(numbers.FindAllString(text, -1)) < 200 {
		t.Error("too few numbers were found: the check looks at nothing")
	}
}

var decimals = regexp.MustCompile(`^(\d+?)((?:\d{3})*)(\.\d{2})?\d*$`)

// apart is a decimal number as the page has money: thousands apart, cents.
func apart(s string) string {
	m := decimals.FindStringSubmatch(s)
	if m == nil {
		return ""
	}
	text := m[1]
	for i := 0; i < len(m[2]); i += 3 {
		text += " " + m[2][i:i+3]
	}
	return text + m[3]
}

func TestEmptyCloudIsSaid(t *testing.T) {
	d := document(t, func(o *planner.Options) {
		o.Inventory, o.History = &plannertest.Inventory{Empty: true}, &plannertest.History{Empty: true}
	})
	page := render(t, d)
	for _, word := range []string{"Missing from this report", "the store knows none", "unknown", "No history to draw yet"} {
		if !strings.Contains(page, word) {
			t.Errorf("the page of an empty cloud lacks %q", word)
		}
	}
	var b bytes.Buffer
	if err := report.WriteTable(&b, d); err != nil || !strings.Contains(b.String(), "Missing from this report") {
		t.Errorf("error %v; table:\n%s", err, &b)
	}
	if err := report.WriteHTML(&b, report.Document{}); err != nil {
		t.Errorf("a document of nothing: %v", err)
	}
}

func TestNamesCannotBecomeMarkup(t *testing.T) {
	d := document(t, nil)
	d.Tiers[0].Tier = `<script>alert(1)</script>`
	d.Answers[0].Name = `<img src=x>`
	if page := render(t, d); strings.Contains(page, "<script") || strings.Contains(page, "<img") {
		t.Error("a name became markup")
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	if err := report.WriteTable(&b, document(t, nil)); err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"mCloud plan for test", "order by", "geo-nvme", "sas10k", "sas7k", "nvme", "az-a", "az-b", "5 of 6 (1 disabled)", "stranded", "55 351.50 EUR"} {
		if !strings.Contains(b.String(), word) {
			t.Errorf("the table lacks %q:\n%s", word, &b)
		}
	}
}

func TestCSV(t *testing.T) {
	d := document(t, nil)
	d.Tiers[0].Tier = "=cmd|calc"
	var b bytes.Buffer
	if err := report.WriteCSV(&b, d); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	// Measured are the cloud and 17 hosts.
	if err != nil || len(rows) != 1+4+6+(1+17)*2 {
		t.Fatalf("%d rows, error %v", len(rows), err)
	}
	if rows[1][1] != "'=cmd|calc" {
		t.Errorf("a name that is a formula is written as %q", rows[1][1])
	}
	like := func(row []string, from int, want ...string) {
		t.Helper()
		for i, w := range want {
			got := row[from+i]
			v, err := strconv.ParseFloat(got, 64)
			if f, wantErr := strconv.ParseFloat(w, 64); wantErr != nil && got != w || wantErr == nil && (err != nil || math.Abs(v-f) > 1e-9) {
				t.Errorf("column %s is %q, want %s: %q", rows[0][from+i], got, w, row)
			}
		}
	}
	like(rows[5], 0, "zone", "az-a", "VCPU", "vCPU")
	like(rows[5], 27, "az-a", "6", "6", "576", rows[5][5], "72", "244.8")
	like(rows[len(rows)-2], 0, "host", "cmp-c5", "VCPU", "vCPU", "", "112", "")
	like(rows[len(rows)-2], 27, "az-c", "1", "1", "96", "112", "23.04", "51.84")
	b.Reset()
	if err := report.WriteHeadroomCSV(&b, d.Headroom); err != nil {
		t.Fatal(err)
	}
	if rows, err = csv.NewReader(&b).ReadAll(); err != nil || len(rows) != 1+4*3 {
		t.Errorf("%d headroom rows, error %v", len(rows), err)
	}
}

func TestSummary(t *testing.T) {
	price := func(units int64, cost, currency string) *report.Purchase {
		return &report.Purchase{Unit: "node", Units: units, Cost: cost, Currency: currency}
	}
	s := report.Summarise([]report.Answer{
		{Kind: report.KindTier, Name: "a", Urgency: report.Full, Purchase: price(1, "0.10", "EUR"), Confidence: report.Confidence{Level: "high"}},
		{Kind: report.KindTier, Name: "b", Urgency: report.Order, Purchase: price(2, "1000.20", "EUR"), Confidence: report.Confidence{Level: "low"}},
		{Kind: report.KindTier, Name: "c", Urgency: report.Order, Purchase: price(2, "7", "USD"), Confidence: report.Confidence{Level: "high"}},
		{Kind: report.KindTier, Name: "d", Urgency: report.Order, Purchase: price(2, "", ""), Confidence: report.Confidence{Level: "high"}},
		{Kind: report.KindTier, Name: "e", Urgency: report.Full, Confidence: report.Confidence{Level: "none"}},
		{Kind: report.KindTier, Name: "f", Urgency: report.Soon, Purchase: price(0, "", ""), Confidence: report.Confidence{Level: "medium"}},
		{Kind: report.KindTier, Name: "g", Urgency: report.Fine, Purchase: price(9, "9", "EUR"), Confidence: report.Confidence{Level: "high"}},
	})
	if s.Now.Text() != "5 orders" || s.Now.CostText() != "1 000.30 EUR + 7 USD + 2 without a price" || s.Soon.Text() != "nothing" || s.SureText() != "confidence: 4 high, 1 medium, 1 low, 1 none" {
		t.Errorf("%q %q %q %q", s.Now.Text(), s.Now.CostText(), s.Soon.Text(), s.SureText())
	}
	unknown := report.Answer{Urgency: report.Unknown, Confidence: report.Confidence{Level: "none"}}
	fine := report.Answer{Urgency: report.Fine, Confidence: report.Confidence{Level: "high"}}
	for want, answers := range map[string][]report.Answer{
		"unknown": {unknown, unknown}, "nothing, but 1 unknown": {unknown, fine}, "nothing": {fine},
	} {
		if got := report.Summarise(answers).NowText(); got != want {
			t.Errorf("%d answers come to %q, want %q", len(answers), got, want)
		}
	}
	if got := report.Summarise(nil).SoonText(); got != "unknown" {
		t.Errorf("no answer comes to %q", got)
	}
}

func TestHeadline(t *testing.T) {
	day := plannertest.At
	later := day.AddDate(0, 6, 0)
	buy := &report.Purchase{Unit: "node", Units: 2}
	for _, tt := range []struct {
		want    string
		answers []report.Answer
	}{
		{"Nothing is known yet", nil},
		{"Tier nvme is over its limit: order 2 × node now.", []report.Answer{{Kind: report.KindTier, Name: "nvme", Urgency: report.Full, Purchase: buy}}},
		{"vCPU in az-a is over its limit: order now.", []report.Answer{{Kind: report.KindZone, Name: "az-a", Class: "VCPU", Urgency: report.Full}}},
		{"Order 2 × node for tier nvme by 2026-11-22.", []report.Answer{{Kind: report.KindTier, Name: "nvme", Urgency: report.Soon, Purchase: buy, OrderBy: &day}}},
		{"now (it was due 2026-11-22)", []report.Answer{{Kind: report.KindTier, Name: "nvme", Urgency: report.Order, Purchase: buy, OrderBy: &day}}},
		{"Nothing to order yet. Next: tier nvme, by 2027-05-22.", []report.Answer{{Kind: report.KindTier, Name: "nvme", Urgency: report.Fine, OrderBy: &later}}},
		{"nothing reaches its limit before 2027-05-22", []report.Answer{{Kind: report.KindTier, Name: "nvme", Urgency: report.Fine, Until: &later}}},
		{"Too little is known", []report.Answer{{Kind: report.KindTier, Name: "nvme", Urgency: report.Unknown}}},
	} {
		if got := report.Headline(tt.answers); !strings.Contains(got, tt.want) {
			t.Errorf("headline %q, want %q", got, tt.want)
		}
	}
}

func TestQuantity(t *testing.T) {
	for _, tt := range []struct {
		v    float64
		unit string
		want string
	}{
		{0, "bytes", "0 B"}, {1536, "bytes", "1.50 KiB"}, {-1 << 40, "bytes", "-1 TiB"}, {786432, "MiB", "768 GiB"}, {100, "GiB", "100 GiB"},
		{1234567, "vCPU", "1 234 567 vCPU"}, {0.25, "vCPU", "0.25 vCPU"}, {12, "", "12"},
	} {
		if got := report.Quantity(tt.v, tt.unit); got != tt.want {
			t.Errorf("Quantity(%g, %q) = %q, want %q", tt.v, tt.unit, got, tt.want)
		}
	}
}

func TestRealUseIsShown(t *testing.T) {
	d := document(t, nil)
	var b bytes.Buffer
	if err := report.WriteTable(&b, d); err != nil {
		t.Fatal(err)
	}
	page := html.UnescapeString(render(t, d))
	for _, word := range []string{"Really used", "5 of 6", "576 CPU", " CPU (13 %)", "245 CPU (43 %)", "all zones", "cmp-c6"} {
		if !strings.Contains(b.String(), word) {
			t.Errorf("the table lacks %q:\n%s", word, &b)
		}
		if !strings.Contains(page, word) {
			t.Errorf("the page lacks %q", word)
		}
	}
	if !strings.Contains(page, "<dt>really used at peak (P95)</dt><dd>245 CPU (43 %)</dd>") {
		t.Error("the card of az-a lacks its real use")
	}
}

func TestUnmeasuredUseIsSaid(t *testing.T) {
	d := document(t, func(o *planner.Options) { o.History = &plannertest.History{Unscraped: true} })
	var b bytes.Buffer
	if err := report.WriteTable(&b, d); err != nil {
		t.Fatal(err)
	}
	page := html.UnescapeString(render(t, d))
	for _, text := range []string{b.String(), page} {
		if !strings.Contains(text, "no node_exporter of a compute host is scraped") || strings.Contains(text, "P95)") {
			t.Errorf("it is not said that nobody measures:\n%s", text)
		}
	}
	b.Reset()
	if err := report.WriteCSV(&b, d); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(rows) != 1+4+6 {
		t.Fatalf("%d rows, error %v", len(rows), err)
	}
	if row := strings.Join(rows[5], ","); !strings.HasSuffix(row, ",az-a,6,0,,,,") {
		t.Errorf("az-a is written as %s", row)
	}
}
