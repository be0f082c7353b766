package clickhouse

import (
	"errors"
	"testing"

	"mcloud"
)

// TestWriteVersions tells the same past twice, then looks: the life goes on.
func TestWriteVersions(t *testing.T) {
	db := open(t)
	past := []mcloud.Version{
		{Object: object("a", "A", `{"n":2}`), Cloud: "c1", From: at(20)},
		{Object: object("a", "A", `{"n":1}`), Cloud: "c1", From: at(10), To: at(20)},
		{Object: object("b", "B", `{}`), Cloud: "c1", From: at(5), To: at(15)},
	}
	for range 2 {
		if err := db.WriteVersions(t.Context(), "nova", past); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.WriteInventory(t.Context(), look(30, true, object("a", "A", `{"n":3}`))); err != nil {
		t.Fatal(err)
	}
	got, err := db.Versions(t.Context(), "c1", mcloud.KindServer, at(0), at(60))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 4 || string(got[0].Attributes) != `{"n":1}` || !got[0].To.Equal(at(20)) || !got[1].From.Equal(at(20)) || !got[1].To.Equal(at(30)) ||
		!got[2].To.IsZero() || got[3].ID != "b" || !got[3].To.Equal(at(15)) {
		t.Errorf("versions %+v", got)
	}
	now, err := db.Objects(t.Context(), "c1", mcloud.KindServer, at(12))
	if err != nil || len(now) != 2 {
		t.Errorf("at minute 12 there are %d objects, %v", len(now), err)
	}
	past[1].To = past[1].From
	if err := db.WriteVersions(t.Context(), "nova", past); !errors.Is(err, mcloud.ErrInvalid) {
		t.Errorf("a version that ends when it begins: %v", err)
	}
}
