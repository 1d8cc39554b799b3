-- Who was where by UTC day, so that distinct counts of a range read that range only: the intervals of each row of
-- `sessions` in the days that it lists. An interval longer than a month is found under 1970-01-01 instead of in each of its
-- days; who asks reads that day as well. Intervals are a set here: one that is found twice changes no distinct count.
--
-- The newest version of a session writes every day that any version listed, a day that lost its intervals without any.
-- A batch that is sent again derives its sessions again, which writes the rows that a crash left out.
CREATE TABLE presences
(
    organization String,
    day Date,
    session_hash UInt64,         -- sipHash64: a key of fixed size, which FINAL compares in half the time
    version UInt64,
    partner LowCardinality(String),
    reseller LowCardinality(String),
    room String,
    level Array(LowCardinality(String)),
    user_hash Array(UInt64),     -- sipHash64 of the user, 0 for none: two of a million users are one with a chance of 3e-8
    since_ms Array(Int64),       -- cut to the day, but not under 1970-01-01
    until_ms Array(Int64),       -- the day's end (9223372036854775807 under 1970-01-01) while the interval is open
    INDEX resellers reseller TYPE set(8) GRANULARITY 1,
    INDEX partners partner TYPE set(8) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (organization, day, session_hash)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 256;

CREATE MATERIALIZED VIEW presences_mv TO presences AS
-- Rows of presences, from `sessions`: the table of that name or sessions that are named so in its place.
WITH
    toInt64(number) * 86400000 AS opens_ms,
    if(number = 0, 9223372036854775807, opens_ms + 86400000) AS closes_ms,
    arrayFilter(
        span -> span.3 < span.4,
        arrayMap(
            (level, user, start_ms, end_ms) -> (level, if(user = '', 0, sipHash64(user)), greatest(start_ms, opens_ms), if(end_ms = 0, closes_ms, least(end_ms, closes_ms))),
            span_level, span_user, span_start_ms, span_end_ms)) AS spans
SELECT
    organization,
    toDate(number) AS day,
    sipHash64(session) AS session_hash,
    version,
    partner,
    reseller,
    room,
    spans.1 AS level,
    spans.2 AS user_hash,
    spans.3 AS since_ms,
    spans.4 AS until_ms
FROM (SELECT *, arrayJoin(days) AS number FROM sessions);
