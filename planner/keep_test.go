package planner_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mcloud"
	"mcloud/planner"
	"mcloud/planner/plannertest"
	"mcloud/planner/report"
)

// shelf keeps events, or fails.
type shelf struct {
	planner.Inventory
	mu     sync.Mutex
	events map[string]mcloud.Event
	posts  int
	fail   error
}

func newShelf() *shelf {
	return &shelf{Inventory: &plannertest.Inventory{}, events: map[string]mcloud.Event{}}
}

func (s *shelf) Post(_ context.Context, b mcloud.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.posts++
	if s.fail != nil {
		return s.fail
	}
	for _, e := range b.Events {
		if _, ok := s.events[e.ID]; !ok {
			s.events[e.ID] = e
		}
	}
	return b.Validate()
}

func (s *shelf) Events(_ context.Context, f planner.EventFilter) (found []mcloud.Event, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if slices.Contains(f.Kinds, e.Kind) && slices.Contains(f.Sources, e.Source) && !e.Time.Before(f.From) && e.Time.Before(f.To) {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b mcloud.Event) int { return a.Time.Compare(b.Time) })
	return found, s.fail
}

func (s *shelf) count() (events, posts int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.events), s.posts
}

// told runs a planner at an instant until its report is kept.
func told(t *testing.T, s *shelf, at time.Time) {
	t.Helper()
	o := plannertest.Options()
	o.Ledger, o.Recorder, o.Now = s, s, func() time.Time { return at }
	before, _ := s.count()
	start(t, o)
	for range 12000 {
		if now, _ := s.count(); now > before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the report of %s is not kept", at)
}

// TestScoreOfKeptReports: what reports of the past told is judged by what the test
// cloud did since.
func TestScoreOfKeptReports(t *testing.T) {
	s := newShelf()
	for _, days := range []int{95, 40, 8} {
		told(t, s, plannertest.At.AddDate(0, 0, -days))
	}
	o := plannertest.Options()
	o.Ledger, o.Recorder = s, s
	score := latest(t, start(t, o)).Score
	if score.Why != "" || score.Reports != 3 || len(score.Rows) != (4+6)*3 {
		t.Fatalf("%d reports, %d rows, why %q", score.Reports, len(score.Rows), score.Why)
	}
	want := map[int]int{7: 3, 30: 2, 90: 1} // forecasts by lead
	held, all := 0.0, 0.0
	for _, r := range score.Rows {
		if r.Forecasts != want[r.LeadDays] || r.Scores == nil {
			t.Errorf("%s after %d days: %d forecasts, %+v, why %q", report.SubjectName(r.Subject), r.LeadDays, r.Forecasts, r.Scores, r.Why)
			continue
		}
		held += r.Scores.Coverage * float64(r.Forecasts)
		all += float64(r.Forecasts)
		if r.Name == "geo-nvme" && r.LeadDays == 30 {
			// It grows by 0.07 TiB a day: no change is 2.1 TiB off.
			if last := r.Scores.ErrorLast / (1 << 40); last < 1.7 || last > 2.5 || *r.Scores.RelativeLast > 0.6 {
				t.Errorf("geo-nvme: no change is %g TiB off, ours %g of it", last, *r.Scores.RelativeLast)
			}
		}
	}
	if share := held / all; share < 0.5 || share > 1 {
		t.Errorf("P10 to P90 held %g of what came", share)
	}
	if len(score.Totals) != 3 || score.Totals[0].Error >= score.Totals[0].ErrorLast {
		t.Errorf("totals %+v", score.Totals)
	}
	if len(score.Moved) != 10 || len(score.Moved[0].Dates) == 0 {
		t.Errorf("%d subjects with dates", len(score.Moved))
	}
	var b bytes.Buffer
	if err := report.WriteScoreTable(&b, score); err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"3 reports kept", "tier geo-nvme", "vCPU in az-a", "90 d", "Dates that moved"} {
		if !strings.Contains(b.String(), word) {
			t.Errorf("the table lacks %q:\n%s", word, &b)
		}
	}
}

// TestNothingToScoreIsSaid: plainly, with the day from which on there is.
func TestNothingToScoreIsSaid(t *testing.T) {
	if d := latest(t, shared(t)); !strings.Contains(d.Score.Why, "reports are not kept") {
		t.Errorf("without a store: %q", d.Score.Why)
	}
	s := newShelf()
	o := plannertest.Options()
	o.Ledger, o.Recorder = s, s
	if d := latest(t, start(t, o)); !strings.HasPrefix(d.Score.Why, "Nothing to score yet: no report is kept.") {
		t.Errorf("at first: %q", d.Score.Why)
	}
	s = newShelf()
	told(t, s, plannertest.At.AddDate(0, 0, -2))
	o.Ledger, o.Recorder = s, s
	d := latest(t, start(t, o))
	if d.Score.Why != "Nothing to score yet: the oldest kept report is of 2026-11-20, its first 7 days are over on 2026-11-28." {
		t.Errorf("after two days: %q", d.Score.Why)
	}
	var b bytes.Buffer
	if err := report.WriteScoreTable(&b, d.Score); err != nil || !strings.Contains(b.String(), "Nothing to score yet") || !strings.Contains(b.String(), "nothing to score before 2026-11-28") {
		t.Errorf("error %v, table\n%s", err, &b)
	}
	b.Reset()
	if err := report.WriteScoreCSV(&b, d.Score); err != nil || !strings.Contains(b.String(), "tier,nvme,,bytes,7,0,,,,,,,,,nothing to score before 2026-11-28") {
		t.Errorf("error %v, rows\n%s", err, &b)
	}
}

// TestOneReportADayIsKept: however many plans are made; one that could not be stored
// is tried again.
func TestOneReportADayIsKept(t *testing.T) {
	s := newShelf()
	s.fail = errors.New("the collector is away")
	o := plannertest.Options()
	o.Ledger, o.Recorder, o.Period = s, s, 20*time.Millisecond
	p := start(t, o)
	wait := func(what string, done func() bool) {
		t.Helper()
		for range 12000 {
			if done() {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatal(what)
	}
	wait("it is not tried twice", func() bool { _, posts := s.count(); return posts >= 2 })
	if score := latest(t, p).Score; !strings.Contains(score.Why, "the collector is away") {
		t.Errorf("why %q", score.Why)
	}
	s.mu.Lock()
	s.fail = nil
	s.mu.Unlock()
	wait("it is not kept", func() bool { events, _ := s.count(); return events == 1 })
	_, posts := s.count()
	runs := p.Status().Runs
	wait("no further plan", func() bool { return p.Status().Runs > runs+2 })
	if events, again := s.count(); events != 1 || again > posts+1 {
		t.Errorf("%d events, %d posts after %d", events, again, posts)
	}
}
