package scenario

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// field is a key that people write, with the part of a Change it stands for. get is ""
// for a field that is not set; what get returns, set takes.
type field struct {
	key string
	get func(Change) string
	set func(*Change, string) error
}

var fields = []field{
	text("name", func(c *Change) *string { return &c.Name }),
	text("az", func(c *Change) *string { return &c.Zone }),
	text("host", func(c *Change) *string { return &c.Host }),
	text("rack", func(c *Change) *string { return &c.Rack }),
	text("datacenter", func(c *Change) *string { return &c.Datacenter }),
	text("tier", func(c *Change) *string { return &c.Tier }),
	text("cluster", func(c *Change) *string { return &c.Cluster }),
	text("osd", func(c *Change) *string { return &c.OSD }),
	whole("count", func(c *Change) *int64 { return &c.Count }),
	whole("hosts", func(c *Change) *int64 { return &c.Hosts }),
	text("like", func(c *Change) *string { return &c.Like }),
	whole("vcpus", func(c *Change) *int64 { return &c.VCPUs }),
	size("memory", 1<<20, "MiB", func(c *Change) *int64 { return &c.MemoryMiB }),
	size("disk", 1<<30, "GiB", func(c *Change) *int64 { return &c.DiskGiB }),
	size("size", 1, "B", func(c *Change) *int64 { return &c.RawBytes }),
	amounts("flavors", plainText, wholeNumber, func(c *Change) *map[string]int64 { return &c.Flavors }),
	amounts("volumes", func(n int64) string { return sizeText(n, 1<<30, "GiB") }, gibibytes, func(c *Change) *map[string]int64 { return &c.Volumes }),
	{"boot", func(c Change) string {
		if c.VolumeBacked {
			return "volume"
		}
		return ""
	}, func(c *Change, v string) error {
		if v != "volume" && v != "disk" {
			return fmt.Errorf("%q, want volume or disk", v)
		}
		c.VolumeBacked = v == "volume"
		return nil
	}},
	text("class", func(c *Change) *string { return &c.Class }),
	number("ratio", "", func(c *Change) *float64 { return &c.Ratio }),
	{"percent", func(c Change) string {
		if c.Action != Growth && c.Percent == 0 {
			return ""
		}
		return strconv.FormatFloat(c.Percent, 'g', -1, 64)
	}, number("percent", "%", func(c *Change) *float64 { return &c.Percent }).set},
	{"by", func(c Change) string {
		if c.Days == 0 {
			return ""
		}
		return strconv.FormatFloat(c.Days, 'g', -1, 64) + "d"
	}, number("by", "d", func(c *Change) *float64 { return &c.Days }).set},
	date("from", func(c *Change) *time.Time { return &c.From }),
	date("until", func(c *Change) *time.Time { return &c.Until }),
}

func fieldOf(key string) field {
	return fields[slices.IndexFunc(fields, func(f field) bool { return f.key == key })]
}

// Parse reads a change as people write it: "az=az1,count=4,from=2027-03-01". What is
// written is checked, the names in it are not. Errors wrap ErrInvalid.
func Parse(action Action, s string) (Change, error) {
	c := Change{Action: action}
	shape, known := actions[action]
	if !known {
		return c, invalid("action %q, want one of %s", action, join(Actions()))
	}
	allowed, seen := action.Keys(), map[string]bool{}
	for part := range strings.SplitSeq(s, ",") {
		key, value, ok := strings.Cut(part, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch {
		case !ok || value == "":
			return c, invalid("%s: %q is no key=value; write for example %s", action, part, shape.example)
		case !slices.Contains(allowed, key):
			return c, invalid("%s takes no %q%s; it takes %s", action, key, meant(key, allowed), strings.Join(allowed, ", "))
		case seen[key]:
			return c, invalid("%s: %s is there twice", action, key)
		}
		seen[key] = true
		if err := fieldOf(key).set(&c, value); err != nil {
			return c, invalid("%s: %s=%v", action, key, err)
		}
	}
	return c, c.Validate()
}

// String is c as Parse reads it, after its action: "add-host az=az1,count=4".
func (c Change) String() string {
	var parts []string
	for _, f := range fields {
		if v := f.get(c); v != "" {
			parts = append(parts, f.key+"="+v)
		}
	}
	return string(c.Action) + " " + strings.Join(parts, ",")
}

func text(key string, at func(*Change) *string) field {
	return field{key, func(c Change) string { return *at(&c) }, func(c *Change, v string) error {
		*at(c) = v
		return nil
	}}
}

func whole(key string, at func(*Change) *int64) field {
	return field{key, func(c Change) string {
		if n := *at(&c); n != 0 {
			return strconv.FormatInt(n, 10)
		}
		return ""
	}, func(c *Change, v string) (err error) {
		*at(c), err = wholeNumber(v)
		return err
	}}
}

func wholeNumber(v string) (int64, error) {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("%q, want a whole number above 0", v)
	}
	return n, nil
}

func number(key, unit string, at func(*Change) *float64) field {
	return field{key, func(c Change) string {
		if v := *at(&c); v != 0 {
			return strconv.FormatFloat(v, 'g', -1, 64)
		}
		return ""
	}, func(c *Change, v string) error {
		x, err := strconv.ParseFloat(strings.TrimSuffix(v, unit), 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("%q, want a number", v)
		}
		*at(c) = x
		return nil
	}}
}

// size is an amount of bytes, kept in units of so many; a bare number is in the unit.
func size(key string, unit int64, name string, at func(*Change) *int64) field {
	return field{key, func(c Change) string {
		if n := *at(&c); n != 0 {
			return sizeText(n, unit, name)
		}
		return ""
	}, func(c *Change, v string) (err error) {
		*at(c), err = sizeIn(v, unit)
		return err
	}}
}

var units = []struct {
	name string
	size float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"PiB", 1 << 50}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"PB", 1e15}, {"B", 1}}

func sizeIn(v string, unit int64) (int64, error) {
	value, scale := v, float64(unit)
	for _, u := range units {
		if bare, ok := strings.CutSuffix(v, u.name); ok {
			value, scale = bare, u.size
			break
		}
	}
	x, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if n := x * scale / float64(unit); err == nil && n >= 1 && n < 1<<62 {
		return int64(n), nil
	}
	return 0, fmt.Errorf("%q, want a size such as 512GiB", v)
}

// sizeText is the shortest way to write n units that sizeIn reads as n again.
func sizeText(n, unit int64, name string) string {
	best := strconv.FormatInt(n, 10) + name
	for _, u := range units {
		text := strconv.FormatFloat(math.Round(float64(n)*float64(unit)/u.size*1000)/1000, 'f', -1, 64) + u.name
		if again, err := sizeIn(text, unit); err == nil && again == n && len(text) <= len(best) {
			best = text
		}
	}
	return best
}

func gibibytes(v string) (int64, error) {
	// 10x500GiB is ten of them.
	times := int64(1)
	if n, each, ok := strings.Cut(v, "x"); ok {
		var err error
		if times, err = wholeNumber(n); err != nil {
			return 0, err
		}
		v = each
	}
	each, err := sizeIn(v, 1<<30)
	if err != nil {
		return 0, err
	}
	if each > maxAmount || times > maxAmount || each*times > maxAmount {
		return 0, fmt.Errorf("%q is too large", v)
	}
	return each * times, nil
}

func plainText(n int64) string { return strconv.FormatInt(n, 10) }

// amounts is "m1.large:20+m1.small:5".
func amounts(key string, write func(int64) string, parse func(string) (int64, error), at func(*Change) *map[string]int64) field {
	return field{key, func(c Change) string {
		var parts []string
		all := *at(&c)
		for _, name := range slices.Sorted(maps.Keys(all)) {
			parts = append(parts, name+":"+write(all[name]))
		}
		return strings.Join(parts, "+")
	}, func(c *Change, v string) error {
		all := map[string]int64{}
		for part := range strings.SplitSeq(v, "+") {
			i := strings.LastIndex(part, ":")
			if i <= 0 {
				return fmt.Errorf("%q, want name:amount, several with + between", part)
			}
			name := strings.TrimSpace(part[:i])
			n, err := parse(strings.TrimSpace(part[i+1:]))
			if err != nil {
				return fmt.Errorf("%s:%w", name, err)
			}
			if all[name] > 0 {
				return fmt.Errorf("%q is there twice", name)
			}
			all[name] = n
		}
		*at(c) = all
		return nil
	}}
}

func date(key string, at func(*Change) *time.Time) field {
	return field{key, func(c Change) string {
		t := *at(&c)
		switch {
		case t.IsZero():
			return ""
		case t.Equal(t.Truncate(24 * time.Hour)):
			return day(t)
		}
		return t.UTC().Format(time.RFC3339Nano)
	}, func(c *Change, v string) error {
		t, err := time.Parse(time.DateOnly, v)
		if err != nil {
			t, err = time.Parse(time.RFC3339, v)
		}
		if err != nil || t.Year() < 1970 || t.Year() > 2200 {
			return fmt.Errorf("%q, want a day such as 2027-03-01", v)
		}
		*at(c) = t.UTC()
		return nil
	}}
}
