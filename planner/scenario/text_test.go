package scenario

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	march := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]Change{
		"add-host az=az1,count=4,from=2027-03-01":                                   {Action: AddHosts, Zone: "az1", Count: 4, From: march},
		"add-host az=az1,vcpus=128,memory=1TiB,disk=2000":                           {Action: AddHosts, Zone: "az1", VCPUs: 128, MemoryMiB: 1 << 20, DiskGiB: 2000},
		"add-osd tier=nvme,count=12,size=7.68TB,hosts=3":                            {Action: AddOSDs, Tier: "nvme", Count: 12, RawBytes: 7_680_000_000_000, Hosts: 3},
		"project flavors=m1.large:20+m1.small:5,volumes=nvme:10x500GiB,boot=volume": {Action: Project, Flavors: map[string]int64{"m1.large": 20, "m1.small": 5}, Volumes: map[string]int64{"nvme": 5000}, VolumeBacked: true},
		"growth percent=-20%":                                                       {Action: Growth, Percent: -20},
		"growth percent=0":                                                          {Action: Growth},
		"delay name=spring,by=90d":                                                  {Action: Delay, Name: "spring", Days: 90},
		"ratio class=VCPU,ratio=6.5":                                                {Action: Ratio, Class: "VCPU", Ratio: 6.5},
		"remove-host host=cmp-a1,from=2027-03-01,until=2027-03-01T06:00:00Z":        {Action: RemoveHosts, Host: "cmp-a1", From: march, Until: march.Add(6 * time.Hour)},
		"lose datacenter=dc1":                                                       {Action: Lose, Datacenter: "dc1"},
	} {
		action, rest, _ := strings.Cut(text, " ")
		got, err := Parse(Action(action), rest)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v, %v", text, got, err)
		}
		action, rest, _ = strings.Cut(got.String(), " ")
		if again, err := Parse(Action(action), rest); err != nil || !reflect.DeepEqual(again, want) {
			t.Errorf("%s comes back from %q as %+v, %v", text, got, again, err)
		}
	}
}

// TestSizesAreReadable: what is written back is what people would write.
func TestSizesAreReadable(t *testing.T) {
	for text, want := range map[string]string{
		"add-osd tier=x,size=14TiB":                       "size=14TiB",
		"add-osd tier=x,size=7680000000000B":              "size=7.68TB",
		"add-osd tier=x,size=7680000000001B":              "size=7680000000001B",
		"add-host az=a,vcpus=8,memory=1048576,disk=1.8TB": "memory=1TiB",
		"project volumes=nvme:30x1024":                    "volumes=nvme:30TiB",
		"project volumes=nvme:1":                          "volumes=nvme:1GiB",
	} {
		action, rest, _ := strings.Cut(text, " ")
		c, err := Parse(Action(action), rest)
		if err != nil || !strings.Contains(c.String(), want) {
			t.Errorf("%s is written %s, %v; want %s", text, c, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"add-host count=4":                                 "add-host says no az; write for example az=az1,count=4,from=2027-03-01",
		"add-host az=az1,cuont=4":                          `takes no "cuont", did you mean "count"?`,
		"add-host az=az1,count=-4":                         `count="-4", want a whole number above 0`,
		"add-host az=az1,count=1000000":                    "want 1 to 100000",
		"add-host az=az1,vcpus=4":                          "want both",
		"add-host az=az1,like=x,vcpus=4,memory=1GiB":       "like=x and resources",
		"add-host az=az1,az=az2":                           "az is there twice",
		"add-host az1":                                     `"az1" is no key=value`,
		"add-host az=az1,from=tomorrow":                    `from="tomorrow", want a day such as 2027-03-01`,
		"add-host az=az1,until=2027-01-01":                 "until=2027-01-01 without from",
		"add-host az=az1,from=2027-02-01,until=2027-01-01": "lies before from",
		"add-osd tier=nvme,size=0":                         "want a size",
		"add-osd tier=nvme,host=a,hosts=2":                 "want one of both",
		"project flavors=m1.large":                         `"m1.large", want name:amount`,
		"project flavors=m1.large:0":                       "want a whole number",
		"project volumes=nvme:1x":                          "want a size",
		"project volumes=nvme:9999999x9999999PiB":          "too large",
		"project name=x":                                   "says no flavors nor volumes",
		"growth percent=-101":                              "want -100 (none)",
		"growth percent=NaN":                               "want a number",
		"growth percent=5,from=2027-01-01":                 `takes no "from"`,
		"ratio ratio=4":                                    "says no class",
		"ratio class=VCPU,ratio=-1":                        "want more than 0",
		"delay name=x":                                     "want more than 0 days",
		"explode az=az1":                                   `action "explode", want one of add-host`,
	} {
		action, rest, _ := strings.Cut(text, " ")
		if _, err := Parse(Action(action), rest); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// FuzzParse: whatever is read is valid and reads the same again.
func FuzzParse(f *testing.F) {
	for _, a := range Actions() {
		f.Add(string(a), a.Example())
	}
	f.Add("project", "flavors=a:b:1+c:2,volumes=x:1.5TB")
	f.Fuzz(func(t *testing.T, action, text string) {
		c, err := Parse(Action(action), text)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("%v does not wrap ErrInvalid", err)
			}
			return
		}
		_, rest, _ := strings.Cut(c.String(), " ")
		again, err := Parse(c.Action, rest)
		if err != nil || !reflect.DeepEqual(again, c) {
			t.Fatalf("%q is %+v, and %q is %+v, %v", text, c, rest, again, err)
		}
	})
}

func TestSuggest(t *testing.T) {
	err := unknown("tier", "nvm", []string{"sas10k", "nvme", "nvme"})
	if !errors.Is(err, ErrUnknown) || err.Error() != `tier "nvm" is not known, did you mean "nvme"?; known are: nvme, sas10k` {
		t.Error(err)
	}
	if err := unknown("tier", "x", nil); !strings.Contains(err.Error(), "there is none at all") {
		t.Error(err)
	}
}
