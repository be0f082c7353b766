package openstack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	json "github.com/go-json-experiment/json/v1"

	"mcloud/exporters"
)

// MaxPages bounds a List: more pages than this and the rest is left out, with
// an error.
const MaxPages = 2000

// Listing is what a List gave.
type Listing[T any] struct {
	Objects []T
	// Failed are the objects that did not decode.
	Failed []exporters.ObjectError
	// Microversion and Time are those of the first page.
	Microversion Microversion
	Time         time.Time

	shown int // to the function of Each, and not kept
}

// List asks for all pages of a collection: member is the name of its list in
// the answer, which also names the objects in errors. Objects that do not
// decode into T are left out and named in Failed. With an error the Listing has
// the pages that came before it, and is not complete.
func List[T any](ctx context.Context, c *Cloud, api API, path, member string, query url.Values) (Listing[T], error) {
	l, _, err := list[T](ctx, c, api, path, member, query, MaxPages, nil)
	return l, err
}

// ListPart is List that ends after some pages, at least one. more says that there
// is a further page: behind the last object, in the order that was asked for.
func ListPart[T any](ctx context.Context, c *Cloud, api API, path, member string, query url.Values, pages int) (l Listing[T], more bool, err error) {
	return list[T](ctx, c, api, path, member, query, min(pages, MaxPages-1), nil)
}

// Each is List for a collection that is only counted: see gets every object and
// none is kept, so that 120,000 ports cost the memory of one page. What see has
// counted is right only when there was no error.
func Each[T any](ctx context.Context, c *Cloud, api API, path, member string, query url.Values, see func(T)) (Listing[T], error) {
	l, _, err := list(ctx, c, api, path, member, query, MaxPages, see)
	return l, err
}

// list asks for most pages, and says whether more follow. MaxPages of them are
// more than a list has: an error. While the service makes a page, the objects of
// the one before are decoded: one call at a time, and two pages in memory.
func list[T any](ctx context.Context, c *Cloud, api API, path, member string, query url.Values, most int, see func(T)) (Listing[T], bool, error) {
	var l Listing[T]
	query = maps.Clone(query)
	if query == nil {
		query = url.Values{}
	}
	asked := map[string]bool{}
	ask := func() <-chan answered {
		asked[query.Encode()] = true
		return c.getAhead(ctx, api, path, maps.Clone(query))
	}
	coming := ask()
	for page := 1; ; page++ {
		got := <-coming
		raws, err := got.list(api, member)
		if err != nil {
			return l, false, onPage(page, err)
		}
		if page == 1 {
			l.Microversion, l.Time = got.Microversion, got.Time
			if err := lifeless(api, path, query, len(raws)); err != nil {
				l.take(raws, member, see)
				return l, false, err
			}
		}
		next, err := behind(got.Answer, api, member, raws, query)
		// Only the query of the link is followed: its host may be one that a
		// proxy hides.
		maps.Copy(query, next)
		switch {
		case err != nil:
			err = onPage(page, err)
		case next == nil:
		case asked[query.Encode()]:
			err = exporters.WithKind(fmt.Errorf("%s: GET %s: page %d links to a page that was read already: the list is not complete", api.Name, path, page), exporters.KindDecode)
		case page == MaxPages:
			err = fmt.Errorf("%s: GET %s: more than %d pages: the list is not complete", api.Name, path, MaxPages)
		case page < most:
			coming = ask()
			l.take(raws, member, see)
			continue
		}
		l.take(raws, member, see)
		return l, err == nil && next != nil, err
	}
}

// answered is an answer, or why there is none.
type answered struct {
	*Answer
	err error
}

// getAhead is Get that does not wait: the channel gives one answer. A panic of Get
// comes as an error of that kind, because no Source is above to catch it.
func (c *Cloud) getAhead(ctx context.Context, api API, path string, query url.Values) <-chan answered {
	coming := make(chan answered, 1)
	go func() {
		got := answered{err: errors.New("no answer")}
		defer func() {
			if p := recover(); p != nil {
				got = answered{err: exporters.WithKind(fmt.Errorf("panic, which is a bug: %v\n%s", p, debug.Stack()), exporters.KindPanic)}
			}
			coming <- got
		}()
		got.Answer, got.err = c.Get(ctx, api, path, query)
	}()
	return coming
}

// list is the list in an answer, its objects raw.
func (a answered) list(api API, member string) ([]json.RawMessage, error) {
	if a.err != nil {
		return nil, a.err
	}
	var raws []json.RawMessage
	if err := a.Decode(member, &raws); err != nil {
		return nil, &Error{API: api.Name, Method: http.MethodGet, Path: "…/" + member, Err: err, kind: exporters.KindDecode}
	}
	return raws, nil
}

// behind is what the next page is asked with; nil when there is none.
func behind(a *Answer, api API, member string, raws []json.RawMessage, query url.Values) (url.Values, error) {
	next, err := nextPage(a, member)
	if next == nil && api.Markers {
		next = markerBehind(raws, query)
	}
	if api.Offsets {
		next, err = offsetBehind(raws, query, next != nil), nil
	}
	return next, err
}

func onPage(page int, err error) error {
	if err == nil || page == 1 {
		return err
	}
	return fmt.Errorf("page %d: %w", page, err)
}

// take decodes objects, for see or to keep; those that it cannot, it names.
func (l *Listing[T]) take(raws []json.RawMessage, member string, see func(T)) {
	for _, raw := range raws {
		var object T
		if err := json.Unmarshal(raw, &object); err != nil {
			l.Failed = append(l.Failed, exporters.ObjectError{Object: objectName(member, raw), Err: err})
			continue
		}
		if see != nil {
			see(object)
			l.shown++
			continue
		}
		l.Objects = append(l.Objects, object)
	}
}

// markerBehind is what a further page of an API without links is asked with; nil
// when this one was not full, or no limit was asked for.
func markerBehind(raws []json.RawMessage, query url.Values) url.Values {
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || limit <= 0 || len(raws) < limit {
		return nil
	}
	id := objectID(raws[len(raws)-1], "uuid", "notification_uuid", "id")
	if id == "" {
		return nil
	}
	return url.Values{"marker": {id}}
}

// offsetBehind is what a further page of an API with offsets is asked with; nil
// when this one links to no further one and was not full. Manila links from full
// pages only; a link from a short one says that it is not the whole all the same.
func offsetBehind(raws []json.RawMessage, query url.Values, linked bool) url.Values {
	limit, err := strconv.Atoi(query.Get("limit"))
	full := err == nil && limit > 0 && len(raws) >= limit
	if !full && !linked || len(raws) == 0 {
		return nil
	}
	offset, _ := strconv.Atoi(query.Get("offset")) // the first page has none
	return url.Values{"offset": {strconv.Itoa(offset + len(raws))}}
}

// objectID is the first of the members that a raw object has; "" without any.
func objectID(raw json.RawMessage, members ...string) string {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return ""
	}
	for _, key := range members {
		var id ID
		if json.Unmarshal(fields[key], &id) == nil && id != "" {
			return string(id)
		}
	}
	return ""
}

// objectName names a raw object by whatever name or id it has.
func objectName(member string, raw json.RawMessage) string {
	kind := strings.TrimSuffix(member, "s")
	if id := objectID(raw, "id", "uuid", "name"); id != "" {
		return kind + " " + id
	}
	return kind + " without an id"
}

// nextPage is the query of the next page, or nil at the end. Nova, Cinder, Neutron
// and Octavia give {"servers_links": [{"rel": "next", "href": …}]}, Keystone and
// Designate {"links": {"next": …}}, Glance and Barbican {"next": …}.
func nextPage(a *Answer, member string) (url.Values, error) {
	var href string
	if raw, ok := a.Members[member+"_links"]; ok {
		var links []struct{ Rel, Href string }
		if err := json.Unmarshal(raw, &links); err != nil {
			return nil, fmt.Errorf("%s_links: %w", member, err)
		}
		for _, link := range links {
			if link.Rel == "next" {
				href = link.Href
			}
		}
	} else if raw, ok := a.Members["links"]; ok {
		var links struct{ Next *string }
		if err := json.Unmarshal(raw, &links); err != nil {
			return nil, fmt.Errorf("links: %w", err)
		}
		if links.Next != nil {
			href = *links.Next
		}
	}
	if raw, ok := a.Members["next"]; ok && href == "" {
		if err := json.Unmarshal(raw, &href); err != nil {
			return nil, fmt.Errorf("next: %w", err)
		}
	}
	if href == "" {
		return nil, nil
	}
	u, err := url.Parse(href)
	if err != nil {
		return nil, fmt.Errorf("link to the next page: %w", err)
	}
	if u.RawQuery == "" {
		return nil, exporters.WithKind(errors.New("the link to the next page has no query"), exporters.KindDecode)
	}
	return u.Query(), nil
}
