package embedded

import "testing"

func TestParseMapping(t *testing.T) {
	for line, want := range map[string]mapping{
		"7f2c00000000-7f2c00021000 r-xp 00a00000 fe:01 1234                       /usr/lib/lib x.so": {start: 0x7f2c00000000, end: 0x7f2c00021000, path: "/usr/lib/lib x.so"},
		"00400000-00401000 rw-p 00000000 00:00 0 ":                                                   {start: 0x400000, end: 0x401000, writable: true},
		"7ffd00000000-7ffd00001000 rw-p 00000000 00:00 0                          [stack]":           {start: 0x7ffd00000000, end: 0x7ffd00001000, writable: true, path: "[stack]"},
	} {
		if got, is := parseMapping(line); !is || got != want {
			t.Errorf("%q: %+v %v", line, got, is)
		}
	}
	for _, line := range []string{"", "Anonymous:             0 kB", "VmFlags: rd ex mr mw me", "Name-x: rd-x ex mr mw me", "2-1 r-xp 0 0 0"} {
		if got, is := parseMapping(line); is {
			t.Errorf("%q: %+v", line, got)
		}
	}
}
