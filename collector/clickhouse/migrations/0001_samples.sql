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
CREATE TABLE IF NOT EXISTS samples
(
    id UInt64 CODEC(Delta, ZSTD(1)),
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    v Int64 CODEC(Delta, T64('bit'), ZSTD(1)),
    e Int8 CODEC(ZSTD(1)),
    value Float64 ALIAS if(e = 127, reinterpretAsFloat64(v), v / intExp10(e))
)
ENGINE = MergeTree
PARTITION BY intDiv(toUnixTimestamp(ts), 604800)
ORDER BY (intDiv(toUnixTimestamp(ts), 7200), id, ts)
TTL toDateTime(ts) + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000;

-- Series: what an id in samples means, a row per month in which it was seen,
-- with the days of its first and last sample in that month. Old instances fall
-- out with their month. metric is the label __name__, the others are in labels.
CREATE TABLE IF NOT EXISTS series
(
    month Date,
    metric LowCardinality(String),
    id UInt64,
    labels Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    first SimpleAggregateFunction(min, Date),
    last SimpleAggregateFunction(max, Date)
)
ENGINE = AggregatingMergeTree
PARTITION BY month
ORDER BY (metric, id)
TTL month + INTERVAL 462 DAY
SETTINGS ttl_only_drop_parts = 1;

-- The same, asked by label: which series have name = value, which values a name has.
CREATE TABLE IF NOT EXISTS label_index
(
    month Date,
    name LowCardinality(String),
    value String,
    metric LowCardinality(String),
    id UInt64
)
ENGINE = ReplacingMergeTree
PARTITION BY month
ORDER BY (name, value, metric, id)
TTL month + INTERVAL 462 DAY
SETTINGS ttl_only_drop_parts = 1;
