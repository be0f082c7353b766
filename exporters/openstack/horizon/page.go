package horizon

import (
	"html"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// loginPage is what matters of a page.
type loginPage struct {
	form  bool   // it has a form with Django's token against forgery
	asset string // address of a file that it names, on its own host; "" without one
}

var (
	form  = regexp.MustCompile(`(?is)<form\b[^>]*>.*?</form`)
	token = regexp.MustCompile(`(?is)<input\b[^>]*\bname\s*=\s*["']?csrfmiddlewaretoken\b`)
	files = regexp.MustCompile(`(?is)<(?:link|script)\b[^>]*?\s(?:href|src)\s*=\s*["']([^"'<>]+)["']`)
)

// readPage reads HTML that came from at. It looks for what it needs rather than
// parsing: a page that a browser mends is good enough for it too.
func readPage(text []byte, at string) loginPage {
	var p loginPage
	for _, f := range form.FindAll(text, -1) {
		p.form = p.form || token.Match(f)
	}
	from, err := url.Parse(at)
	if err != nil {
		return p
	}
	for _, m := range files.FindAllSubmatch(text, -1) {
		to, err := from.Parse(strings.TrimSpace(html.UnescapeString(string(m[1]))))
		if err != nil || to.Scheme != from.Scheme || to.Host != from.Host {
			continue // another host's are not ours to ask for
		}
		if ext := path.Ext(to.Path); ext == ".css" || ext == ".js" {
			to.Fragment = ""
			p.asset = to.String()
			return p
		}
	}
	return p
}
