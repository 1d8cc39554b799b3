-- Presences of a session in parts (0017_sessions.sql): those of the whole stand without a path, those of each part under its own.
-- Somebody who is found in both counts once, as everywhere here.
ALTER TABLE presences
    ADD COLUMN IF NOT EXISTS part UInt16 AFTER session_hash,
    MODIFY ORDER BY (organization, day, session_hash, part);

ALTER TABLE presences_mv MODIFY QUERY
-- Rows of presences, from `sessions`: the table of that name or sessions that are named so in its place.
WITH
    toInt64(number) * 86400000 AS opens_ms,
    if(number = 0, 9223372036854775807, opens_ms + 86400000) AS closes_ms,
    arrayFilter(
        span -> span.3 < span.4,
        arrayMap(
            (level, user, start_ms, end_ms) -> (level, if(user = '', 0, sipHash64(user)), greatest(start_ms, opens_ms, part_since_ms),
                least(if(end_ms = 0, closes_ms, end_ms), closes_ms, if(part_until_ms = 9007199254740991, closes_ms, part_until_ms))),
            span_level, span_user, span_start_ms, span_end_ms)) AS spans
SELECT
    organization,
    toDate(number) AS day,
    sipHash64(session) AS session_hash,
    part,
    version,
    partner,
    reseller,
    room,
    spans.1 AS level,
    spans.2 AS user_hash,
    spans.3 AS since_ms,
    spans.4 AS until_ms
FROM (SELECT *, since_ms AS part_since_ms, until_ms AS part_until_ms, arrayJoin(days) AS number FROM sessions);
