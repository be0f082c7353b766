package chargeback

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"mcloud"
)

var day = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func clock(s string) time.Time {
	var h, m, sec int
	if _, err := fmt.Sscanf(s, "%d:%d:%d", &h, &m, &sec); err != nil {
		panic(s)
	}
	return day.Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(sec)*time.Second)
}

func server(from, to, flavor, status string) mcloud.Version {
	v := mcloud.Version{Object: mcloud.NewObject(mcloud.KindServer, "s1", "web", "", "acme",
		mcloud.Server{Name: "web", Flavor: flavor, Status: status, Created: clock("10:00:01"), Launched: launched(status)}), From: clock(from)}
	if to != "" {
		v.To = clock(to)
	}
	return v
}

func launched(status string) time.Time {
	if status == "ERROR" || status == "BUILD" {
		return time.Time{}
	}
	return clock("10:00:09")
}

func acted(request, name, at string, failed bool) mcloud.Version {
	return mcloud.Version{Object: mcloud.NewObject(mcloud.KindServerAction, "s1/"+request, name, "s1", "acme",
		mcloud.ServerAction{Action: name, Start: clock(at), Failed: failed}), From: clock(at)}
}

func notified(id, kind, request, at, flavor string) mcloud.Event {
	data, _ := json.Marshal(map[string]any{"display_name": "web", "created_at": clock("10:00:01"), "launched_at": clock("10:00:09"),
		"flavor": map[string]any{"name": flavor}})
	payload, _ := json.Marshal(map[string]any{"request_id": request, "data": json.RawMessage(data)})
	return mcloud.Event{ID: id, Source: "nova", Kind: kind, Resource: "s1", Project: "acme", Time: clock(at), Severity: mcloud.SeverityInfo, Payload: payload}
}

func volume(from, to, volumeType string, size int64, status string) mcloud.Version {
	v := mcloud.Version{Object: mcloud.NewObject(mcloud.KindVolume, "v1", "data", "", "acme",
		mcloud.Volume{Name: "data", Type: volumeType, SizeGiB: size, Status: status, Created: clock("09:00:00")}), From: clock(from)}
	if to != "" {
		v.To = clock(to)
	}
	return v
}

func volumeNotified(id, kind, at string, size int64) mcloud.Event {
	data, _ := json.Marshal(map[string]any{"size": size, "volume_type": "t-1", "created_at": clock("09:00:00"), "launched_at": clock("09:00:02")})
	payload, _ := json.Marshal(map[string]any{"data": json.RawMessage(data)})
	return mcloud.Event{ID: id, Source: "cinder", Kind: kind, Resource: "v1", Project: "acme", Time: clock(at), Severity: mcloud.SeverityInfo, Payload: payload}
}

// TestFold gives each life as it is told and the bill's stretches as text:
// from to sku×quantity, "~" marks an estimate.
func TestFold(t *testing.T) {
	in := func(records ...any) Input {
		input := Input{From: clock("08:00:00"), To: clock("20:00:00"), VolumeTypes: map[string]string{"t-1": "nvme"}}
		for _, r := range records {
			switch r := r.(type) {
			case mcloud.Event:
				input.Events = append(input.Events, r)
			case mcloud.Version:
				switch r.Kind {
				case mcloud.KindServer:
					input.Servers = append(input.Servers, r)
				case mcloud.KindServerAction:
					input.Actions = append(input.Actions, r)
				case mcloud.KindVolume:
					input.Volumes = append(input.Volumes, r)
				}
			}
		}
		return input
	}
	for _, c := range []struct {
		name  string
		input Input
		want  string
	}{
		{"runs on", in(server("10:01:00", "", "small", "ACTIVE"), acted("r1", "create", "10:00:00", false)),
			"10:00:00-20:00:00 small×1"},
		{"created and deleted, the action log dates both", in(server("10:01:00", "12:01:30", "small", "ACTIVE"), acted("r1", "create", "10:00:00", false), acted("r2", "delete", "12:00:00", false)),
			"10:00:00-12:00:00 small×1"},
		{"a resize bills the new flavor from its start, the look meanwhile shows the old", in(
			server("10:01:00", "11:02:00", "small", "ACTIVE"), server("11:02:00", "", "large", "VERIFY_RESIZE"),
			acted("r1", "create", "10:00:00", false), acted("r2", "resize", "11:00:00", false), acted("r3", "confirmResize", "11:30:00", false)),
			"10:00:00-11:00:00 small×1, 11:00:00-20:00:00 large×1"},
		{"a resize and its revert, told by notifications between two looks", in(
			server("10:01:00", "", "small", "ACTIVE"), notified("e1", "instance.create.end", "r1", "10:00:09", "small"),
			notified("e2", "instance.resize_prep.end", "r2", "11:00:04", "small"), notified("e3", "instance.resize_finish.end", "r2", "11:00:20", "large"),
			notified("e4", "instance.resize_revert.end", "r3", "11:10:08", "small"),
			acted("r1", "create", "10:00:00", false), acted("r2", "resize", "11:00:00", false), acted("r3", "revertResize", "11:10:00", false)),
			"10:00:00-11:00:00 small×1, 11:00:00-11:10:00 large×1, 11:10:00-20:00:00 small×1"},
		{"a failed resize changes nothing", in(server("10:01:00", "", "small", "ACTIVE"), acted("r1", "create", "10:00:00", false), acted("r2", "resize", "11:00:00", true)),
			"10:00:00-20:00:00 small×1"},
		{"a failed delete deletes nothing", in(server("10:01:00", "", "small", "ACTIVE"), acted("r1", "create", "10:00:00", false), acted("r2", "delete", "11:00:00", true)),
			"10:00:00-20:00:00 small×1"},
		{"a failed build costs nothing", in(server("10:01:00", "", "small", "ERROR"), acted("r1", "create", "10:00:00", true)), ""},
		{"shelved at once and back", in(server("10:01:00", "", "small", "ACTIVE"), acted("r1", "create", "10:00:00", false), acted("r2", "shelve", "11:00:00", false),
			notified("e1", "instance.shelve_offload.end", "r2", "11:00:30", "small"), acted("r3", "unshelve", "13:00:00", false)),
			"10:00:00-11:00:00 small×1, 13:00:00-20:00:00 small×1"},
		{"shelved, offloaded later, deleted while away", in(server("10:01:00", "", "small", "ACTIVE"), acted("r1", "create", "10:00:00", false), acted("r2", "shelve", "11:00:00", false),
			acted("r3", "shelveOffload", "12:00:00", false), acted("r4", "delete", "13:00:00", false)),
			"10:00:00-12:00:00 small×1"},
		{"stopped servers are billed", in(server("10:01:00", "", "small", "SHUTOFF"), acted("r1", "create", "10:00:00", false), acted("r2", "stop", "11:00:00", false)),
			"10:00:00-20:00:00 small×1"},
		{"without an action log, notifications date it", in(notified("e1", "instance.create.end", "r1", "10:00:09", "small"), notified("e3", "instance.resize_finish.end", "r2", "11:00:20", "large"),
			notified("e5", "instance.delete.end", "r9", "12:00:05", "large")),
			"10:00:01-11:00:20 small×1, 11:00:20-12:00:05 large×1"},
		{"only looks: estimated", in(server("10:01:00", "11:02:00", "small", "ACTIVE"), server("11:02:00", "12:02:00", "large", "ACTIVE")),
			"10:00:01-11:02:00 small×1~, 11:02:00-12:02:00 large×1~"},
		{"a volume grows and goes", in(volume("09:01:00", "", "nvme", 10, "available"), volumeNotified("n1", "volume.create.end", "09:00:02", 10),
			volumeNotified("n2", "volume.resize.end", "10:00:00", 20), volumeNotified("n3", "volume.delete.end", "11:00:00", 20)),
			"09:00:00-10:00:00 nvme×10, 10:00:00-11:00:00 nvme×20"},
		{"a volume retyped between looks", in(volume("09:01:00", "10:01:00", "nvme", 10, "available"), volume("10:01:00", "", "sas7k", 10, "available")),
			"09:00:00-10:01:00 nvme×10~, 10:01:00-20:00:00 sas7k×10~"},
		{"a volume that was never made", in(volume("09:01:00", "", "nvme", 10, "error")), ""},
	} {
		var got []string
		usages, unread := Fold(c.input)
		if len(unread) > 0 {
			t.Errorf("%s: unread %v", c.name, unread)
		}
		for _, u := range usages {
			s := fmt.Sprintf("%s-%s %s×%d", u.From.Format("15:04:05"), u.To.Format("15:04:05"), u.SKU, u.Quantity)
			if u.Estimated {
				s += "~"
			}
			if len(u.Evidence) == 0 {
				t.Errorf("%s: %s has no evidence", c.name, s)
			}
			got = append(got, s)
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, s, c.want)
		}
	}
}

// TestFoldNamesWhatItCannotRead keeps a damaged record from being a silent zero.
func TestFoldNamesWhatItCannotRead(t *testing.T) {
	broken, whole := server("10:01:00", "", "small", "ACTIVE"), volume("09:01:00", "", "nvme", 10, "available")
	broken.Attributes = []byte(`{"name": 7}`)
	usages, unread := Fold(Input{From: clock("08:00:00"), To: clock("20:00:00"), Servers: []mcloud.Version{broken}, Volumes: []mcloud.Version{whole}})
	if len(unread) != 1 || !strings.Contains(unread[0], "server s1 as of 2026-11-01T10:01:00Z") {
		t.Errorf("unread %v", unread)
	}
	if len(usages) != 1 || usages[0].Resource != "v1" {
		t.Errorf("the rest does not stand: %+v", usages)
	}
}
