package exporters

// What a Runner says about its Sources. Each series also carries the Source's
// Const labels.
var (
	selfSuccess = &Family{
		Name: "mcloud_source_success", Type: Gauge, Set: SetBase, Labels: []string{"source", "system"}, Call: "runner",
		Help: "Whether the last look at the source gave anything: 1 yes (see mcloud_source_complete), 0 no.",
	}
	selfComplete = &Family{
		Name: "mcloud_source_complete", Type: Gauge, Set: SetBase, Labels: []string{"source", "system"}, Call: "runner",
		Help: "Whether the last look at the source saw everything: 1 all of it, 0 a part or nothing.",
	}
	selfAbsent = &Family{
		Name: "mcloud_source_absent", Type: Gauge, Set: SetBase, Labels: []string{"source", "system"}, Call: "runner",
		Help: "Whether the cloud does not have the system of this source at all: 1 absent, 0 present; an absent one has no mcloud_source_success.",
	}
	selfLastSuccess = &Family{
		Name: "mcloud_source_last_success_timestamp_seconds", Unit: "seconds", Type: Gauge, Set: SetBase, Labels: []string{"source", "system"}, Call: "runner",
		Help: "End of the last look at the source that gave anything, in seconds since 1970.",
	}
	selfDuration = &Family{
		Name: "mcloud_source_duration_seconds", Unit: "seconds", Type: Gauge, Set: SetBase, Labels: []string{"source", "system"}, Call: "runner",
		Help: "How long the last look at the source took.",
	}
	selfPeriod = &Family{
		Name: "mcloud_source_period_seconds", Unit: "seconds", Type: Gauge, Set: SetBase, Labels: []string{"source", "system"}, Call: "runner",
		Help: "Time between the starts of two looks at the source.",
	}
	selfObjects = &Family{
		Name: "mcloud_source_objects", Type: Gauge, Set: SetBase, Labels: []string{"source", "state"}, Call: "runner",
		Help: "Objects of the last look at the source by state: seen, skipped on purpose, failed.",
	}
	selfCalls = &Family{
		Name: "mcloud_source_calls_total", Type: Counter, Set: SetBase, Labels: []string{"source", "api", "code"}, Call: "runner",
		Help: "Calls to APIs made for the source, by API and answer: a status code, or the kind of error when none came.",
	}
	selfCallSeconds = &Family{
		Name: "mcloud_source_calls_seconds_total", Unit: "seconds", Type: Counter, Set: SetBase, Labels: []string{"source", "api", "code"}, Call: "runner",
		Help: "Time spent waiting for the calls of mcloud_source_calls_total.",
	}
	selfErrors = &Family{
		Name: "mcloud_source_errors_total", Type: Counter, Set: SetBase, Labels: []string{"source", "kind"}, Call: "runner",
		Help: "Errors of the source by kind: timeout, refused, unauthorized, forbidden, not_found, throttled, server_error, decode, other, panic, sample.",
	}
	selfUnrecorded = &Family{
		Name: "mcloud_source_unrecorded_total", Type: Counter, Set: SetBase, Labels: []string{"source", "record"}, Call: "runner",
		Help: "Inventories and events of the source that were lost because the recorder did not take them in time. Events and incomplete inventories are offered again first, complete ones are replaced by the next look.",
	}
)

// SelfFamilies are the families that a Runner adds to those of its Sources.
func SelfFamilies() []*Family {
	return []*Family{
		selfSuccess, selfComplete, selfAbsent, selfLastSuccess, selfDuration, selfPeriod,
		selfObjects, selfCalls, selfCallSeconds, selfErrors, selfUnrecorded,
	}
}
