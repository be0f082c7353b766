package config

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestExamplesAreRead keeps what people copy from true.
func TestExamplesAreRead(t *testing.T) {
	for _, path := range []string{"../../deploy/examples/mcloud.yaml", "../../deploy/lab/mcloud.yaml"} {
		f, err := Load(path)
		if err != nil {
			t.Error(err)
		}
		if len(f.Ceph) != 2 || len(f.Planner.Tiers) < 2 || f.OVN == nil {
			t.Errorf("%s: %d clusters, %d tiers", path, len(f.Ceph), len(f.Planner.Tiers))
		}
	}
}

// TestTheExamplesAccess reads what the example says about access, and what it says there
// is without saying so.
func TestTheExamplesAccess(t *testing.T) {
	content, err := os.ReadFile("../../deploy/examples/mcloud.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(content), "\n# access:\n")
	section, _, ended := strings.Cut(section, "\n\n")
	if !found || !ended {
		t.Fatal("the example has no section access")
	}
	text := "cloud: x\naccess:\n"
	for line := range strings.Lines(section) {
		text += strings.TrimPrefix(line, "# ")
	}
	f, err := Parse("m.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	silent, err := Parse("m.yaml", []byte("cloud: x\naccess: {keystone: {url: \"https://keystone.example.org:5000/v3\"}}"))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(f.Access.Roles, silent.Access.Roles) || !reflect.DeepEqual(f.Access.Keystone, silent.Access.Keystone) {
		t.Errorf("the example says %+v, there is %+v", f.Access, silent.Access)
	}
}
