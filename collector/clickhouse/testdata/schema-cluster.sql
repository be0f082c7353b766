-- What store.cluster: mcloud makes of the migrations; go test -update writes it.
CREATE TABLE IF NOT EXISTS `mcloud`.migrations ON CLUSTER 'mcloud'
(
    version UInt32,
    name String,
    checksum String,
    applied DateTime64(3, 'UTC')
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/mcloud/{database}/{table}', '{shard}-{replica}', applied)
ORDER BY version
SETTINGS replicated_deduplication_window = 0;

-- Samples: one row per sample, 1.1 bytes each once merged.
--
-- A value is kept as the integer v of its decimal v / 10^e, which compresses
-- three times better than the float; e = 127 says that v holds the float's bits
-- (NaN, stale markers, infinities, what has no short decimal). Nothing is lost.
--
-- The two-hour bucket comes first in the key because dashboards and rules ask
-- for many series over few hours. It is written as a division because the server
-- does not recognise toStartOfInterval in a condition (EXPLAIN of 26.5). Partitions are
-- weeks from 1970 on, not from Monday on: the first Monday lies before what a Date
-- can hold, and a condition that begins in 1970 found nothing. Half a year is 26 parts
-- to open, and what has expired is dropped whole. (The TTLs of this file are what
-- the tables begin with; Options.Retention changes them.)
CREATE TABLE IF NOT EXISTS `mcloud`.samples_local ON CLUSTER 'mcloud'
(
    id UInt64 CODEC(Delta, ZSTD(1)),
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    v Int64 CODEC(Delta, T64('bit'), ZSTD(1)),
    e Int8 CODEC(ZSTD(1)),
    value Float64 ALIAS if(e = 127, reinterpretAsFloat64(v), v / intExp10(e))
)
ENGINE = ReplicatedMergeTree('/clickhouse/mcloud/{database}/{table}/{shard}', '{replica}')
PARTITION BY intDiv(toUnixTimestamp(ts), 604800)
ORDER BY (intDiv(toUnixTimestamp(ts), 7200), id, ts)
TTL toDateTime(ts) + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800;

CREATE TABLE IF NOT EXISTS `mcloud`.samples ON CLUSTER 'mcloud' AS `mcloud`.samples_local
ENGINE = Distributed('mcloud', 'mcloud', samples_local, intHash64(id));


-- Series: what an id in samples means, a row per month in which it was seen,
-- with the days of its first and last sample in that month. Old instances fall
-- out with their month. metric is the label __name__, the others are in labels.
CREATE TABLE IF NOT EXISTS `mcloud`.series ON CLUSTER 'mcloud'
(
    month Date,
    metric LowCardinality(String),
    id UInt64,
    labels Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    first SimpleAggregateFunction(min, Date),
    last SimpleAggregateFunction(max, Date)
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/mcloud/{database}/{table}', '{shard}-{replica}')
PARTITION BY month
ORDER BY (metric, id)
TTL month + INTERVAL 462 DAY
SETTINGS ttl_only_drop_parts = 1, replicated_deduplication_window = 0;


-- The same, asked by label: which series have name = value, which values a name has.
CREATE TABLE IF NOT EXISTS `mcloud`.label_index ON CLUSTER 'mcloud'
(
    month Date,
    name LowCardinality(String),
    value String,
    metric LowCardinality(String),
    id UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/mcloud/{database}/{table}', '{shard}-{replica}')
PARTITION BY month
ORDER BY (name, value, metric, id)
TTL month + INTERVAL 462 DAY
SETTINGS ttl_only_drop_parts = 1, replicated_deduplication_window = 0;

-- Events: what happened. The same event sent again is the same row.
CREATE TABLE IF NOT EXISTS `mcloud`.events ON CLUSTER 'mcloud'
(
    cloud LowCardinality(String),
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    id String,
    source LowCardinality(String),
    kind LowCardinality(String),
    project String,
    resource String,
    severity LowCardinality(String),
    payload String CODEC(ZSTD(3)),
    INDEX resource resource TYPE bloom_filter GRANULARITY 4,
    INDEX project project TYPE bloom_filter GRANULARITY 4
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/mcloud/{database}/{table}', '{shard}-{replica}')
PARTITION BY toYYYYMM(ts)
ORDER BY (cloud, ts, id)
SETTINGS replicated_deduplication_window = 0;


-- Objects: what exists, a row for each change from at on; gone = 1 says that it
-- does no more. written orders rows of one moment, the last one counts.
CREATE TABLE IF NOT EXISTS `mcloud`.objects ON CLUSTER 'mcloud'
(
    cloud LowCardinality(String),
    kind LowCardinality(String),
    scope LowCardinality(String),
    id String,
    at DateTime64(3, 'UTC'),
    gone UInt8,
    name String,
    parent String,
    project String,
    attributes String CODEC(ZSTD(3)),
    written UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/mcloud/{database}/{table}', '{shard}-{replica}', written)
ORDER BY (cloud, kind, scope, id, at)
SETTINGS replicated_deduplication_window = 0;


-- Looks: the last time each part of each cloud was looked at.
CREATE TABLE IF NOT EXISTS `mcloud`.looks ON CLUSTER 'mcloud'
(
    cloud LowCardinality(String),
    scope LowCardinality(String),
    kind LowCardinality(String),
    at DateTime64(3, 'UTC'),
    complete UInt8,
    count UInt64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/mcloud/{database}/{table}', '{shard}-{replica}', at)
ORDER BY (cloud, scope, kind)
SETTINGS replicated_deduplication_window = 0;

-- Rollups: a row per series and five minutes, and per series and hour, for questions
-- over weeks and years. See rollup.go for what is computed when.
--
-- A bucket is named by its end t and holds the samples of (t - width, t], which is how
-- PromQL cuts its ranges: x[1h] at an aligned time is twelve whole rows, to the sample.
--
--   seen      rows of samples in the bucket, stale markers and repeated ones included
--   n         samples: without stale markers, each time once. Where n = 0 the bucket
--             holds stale markers only; the columns below say nothing then
--   stale     1 when the bucket's last row is a stale marker
--   sum       of all samples (NaN when one of them is)
--   min, max  of those that are not NaN, NaN when all are, as min_over_time has it
--   first, last, first_ts, last_ts
--   fell      what a counter lost in resets: the sum of the values that were followed by a
--             smaller one
--   incr      what it grew by from first to last: last - first + fell
--
-- Over several rows a counter grew by the last last - the first first + all fell + every
-- last that is greater than the first of the row after it, as in PromQL's increase before
-- it extrapolates.
--
-- Values are integers of decimals as in samples, with one exponent for the row; e = 127
-- says that they are the bits of floats. The aliases are the numbers.
--
-- The row that has seen more samples is the later one, whoever computed it when, and
-- computing again gives the same row: so FINAL, or the next merge, keeps the right one.
-- What was computed from all samples of a bucket outlives a computation from the few
-- that are left when raw samples expire.
CREATE TABLE IF NOT EXISTS `mcloud`.rollup_5m_local ON CLUSTER 'mcloud'
(
    id UInt64 CODEC(Delta, ZSTD(1)),
    t DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    seen UInt32 CODEC(T64, ZSTD(1)),
    n UInt32 CODEC(T64, ZSTD(1)),
    stale UInt8 CODEC(ZSTD(1)),
    e Int8 CODEC(ZSTD(1)),
    v_sum Int64 CODEC(Delta, T64('bit'), ZSTD(1)),
    v_min Int64 CODEC(Delta, T64('bit'), ZSTD(1)),
    v_max Int64 CODEC(Delta, T64('bit'), ZSTD(1)),
    v_first Int64 CODEC(Delta, T64('bit'), ZSTD(1)),
    v_last Int64 CODEC(Delta, T64('bit'), ZSTD(1)),
    v_fell Int64 CODEC(Delta, T64('bit'), ZSTD(1)),
    first_ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    last_ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    sum Float64 ALIAS if(e = 127, reinterpretAsFloat64(v_sum), v_sum / intExp10(e)),
    min Float64 ALIAS if(e = 127, reinterpretAsFloat64(v_min), v_min / intExp10(e)),
    max Float64 ALIAS if(e = 127, reinterpretAsFloat64(v_max), v_max / intExp10(e)),
    first Float64 ALIAS if(e = 127, reinterpretAsFloat64(v_first), v_first / intExp10(e)),
    last Float64 ALIAS if(e = 127, reinterpretAsFloat64(v_last), v_last / intExp10(e)),
    fell Float64 ALIAS if(e = 127, reinterpretAsFloat64(v_fell), v_fell / intExp10(e)),
    incr Float64 ALIAS last - first + fell
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/mcloud/{database}/{table}/{shard}', '{replica}', seen)
PARTITION BY toYYYYMM(t)
ORDER BY (intDiv(toUnixTimestamp(t), 86400), id, t)
SETTINGS replicated_deduplication_window = 0;

CREATE TABLE IF NOT EXISTS `mcloud`.rollup_5m ON CLUSTER 'mcloud' AS `mcloud`.rollup_5m_local
ENGINE = Distributed('mcloud', 'mcloud', rollup_5m_local, intHash64(id));


-- A month is the bucket of the key here: its 720 rows of a series lie together.
CREATE TABLE IF NOT EXISTS `mcloud`.rollup_1h_local ON CLUSTER 'mcloud'
(
    id UInt64 CODEC(Delta, ZSTD(1)),
    t DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    seen UInt32 CODEC(T64, ZSTD(1)),
    n UInt32 CODEC(T64, ZSTD(1)),
    stale UInt8 CODEC(ZSTD(1)),
    e Int8 CODEC(ZSTD(1)),
    v_sum Int64 CODEC(Delta, T64('bit'), ZSTD(1)),
    v_min Int64 CODEC(Delta, T64('bit'), ZSTD(1)),
    v_max Int64 CODEC(Delta, T64('bit'), ZSTD(1)),
    v_first Int64 CODEC(Delta, T64('bit'), ZSTD(1)),
    v_last Int64 CODEC(Delta, T64('bit'), ZSTD(1)),
    v_fell Int64 CODEC(Delta, T64('bit'), ZSTD(1)),
    first_ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    last_ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    sum Float64 ALIAS if(e = 127, reinterpretAsFloat64(v_sum), v_sum / intExp10(e)),
    min Float64 ALIAS if(e = 127, reinterpretAsFloat64(v_min), v_min / intExp10(e)),
    max Float64 ALIAS if(e = 127, reinterpretAsFloat64(v_max), v_max / intExp10(e)),
    first Float64 ALIAS if(e = 127, reinterpretAsFloat64(v_first), v_first / intExp10(e)),
    last Float64 ALIAS if(e = 127, reinterpretAsFloat64(v_last), v_last / intExp10(e)),
    fell Float64 ALIAS if(e = 127, reinterpretAsFloat64(v_fell), v_fell / intExp10(e)),
    incr Float64 ALIAS last - first + fell
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/mcloud/{database}/{table}/{shard}', '{replica}', seen)
PARTITION BY toYYYYMM(t)
ORDER BY (id, t)
SETTINGS replicated_deduplication_window = 0;

CREATE TABLE IF NOT EXISTS `mcloud`.rollup_1h ON CLUSTER 'mcloud' AS `mcloud`.rollup_1h_local
ENGINE = Distributed('mcloud', 'mcloud', rollup_1h_local, intHash64(id));


-- Units: which two hours are in the rollups. A unit is named by the number of the two
-- hours that it ends with: the samples of (unit * 7200 - 7200, unit * 7200].
--
-- Each writer numbers what it writes: marked is the number of its last batch with
-- samples of the unit, written after the samples and before the batch is acknowledged, and
-- rolled is the number up to which they are in the rollups. The unit has to be computed
-- while marked > rolled for some writer. No clock takes part in it.
--
-- whole = 1 says that the writer's samples are of any series, else ids names theirs.
CREATE TABLE IF NOT EXISTS `mcloud`.rollup_units ON CLUSTER 'mcloud'
(
    unit UInt32,
    writer UInt64,
    marked SimpleAggregateFunction(max, UInt64),
    rolled SimpleAggregateFunction(max, UInt64),
    whole SimpleAggregateFunction(max, UInt8),
    ids SimpleAggregateFunction(groupUniqArrayArray, Array(UInt64))
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/mcloud/{database}/{table}', '{shard}-{replica}')
ORDER BY (unit, writer)
SETTINGS replicated_deduplication_window = 0;


-- The samples that are there already: all units of their weeks, as the writer 0. One
-- without samples costs nothing to compute.
INSERT INTO rollup_units (unit, writer, marked, rolled, whole, ids)
SELECT arrayJoin(arrayMap(k -> toUInt32(week * 84 + k), range(85))), 0, 1, 0, 1, []
FROM (
    SELECT DISTINCT toUInt32(partition) AS week FROM clusterAllReplicas('mcloud', system.parts)
    WHERE database = 'mcloud' AND table = 'samples_local' AND active
);

-- Slow queries: those of PromQL that took long or ran into a limit, one row each. Written
-- again, one is the same row.
CREATE TABLE IF NOT EXISTS `mcloud`.slow_queries ON CLUSTER 'mcloud'
(
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    id String,
    expression String CODEC(ZSTD(3)),
    kind LowCardinality(String),
    range_start DateTime64(3, 'UTC'),
    range_end DateTime64(3, 'UTC'),
    step Float64,
    seconds Float64,
    samples Int64,
    peak_samples Int64,
    pushed_down UInt8,
    reason LowCardinality(String),
    error String CODEC(ZSTD(1)),
    user String,
    collector LowCardinality(String)
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/mcloud/{database}/{table}', '{shard}-{replica}')
PARTITION BY toYYYYMM(ts)
ORDER BY (ts, id)
SETTINGS replicated_deduplication_window = 0;

-- A row per series and day, for questions over years: see 0003_rollups.sql, whose columns
-- these are. Days are UTC's, and named by their end as all rows are.
CREATE TABLE IF NOT EXISTS `mcloud`.rollup_1d_local ON CLUSTER 'mcloud'
(
    id UInt64 CODEC(Delta, ZSTD(1)),
    t DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    seen UInt32 CODEC(T64, ZSTD(1)),
    n UInt32 CODEC(T64, ZSTD(1)),
    stale UInt8 CODEC(ZSTD(1)),
    e Int8 CODEC(ZSTD(1)),
    v_sum Int64 CODEC(Delta, T64('bit'), ZSTD(1)),
    v_min Int64 CODEC(Delta, T64('bit'), ZSTD(1)),
    v_max Int64 CODEC(Delta, T64('bit'), ZSTD(1)),
    v_first Int64 CODEC(Delta, T64('bit'), ZSTD(1)),
    v_last Int64 CODEC(Delta, T64('bit'), ZSTD(1)),
    v_fell Int64 CODEC(Delta, T64('bit'), ZSTD(1)),
    first_ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    last_ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    sum Float64 ALIAS if(e = 127, reinterpretAsFloat64(v_sum), v_sum / intExp10(e)),
    min Float64 ALIAS if(e = 127, reinterpretAsFloat64(v_min), v_min / intExp10(e)),
    max Float64 ALIAS if(e = 127, reinterpretAsFloat64(v_max), v_max / intExp10(e)),
    first Float64 ALIAS if(e = 127, reinterpretAsFloat64(v_first), v_first / intExp10(e)),
    last Float64 ALIAS if(e = 127, reinterpretAsFloat64(v_last), v_last / intExp10(e)),
    fell Float64 ALIAS if(e = 127, reinterpretAsFloat64(v_fell), v_fell / intExp10(e)),
    incr Float64 ALIAS last - first + fell
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/mcloud/{database}/{table}/{shard}', '{replica}', seen)
PARTITION BY toYYYYMM(t)
ORDER BY (id, t)
SETTINGS replicated_deduplication_window = 0;

CREATE TABLE IF NOT EXISTS `mcloud`.rollup_1d ON CLUSTER 'mcloud' AS `mcloud`.rollup_1d_local
ENGINE = Distributed('mcloud', 'mcloud', rollup_1d_local, intHash64(id));


-- The days of which all series have their row, by the number of the day that they end
-- with. What an earlier version rolled up has none until it is made up for.
CREATE TABLE IF NOT EXISTS `mcloud`.rollup_days ON CLUSTER 'mcloud'
(
    day UInt32
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/mcloud/{database}/{table}', '{shard}-{replica}')
ORDER BY day
SETTINGS replicated_deduplication_window = 0;
