-- Events: what happened. The same event sent again is the same row.
CREATE TABLE IF NOT EXISTS events
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
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (cloud, ts, id);

-- Objects: what exists, a row for each change from at on; gone = 1 says that it
-- does no more. written orders rows of one moment, the last one counts.
CREATE TABLE IF NOT EXISTS objects
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
ENGINE = ReplacingMergeTree(written)
ORDER BY (cloud, kind, scope, id, at);

-- Looks: the last time each part of each cloud was looked at.
CREATE TABLE IF NOT EXISTS looks
(
    cloud LowCardinality(String),
    scope LowCardinality(String),
    kind LowCardinality(String),
    at DateTime64(3, 'UTC'),
    complete UInt8,
    count UInt64
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (cloud, scope, kind);
