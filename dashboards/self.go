package dashboards

import "github.com/grafana/grafana-foundation-sdk/go/dashboard"

// self is mCloud: does it see, keep, answer and page.
func self() *page {
	b := board("mcloud-self", "mCloud itself", "Does it see (exporter), keep (collector and store), answer (queries), page (rules), and plan.")
	b.WithRow(row("Now")).
		WithPanel(state("Targets down", "That the collector cannot scrape.", `count(up == 0) or vector(0)`, "none", alarmAbove(1))).
		WithPanel(state("Sources failing", "What mCloud cannot read: there it is blind.", `count(mcloud_source_success == 0) or vector(0)`, "none", warnAbove(1))).
		WithPanel(state("Sources with gaps", "What mCloud reads only a part of.", `count((mcloud_source_complete == 0) and on (job, instance, source) (mcloud_source_success == 1)) or vector(0)`, "none", warnAbove(1))).
		WithPanel(state("Store", "1 while it takes samples.", `min(mcloud_shipper_store_up)`, "none", thresholds(dashboard.Threshold{Color: "red"}, from(1, "green")))).
		WithPanel(state("Alertmanagers", "That the collector knows.", `min(prometheus_notifications_alertmanagers_discovered)`, "none", thresholds(dashboard.Threshold{Color: "orange"}, from(1, "green")))).
		WithPanel(state("Rules failing", "Evaluations that failed within five minutes.", `sum(increase(prometheus_rule_evaluation_failures_total[5m]))`, "none", alarmAbove(1)))
	b.WithRow(row("Seeing")).
		WithPanel(graph("Age of the last good look", "The fifteen oldest sources.", "s", series(`topk(15, time() - mcloud_source_last_success_timestamp_seconds)`, "{{source}}"))).
		WithPanel(graph("Time of a look", "The fifteen slowest sources.", "s", series(`topk(15, mcloud_source_duration_seconds)`, "{{source}}"))).
		WithPanel(graph("Errors", "Per minute by source and kind.", "short", series(`sum by (source, kind) (rate(mcloud_source_errors_total[$__rate_interval]) * 60) > 0 or vector(0)`, "{{source}} {{kind}}")))
	b.WithRow(row("Keeping")).
		WithPanel(graph("Samples scraped", "Per second into the hot hours.", "ops", series(`sum(rate(prometheus_tsdb_head_samples_appended_total[$__rate_interval]))`, "samples"))).
		WithPanel(graph("Lag of the store", "Age of the oldest sample that the store has not acknowledged.", "s", series(`mcloud_shipper_lag_seconds`, "{{instance}}")).Thresholds(warnAbove(900))).
		WithPanel(graph("Samples shipped", "Per second, acknowledged by the store.", "ops", series(`sum(rate(mcloud_shipper_shipped_samples_total[$__rate_interval]))`, "shipped"))).
		WithPanel(graph("Samples lost", "Given up, in all.", "short", series(`sum by (reason) (mcloud_shipper_lost_samples_total)`, "{{reason}}"))).
		WithPanel(graph("Series", "In the hot hours.", "short", series(`prometheus_tsdb_head_series`, "{{instance}}"))).
		WithPanel(graph("Records waiting", "Disk that events and inventories take in the spool.", "bytes", series(`mcloud_spool_bytes`, "{{instance}}")))
	b.WithRow(row("Answering, paging, planning")).
		WithPanel(graph("Time of queries", "The 95th of a hundred, by kind.", "s", series(`histogram_quantile(0.95, sum by (le, kind) (rate(mcloud_query_duration_seconds_bucket[$__rate_interval])))`, "{{kind}}"))).
		WithPanel(graph("Questions to the store", "Per second by result; all but ok gave a partial answer.", "ops", series(`sum by (result) (rate(mcloud_query_long_term_requests_total[$__rate_interval]))`, "{{result}}"))).
		WithPanel(graph("Time of the rules", "The ten slowest groups.", "s", series(`topk(10, prometheus_rule_group_last_duration_seconds)`, "{{rule_group}}"))).
		WithPanel(graph("Logins at our listeners", "Per minute by outcome; empty where nobody has to log in.", "short", series(`sum by (listener, outcome) (rate(mcloud_http_authentications_total[$__rate_interval]) * 60) or vector(0)`, "{{listener}} {{outcome}}"))).
		WithPanel(graph("Time of a plan", "Each forecast, headroom and rebalance of it included.", "s", series(`mcloud_plan_duration_seconds`, "{{cloud}}"))).
		WithPanel(graph("Memory", "Of our processes.", "bytes", series(`process_resident_memory_bytes`, "{{job}} {{instance}}")))
	return b
}
