package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Quantity prints v in the unit of an Outlook the way people read it: bytes
// and MiB and GiB in binary prefixes, the rest with thousands apart.
func Quantity(v float64, unit string) string {
	switch unit {
	case "bytes":
		return bytes(v)
	case "MiB":
		return bytes(v * (1 << 20))
	case "GiB":
		return bytes(v * (1 << 30))
	}
	return strings.TrimSpace(thousands(v) + " " + unit)
}

var prefixes = []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}

func bytes(v float64) string {
	i, size := 0, math.Abs(v)
	for size >= 1024 && i < len(prefixes)-1 {
		size /= 1024
		i++
	}
	if v < 0 {
		size = -size
	}
	return significant(size) + " " + prefixes[i]
}

// significant keeps three digits, more for whole hundreds.
func significant(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100 || v == math.Trunc(v):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

func thousands(v float64) string {
	if a := math.Abs(v); a < 100 && v != math.Trunc(v) {
		return significant(v)
	}
	s := strconv.FormatFloat(math.Abs(v), 'f', 0, 64)
	var b strings.Builder
	if v < 0 {
		b.WriteByte('-')
	}
	for i, digit := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(digit)
	}
	return b.String()
}

// Percent prints a ratio.
func Percent(ratio float64) string {
	if ratio != 0 && math.Abs(ratio) < 0.1 {
		return fmt.Sprintf("%.1f %%", 100*ratio)
	}
	return fmt.Sprintf("%.0f %%", 100*ratio)
}

// Day prints the UTC day of t, or a dash for none.
func Day(t *time.Time) string {
	if t == nil {
		return "–"
	}
	return t.UTC().Format(time.DateOnly)
}

// CrossingDay prints the date of a quantile, or where the horizon ends without it.
func CrossingDay(t, until *time.Time) string {
	switch {
	case t != nil:
		return Day(t)
	case until != nil && !until.IsZero():
		return "after " + Day(until)
	}
	return "–"
}

// Days prints a number of days in the largest unit that reads well.
func Days(d float64) string {
	switch {
	case d < 2:
		return fmt.Sprintf("%.0f h", d*24)
	case math.Mod(d, 7) == 0 && d < 100:
		return fmt.Sprintf("%.0f weeks", d/7)
	}
	return fmt.Sprintf("%.0f days", d)
}

// ClassName is a resource class as people say it.
func ClassName(class string) string {
	switch class {
	case "VCPU":
		return "vCPU"
	case "PCPU":
		return "pinned CPU"
	case "MEMORY_MB":
		return "memory"
	case "DISK_GB":
		return "local disk"
	}
	return class
}

// ClassUnit is the unit of a resource class in Placement.
func ClassUnit(class string) string {
	switch class {
	case "VCPU", "PCPU":
		return "vCPU"
	case "MEMORY_MB":
		return "MiB"
	case "DISK_GB":
		return "GiB"
	}
	return ""
}

// Subject names what an answer is about.
func (a Answer) Subject() string {
	if a.Kind == KindZone {
		if a.Class == "" {
			return "zone " + a.Name
		}
		return ClassName(a.Class) + " in " + a.Name
	}
	return "tier " + a.Name
}

// Buy says how much to buy in a few words.
func (a Answer) Buy() string {
	p := a.Purchase
	switch {
	case p == nil && (a.Urgency == Full || a.Urgency == Order || a.Urgency == Soon):
		return "not known: no unit is configured"
	case p == nil:
		return "–"
	case p.Units == 0 && p.UnitsSafe == 0:
		return "nothing"
	case p.Units == 0:
		return fmt.Sprintf("nothing; %d × %s to be safe", p.UnitsSafe, p.Unit)
	}
	return fmt.Sprintf("%d × %s", p.Units, p.Unit)
}

// CostText says what that costs.
func (p *Purchase) CostText() string {
	switch {
	case p == nil || p.Units == 0:
		return "–"
	case p.Cost == "":
		return "no price set"
	}
	return strings.TrimSpace(money(p.Cost) + " " + p.Currency)
}

// money puts spaces between the thousands of a decimal number, and leaves zeros
// beyond the second decimal place out.
func money(decimal string) string {
	whole, fraction, dot := strings.Cut(decimal, ".")
	var b strings.Builder
	for i, digit := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 && whole[i-1] != '-' {
			b.WriteByte(' ')
		}
		b.WriteRune(digit)
	}
	for len(fraction) > 2 && strings.HasSuffix(fraction, "0") {
		fraction = fraction[:len(fraction)-1]
	}
	if dot {
		b.WriteString("." + fraction)
	}
	return b.String()
}
