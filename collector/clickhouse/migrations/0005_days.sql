-- A row per series and day, for questions over years: see 0003_rollups.sql, whose columns
-- these are. Days are UTC's, and named by their end as all rows are.
CREATE TABLE IF NOT EXISTS rollup_1d
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

-- The days of which all series have their row, by the number of the day that they end
-- with. What an earlier version rolled up has none until it is made up for.
CREATE TABLE IF NOT EXISTS rollup_days
(
    day UInt32
)
ENGINE = ReplacingMergeTree
ORDER BY day;
