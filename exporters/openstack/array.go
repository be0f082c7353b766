package openstack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"

	json "github.com/go-json-experiment/json/v1"

	"mcloud/exporters"
)

// ListArray is List for an API that answers with an array instead of an object:
// Swift and Gnocchi. query must hold a limit; a page with as many objects as that
// is followed by one behind the last object's member marker ("name", "id").
func ListArray[T any](ctx context.Context, c *Cloud, api API, path, kind, marker string, query url.Values) (Listing[T], error) {
	var l Listing[T]
	query = maps.Clone(query)
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || limit < 1 {
		return l, fmt.Errorf("%s: GET %s: a list by pages needs a limit", api.Name, path)
	}
	for page := 1; ; page++ {
		raws, err := getArray(ctx, c, api, path, query)
		if err != nil {
			return l, onPage(page, err)
		}
		l.take(raws, kind, nil)
		if len(raws) < limit {
			return l, nil
		}
		behind := objectID(raws[len(raws)-1], marker)
		switch {
		case behind == "" || behind == query.Get("marker"):
			return l, exporters.WithKind(fmt.Errorf("%s: GET %s: page %d ends where it began: the list is not complete", api.Name, path, page), exporters.KindDecode)
		case page == MaxPages:
			return l, fmt.Errorf("%s: GET %s: more than %d pages: the list is not complete", api.Name, path, MaxPages)
		}
		query.Set("marker", behind)
	}
}

func getArray(ctx context.Context, c *Cloud, api API, path string, query url.Values) ([]json.RawMessage, error) {
	a, err := c.GetRaw(ctx, api, path, query)
	if err != nil || len(a.Body) == 0 { // a 204 is an empty list
		return nil, err
	}
	var raws []json.RawMessage
	if err := json.Unmarshal(a.Body, &raws); err != nil {
		return nil, &Error{API: api.Name, Method: http.MethodGet, Path: path, Err: err, kind: exporters.KindDecode}
	}
	if raws == nil {
		return nil, &Error{API: api.Name, Method: http.MethodGet, Path: path, Err: errors.New("null is not a list"), kind: exporters.KindDecode}
	}
	return raws, nil
}
