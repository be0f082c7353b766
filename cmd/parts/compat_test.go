package parts

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestCompatRulesFitTheCatalogue holds each rule to families and labels that the
// Sources declare: a renamed one of ours must not silence one of theirs.
func TestCompatRulesFitTheCatalogue(t *testing.T) {
	labelsOf := map[string][]string{}
	for _, f := range Families() {
		labelsOf[f.Name] = f.Labels
	}
	rules := CompatRules([]string{"openstack-exporter"})
	if len(rules) < 150 {
		t.Fatalf("%d rules", len(rules))
	}
	has := func(rule, family, label string) {
		if label != "" && label != "value" && !slices.Contains(labelsOf[family], label) {
			t.Errorf("%s: %s has no label %q", rule, family, label)
		}
	}
	for _, r := range rules {
		own, ok := labelsOf[r.From]
		if !ok {
			t.Errorf("%s is made from %s, which nobody declares", r.Name, r.From)
			continue
		}
		if _, ours := labelsOf[r.Name]; ours {
			t.Errorf("%s is ours already, so its rule makes nothing", r.Name)
		}
		for label := range r.Where {
			has(r.Name, r.From, label)
		}
		joined := []string{"value"}
		for _, j := range r.Joins {
			theirs, ok := labelsOf[j.With]
			if !ok {
				t.Errorf("%s joins %s, which nobody declares", r.Name, j.With)
			}
			for _, label := range theirs {
				joined = append(joined, label, j.With+"."+label)
			}
			for _, on := range j.On {
				left, right, two := strings.Cut(on, "=")
				if !two {
					right = left
				}
				has(r.Name, r.From, left)
				has(r.Name, j.With, right)
			}
		}
		for _, l := range r.Labels {
			if l.Joined && !slices.Contains(joined, l.From) {
				t.Errorf("%s: no joined family has label %q", r.Name, l.From)
			}
			if !l.Joined {
				for _, name := range strings.Split(l.From, "+") {
					if name != "" && !slices.Contains(own, name) {
						t.Errorf("%s: %s has no label %q", r.Name, r.From, name)
					}
				}
			}
		}
	}
}

// TestPeersTableOfOpenStack holds the table to the catalogue, and the rules to the table.
func TestPeersTableOfOpenStack(t *testing.T) {
	text, err := os.ReadFile("../../exporters/openstack/peers.md")
	if err != nil {
		t.Fatal(err)
	}
	made := known(t)
	names := regexp.MustCompile("`((?:openstack|mcloud)_[a-z0-9_]+)`").FindAllStringSubmatch(string(text), -1)
	if len(names) < 200 {
		t.Fatalf("only %d names", len(names))
	}
	for _, m := range names {
		if _, ok := made[m[1]]; !ok {
			t.Errorf("peers.md names %s, which nobody makes", m[1])
		}
	}
	for _, r := range CompatRules([]string{"openstack-exporter"}) {
		name := strings.TrimPrefix(r.Name, "openstack_")
		if !strings.Contains(string(text), "\n| "+name+" ") && !strings.Contains(string(text), "\n| "+name+"{") {
			t.Errorf("peers.md has no row for %s", name)
		}
	}
}
