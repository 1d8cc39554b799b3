-- The events of the sessions that a correction concerns, in all versions that storage has of them, while it is being applied: they are
-- gathered while others store, since they are looked for among all events of the organization, so that what has to be done
-- while nobody may store takes as long as those sessions are large (server/corrections/apply-correction.ts). Nothing in it is worth keeping.
CREATE TABLE gathered_events
(
    run UInt64,
    organization String,
    id String,
    time DateTime64(3, 'UTC'),
    partner LowCardinality(String),
    reseller LowCardinality(String),
    agent String,
    user String,
    session String,
    room String,
    interval String,
    started_ms Int64,
    value Nullable(Decimal(38, 9)),
    dims LowCardinality(String),
    level LowCardinality(String),
    level_action LowCardinality(String),
    alive_within_ms Int64,
    batch UInt64,
    sign Int8,
    gathered_at DateTime('UTC') DEFAULT now('UTC')
)
ENGINE = ReplacingMergeTree(batch)
ORDER BY (run, organization, time, id)
TTL gathered_at + INTERVAL 1 DAY
SETTINGS ttl_only_drop_parts = 1;
