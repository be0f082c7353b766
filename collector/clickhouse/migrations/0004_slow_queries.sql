-- Slow queries: those of PromQL that took long or ran into a limit, one row each. Written
-- again, one is the same row.
CREATE TABLE IF NOT EXISTS slow_queries
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
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (ts, id);
