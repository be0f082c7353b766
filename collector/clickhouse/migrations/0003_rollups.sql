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
CREATE TABLE IF NOT EXISTS rollup_5m
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
ENGINE = ReplacingMergeTree(seen)
PARTITION BY toYYYYMM(t)
ORDER BY (intDiv(toUnixTimestamp(t), 86400), id, t)
SETTINGS non_replicated_deduplication_window = 0;

-- A month is the bucket of the key here: its 720 rows of a series lie together.
CREATE TABLE IF NOT EXISTS rollup_1h
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
ENGINE = ReplacingMergeTree(seen)
PARTITION BY toYYYYMM(t)
ORDER BY (id, t)
SETTINGS non_replicated_deduplication_window = 0;

-- Units: which two hours are in the rollups. A unit is named by the number of the two
-- hours that it ends with: the samples of (unit * 7200 - 7200, unit * 7200].
--
-- Each writer numbers what it writes: marked is the number of its last batch with
-- samples of the unit, written after the samples and before the batch is acknowledged, and
-- rolled is the number up to which they are in the rollups. The unit has to be computed
-- while marked > rolled for some writer. No clock takes part in it.
--
-- whole = 1 says that the writer's samples are of any series, else ids names theirs.
CREATE TABLE IF NOT EXISTS rollup_units
(
    unit UInt32,
    writer UInt64,
    marked SimpleAggregateFunction(max, UInt64),
    rolled SimpleAggregateFunction(max, UInt64),
    whole SimpleAggregateFunction(max, UInt8),
    ids SimpleAggregateFunction(groupUniqArrayArray, Array(UInt64))
)
ENGINE = AggregatingMergeTree
ORDER BY (unit, writer);

-- The samples that are there already: all units of their weeks, as the writer 0. One
-- without samples costs nothing to compute.
INSERT INTO rollup_units (unit, writer, marked, rolled, whole, ids)
SELECT arrayJoin(arrayMap(k -> toUInt32(week * 84 + k), range(85))), 0, 1, 0, 1, []
FROM (
    SELECT DISTINCT toUInt32(partition) AS week FROM system.parts
    WHERE database = currentDatabase() AND table = 'samples' AND active
);
