package openstack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	json "github.com/go-json-experiment/json/v1"

	"mcloud/exporters"
)

// Verdict is what came of trying a Call.
type Verdict string

// The verdicts, the best first.
const (
	Allowed   Verdict = "allowed"
	Narrow    Verdict = "own project only" // answered, but without what belongs to others
	Untried   Verdict = "untried"          // there is no object to try it with
	Absent    Verdict = "absent"           // the cloud has no such service, or it no such extension
	Forbidden Verdict = "forbidden"
	Failed    Verdict = "failed" // no answer, or one that says nothing about rights
)

// Finding is a Call with its Verdict.
type Finding struct {
	API     string  `json:"api"`
	Call    string  `json:"call"` // "GET /os-services"
	Verdict Verdict `json:"verdict"`
	// Dispensable says that the exporter does without it where it is forbidden.
	Dispensable bool `json:"dispensable,omitempty"`
	// Rule and Role are what would allow it: the service's policy rule, and the
	// role that it asks for by default.
	Rule string `json:"policy_rule,omitempty"`
	Role string `json:"default_role,omitempty"`
	// Gives is what is missing without it.
	Gives string `json:"gives,omitempty"`
	// Detail is what the service said when it did not answer well.
	Detail string `json:"detail,omitempty"`
}

// Check tries each Call once, with the account of c, and says which are allowed.
// It changes nothing. The order is that of calls; progress, if not nil, is told
// each Finding as it comes.
func Check(ctx context.Context, c *Cloud, calls []Call, progress func(Finding)) []Finding {
	t := tryer{cloud: c, lists: map[string]firstOf{}}
	findings := make([]Finding, 0, len(calls))
	for _, call := range calls {
		f := t.try(ctx, call)
		if progress != nil {
			progress(f)
		}
		findings = append(findings, f)
	}
	return findings
}

// tryer remembers what several Calls need: a project, the first object of a list.
type tryer struct {
	cloud    *Cloud
	own      string // the project of the account's token
	other    string // a project that is not the account's own, if there is one
	projects int
	looked   bool
	lists    map[string]firstOf
}

type firstOf struct {
	id  string
	err error
}

func (t *tryer) try(ctx context.Context, call Call) Finding {
	f := Finding{API: call.API.Name, Call: "GET " + call.Path, Rule: call.Rule, Role: call.Role, Gives: call.Gives, Dispensable: call.Dispensable}
	path, err := t.fill(ctx, call)
	if errors.Is(err, errNothing) {
		f.Verdict, f.Detail = Untried, err.Error()
		return f
	}
	var a *Answer
	if err == nil {
		query := url.Values{}
		for name, value := range call.Query {
			query.Set(name, value)
		}
		a, err = t.cloud.Get(ctx, call.API, path, query)
	}
	f.Verdict = t.judge(a, call, err)
	if err != nil {
		f.Detail = err.Error()
	}
	if f.Verdict == Narrow {
		f.Detail = "every object of the answer belongs to the account's own project"
	}
	return f
}

func (t *tryer) judge(a *Answer, call Call, err error) Verdict {
	switch kind := exporters.KindOf(err); {
	case errors.Is(err, exporters.ErrAbsent):
		return Absent
	case err == nil:
		if call.Owner != "" && t.narrow(a, call) {
			return Narrow
		}
		return Allowed
	case kind == exporters.KindForbidden, kind == exporters.KindUnauthorized && !connects(err):
		return Forbidden
	case kind == exporters.KindNotFound && call.Optional:
		return Absent
	}
	return Failed
}

// connects says that it was the login that failed, not the call.
func connects(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Connecting()
}

// narrow says whether a list that has objects of several projects by its nature
// shows only those of the account's own.
func (t *tryer) narrow(a *Answer, call Call) bool {
	if t.own == "" || t.projects < 2 {
		return false
	}
	var objects []map[string]json.RawMessage
	for member, raw := range a.Members {
		var list []map[string]json.RawMessage
		if !strings.HasSuffix(member, "links") && json.Unmarshal(raw, &list) == nil {
			objects = append(objects, list...)
		}
	}
	return len(objects) > 0 && !slices.ContainsFunc(objects, func(o map[string]json.RawMessage) bool {
		var owner string
		return json.Unmarshal(o[call.Owner], &owner) == nil && owner != "" && owner != t.own
	})
}

// errNothing says that there is no object to try a Call with.
var errNothing = errors.New("there is nothing to try it with")

// fill puts the ids of real things into the Call's path.
func (t *tryer) fill(ctx context.Context, call Call) (string, error) {
	t.look(ctx)
	path := call.Path
	if strings.Contains(path, "{project}") {
		if t.own == "" {
			return "", fmt.Errorf("%w: no project is known", errNothing)
		}
		path = strings.ReplaceAll(path, "{project}", url.PathEscape(cmp.Or(t.other, t.own)))
	}
	if strings.Contains(path, "{id}") {
		first := t.first(ctx, call)
		if first.err != nil {
			return "", first.err
		}
		path = strings.ReplaceAll(path, "{id}", url.PathEscape(first.id))
	}
	return path, nil
}

// look finds projects, once: that of the token, or the first one that Keystone
// shows to an account that is scoped to the system; and another, as what is allowed
// of the own project may be forbidden of those of others.
func (t *tryer) look(ctx context.Context) {
	if t.looked {
		return
	}
	t.looked = true
	if token, err := t.cloud.tokens.get(ctx); err == nil {
		t.own = token.project
	}
	if list, err := t.cloud.Projects(ctx, time.Minute); err == nil && len(list.Objects) > 0 {
		t.own, t.projects = cmp.Or(t.own, string(list.Objects[0].ID)), len(list.Objects)
		for _, p := range list.Objects {
			if string(p.ID) != t.own {
				t.other = string(p.ID)
				break
			}
		}
	}
}

// first is the id of the first object of the list that a Call's {id} is from.
func (t *tryer) first(ctx context.Context, call Call) firstOf {
	key := call.API.Name + " " + call.Of
	if first, ok := t.lists[key]; ok {
		return first
	}
	path, encoded, _ := strings.Cut(call.Of, "?")
	query, err := url.ParseQuery(encoded)
	var first firstOf
	var a *Answer
	if err == nil {
		a, err = t.cloud.Get(ctx, call.API, path, query)
	}
	var raws []json.RawMessage
	if err == nil {
		err = a.Decode(call.OfMember, &raws)
	}
	switch {
	case err != nil:
		first.err = fmt.Errorf("to find one: %w", err)
	case len(raws) == 0:
		first.err = fmt.Errorf("%w: the cloud has no %s", errNothing, call.OfMember)
	default:
		if first.id = objectID(raws[0], "uuid", "notification_uuid", "id", "name"); first.id == "" {
			first.err = fmt.Errorf("%w: the first of %s has no id", errNothing, call.OfMember)
		}
	}
	t.lists[key] = first
	return first
}
