package masakari

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"time"

	"mcloud/exporters"
	"mcloud/exporters/openstack"
)

const (
	// recent is how far back recoveries are told of in detail.
	recent = 24 * time.Hour
	// listAllEach is when notifications are listed whole again: purged ones are
	// gone, and a monitor whose clock is wrong may have told an odd time.
	listAllEach = time.Hour
	// overlap is how far before the look before last a partial list begins.
	overlap = 15 * time.Minute
)

// notification is one entry of /notifications. Generated is by the clock of the
// monitor that sent it, Created and Updated by Masakari's.
type notification struct {
	ID        string         `json:"notification_uuid"`
	Type      string         `json:"type"`
	Status    string         `json:"status"`
	Generated openstack.Time `json:"generated_time"`
	Created   openstack.Time `json:"created_at"`
	Updated   openstack.Time `json:"updated_at"`
}

// unfinished says that Masakari has still to do with it: error is tried again,
// failed is not.
func (n notification) unfinished() bool {
	return n.Status == "new" || n.Status == "running" || n.Status == "error"
}

// took is from the notification's arrival to its end; false when it has not
// ended.
func (n notification) took() (time.Duration, bool) {
	if n.unfinished() || n.Updated.IsZero() || n.Created.IsZero() {
		return 0, false
	}
	return max(n.Updated.Sub(n.Created.Time), 0), true
}

// recovery is what was done about one notification.
type recovery struct {
	tasks []task
	moves []move
	final bool // the notification had ended, and what was done is here
}

type task struct {
	Name     string          `json:"name"`
	Progress openstack.Float `json:"progress"` // 0 to 1
	State    string          `json:"state"`    // taskflow's: PENDING, RUNNING, SUCCESS, FAILURE, REVERTED, …
}

// move is a server that left a failed host.
type move struct {
	Type   string `json:"type"`   // "evacuation", "migration", "live_migration"
	Status string `json:"status"` // "pending", "ongoing", "ignored", "failed", "succeeded"
}

// recoveryLook remembers what earlier looks listed. collect must not be called
// concurrently.
type recoveryLook struct {
	cloud   *openstack.Cloud
	now     func() time.Time
	known   map[string]notification
	listed  time.Time // when all were listed
	looked  time.Time // by the service's clock
	details openstack.Rotation[recovery]
}

func newRecoveryLook(cloud *openstack.Cloud, period time.Duration, now func() time.Time) *recoveryLook {
	return &recoveryLook{cloud: cloud, now: now, details: openstack.Rotation[recovery]{Kind: "recovery of notification", Period: period, Life: recent, Final: func(r recovery) bool { return r.final }}}
}

func (l *recoveryLook) collect(ctx context.Context) (*exporters.Snapshot, error) {
	s := &exporters.Snapshot{}
	version, err := l.list(ctx, s)
	if err != nil {
		if s.Seen == 0 {
			return nil, err
		}
		return s, err // a part of them is not counted
	}
	var ids []string
	now := l.looked
	for id, n := range l.known {
		if now.Sub(n.Created.Time) < recent {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	l.count(s)
	l.addEnded(ctx, s, ids)
	if !version.AtLeast(1, 1) {
		return s, nil
	}
	failed, err := l.details.Refresh(ctx, ids, l.now(), func(ctx context.Context, id string) (recovery, error) {
		return l.read(ctx, id, version)
	})
	s.Failed = append(s.Failed, failed...)
	if err == nil && len(failed) == 0 {
		l.addDetails(ctx, s)
	}
	return s, err
}

// list brings l.known up to date.
func (l *recoveryLook) list(ctx context.Context, s *exporters.Snapshot) (openstack.Microversion, error) {
	query := page()
	all := l.listed.IsZero() || l.now().Sub(l.listed) >= listAllEach
	if !all {
		since := l.looked.Add(-overlap)
		for _, n := range l.known {
			if n.unfinished() && n.Generated.Before(since) {
				since = n.Generated.Time
			}
		}
		query.Set("generated-since", since.UTC().Format("2006-01-02T15:04:05"))
	}
	list, err := openstack.List[notification](ctx, l.cloud, api, "/notifications", "notifications", query)
	list.NoteIn(s)
	if err == nil && len(list.Failed) > 0 {
		err = exporters.WithKind(errors.New("masakari: GET /notifications: not all of them could be read, so none is counted"), exporters.KindDecode)
	}
	if err != nil {
		return list.Microversion, err
	}
	before := l.known
	if all {
		l.known, l.listed = map[string]notification{}, l.now()
	}
	for _, n := range list.Objects {
		if before[n.ID].Status != n.Status || n.unfinished() {
			l.details.Touch(n.ID)
		}
		l.known[n.ID] = n
	}
	l.looked = list.Time
	return list.Microversion, nil
}

// read asks for a recovery's tasks and moves.
func (l *recoveryLook) read(ctx context.Context, id string, version openstack.Microversion) (recovery, error) {
	var r recovery
	at := "/notifications/" + url.PathEscape(id)
	a, err := l.cloud.Get(ctx, api, at, nil)
	if err != nil {
		return r, err
	}
	var body struct {
		Details []task `json:"recovery_workflow_details"`
	}
	if err := a.Decode("notification", &body); err != nil {
		return r, err
	}
	r.tasks = body.Details
	// What an ended recovery did stays as it is, and is not asked for again; if
	// there seems to be nothing of it, it is.
	r.final = !l.known[id].unfinished() && len(r.tasks) > 0
	if version.AtLeast(1, 3) && l.known[id].Type == "COMPUTE_HOST" {
		list, err := openstack.List[move](ctx, l.cloud, api, at+"/vmoves", "vmoves", page())
		if err != nil {
			return r, err
		}
		if len(list.Failed) > 0 {
			return r, list.Failed[0]
		}
		r.moves = list.Objects
		r.final = !l.known[id].unfinished() && len(r.moves) > 0
	}
	return r, nil
}

func (l *recoveryLook) count(s *exporters.Snapshot) {
	var counts exporters.Tally
	oldest := map[string]time.Time{}
	for _, n := range l.known {
		counts.Add(1, n.Type, n.Status)
		if at := oldest[n.Type]; n.unfinished() && (at.IsZero() || n.Generated.Before(at)) {
			oldest[n.Type] = n.Generated.Time
		}
	}
	counts.AddTo(s, notifications)
	for kind, at := range oldest {
		s.Add(oldestUnfinished, float64(at.Unix()), kind)
	}
}

// addEnded tells how long the recoveries of the last day took.
func (l *recoveryLook) addEnded(ctx context.Context, s *exporters.Snapshot, ids []string) {
	type sum struct {
		n, total, longest float64
	}
	sums := map[string]sum{}
	var ended exporters.Tally
	each := exporters.Wants(ctx, exporters.SetObjects)
	for _, id := range ids {
		n := l.known[id]
		took, done := n.took()
		if !done {
			continue
		}
		ended.Add(1, n.Type, n.Status)
		if each {
			s.Add(recoverySeconds, took.Seconds(), id, n.Type, n.Status)
		}
		v := sums[n.Type]
		v.n, v.total, v.longest = v.n+1, v.total+took.Seconds(), max(v.longest, took.Seconds())
		sums[n.Type] = v
	}
	ended.AddTo(s, recoveriesEnded)
	for _, kind := range slices.Sorted(maps.Keys(sums)) {
		v := sums[kind]
		s.Add(recoveryLongest, v.longest, kind)
		s.Add(recoveryMean, v.total/v.n, kind)
	}
}

func (l *recoveryLook) addDetails(ctx context.Context, s *exporters.Snapshot) {
	var tasks, moved exporters.Tally
	each := exporters.Wants(ctx, exporters.SetObjects)
	for id, r := range l.details.Values() {
		// A task runs again when a recovery is tried again: the last one counts.
		last := map[string]task{}
		for _, t := range r.tasks {
			tasks.Add(1, l.known[id].Type, t.Name, t.State)
			last[t.Name] = t
		}
		for _, name := range slices.Sorted(maps.Keys(last)) {
			if t := last[name]; each && t.Progress.Known {
				s.Add(taskProgress, t.Progress.Value, id, t.Name)
			}
		}
		for _, m := range r.moves {
			moved.Add(1, m.Type, m.Status)
		}
	}
	tasks.AddTo(s, recoveryTasks)
	moved.AddTo(s, moves)
}
