package swift

import (
	"net/http"
	"strings"
	"testing"
)

func TestPrefixOf(t *testing.T) {
	for endpoint, want := range map[string]string{
		"http://swift:8080/v1/AUTH_p1": "AUTH_", "https://api/object-store/v1/KEY_p1": "KEY_", "http://rgw/swift/v1/p1": "",
		"http://rgw/swift/v1": "AUTH_", "http://swift/v1/AUTH_other": "AUTH_",
	} {
		if got := prefixOf(endpoint, "p1"); got != want {
			t.Errorf("%s: %q, want %q", endpoint, got, want)
		}
	}
}

// FuzzParseAccount proves that headers of any kind make no count below zero and no
// panic, and that what is no count is an error, not 0.
func FuzzParseAccount(f *testing.F) {
	f.Add("X-Account-Bytes-Used", "30500")
	f.Add("X-Account-Bytes-Used", "-1")
	f.Add("X-Account-Object-Count", "many")
	f.Add("X-Account-Storage-Policy-Cheap-Bytes-Used", "1")
	f.Add("X-Account-Storage-Policy--Bytes-Used", "9223372036854775808")
	f.Fuzz(func(t *testing.T, name, text string) {
		h := http.Header{}
		h.Set(name, text)
		a, err := parseAccount(h)
		if a.bytes.Value < 0 || a.objects.Value < 0 || a.containers.Value < 0 || a.quota.Value < 0 {
			t.Errorf("%s: %q makes %+v", name, text, a)
		}
		if http.CanonicalHeaderKey(name) == "X-Account-Bytes-Used" && err == nil && text != "" && (!a.bytes.Known || strings.HasPrefix(text, "-")) {
			t.Errorf("%q is no count, and no error", text)
		}
		for _, p := range a.policies {
			if p.bytes < 0 || p.objects < 0 {
				t.Errorf("%s: %q makes %+v", name, text, p)
			}
		}
	})
}
