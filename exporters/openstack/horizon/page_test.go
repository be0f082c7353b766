package horizon

import (
	"net/url"
	"os"
	"strings"
	"testing"
)

func TestReadPage(t *testing.T) {
	real, err := os.ReadFile("testdata/login.html")
	if err != nil {
		t.Fatal(err)
	}
	const at = "https://dash.example.org/auth/login/?next=/"
	for name, c := range map[string]struct {
		text string
		want loginPage
	}{
		"of a Horizon":       {string(real), loginPage{true, "https://dash.example.org/static/dashboard/css/output.361cca58bb99.css"}},
		"empty":              {"", loginPage{}},
		"token without form": {`<input name="csrfmiddlewaretoken">`, loginPage{}},
		"form without token": {`<form><input name="q"></form>`, loginPage{}},
		"no quotes":          {`<FORM method=post><INPUT type=hidden name=csrfmiddlewaretoken value=x></FORM>`, loginPage{true, ""}},
		"of another host":    {`<script src="https://cdn.example.com/x.js"></script><script defer src='../../s/y.js?v=1&amp;w=2#z'></script>`, loginPage{false, "https://dash.example.org/s/y.js?v=1&w=2"}},
		"an icon":            {`<link rel="icon" href="/favicon.ico">`, loginPage{}},
		"another scheme":     {`<script src="http://dash.example.org/x.js"></script><link href="javascript:x.js">`, loginPage{}},
		"cut off":            {`<form><input name="csrfmiddlewaretoken"`, loginPage{}},
	} {
		if got := readPage([]byte(c.text), at); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// FuzzReadPage proves that no page leads to another host.
func FuzzReadPage(f *testing.F) {
	for _, seed := range []string{`<link href="//evil.example.com/x.css">`, `<script src="\\evil.example.com/x.js">`, `<script src=" https://dash.example.org@evil/x.js">`, `<form><input name=csrfmiddlewaretoken></form>`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p := readPage([]byte(text), "https://dash.example.org/auth/login/")
		if p.asset == "" {
			return
		}
		u, err := url.Parse(p.asset)
		if err != nil || u.Host != "dash.example.org" || u.Scheme != "https" || strings.Contains(p.asset, "#") && u.Fragment != "" {
			t.Errorf("%q leads to %q", text, p.asset)
		}
	})
}
