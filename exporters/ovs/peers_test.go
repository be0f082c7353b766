package ovs_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"mcloud/exporters"
	"mcloud/exporters/ovn"
	"mcloud/exporters/ovs"
)

// Every name that peers.md promises is in the catalogue.
func TestPeersTable(t *testing.T) {
	text, err := os.ReadFile("peers.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, f := range slices.Concat(ovn.Families(), ovs.Families(), exporters.SelfFamilies()) {
		known[f.Name] = true
	}
	names := regexp.MustCompile("`((?:ov[ns]|mcloud)_[a-z0-9_]+)`").FindAllStringSubmatch(string(text), -1)
	if len(names) < 100 {
		t.Fatalf("only %d names", len(names))
	}
	for _, m := range names {
		if !known[m[1]] {
			t.Errorf("peers.md names %s, which nobody makes", m[1])
		}
	}
}
