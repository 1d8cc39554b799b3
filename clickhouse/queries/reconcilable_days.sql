-- (organization, UTC day) pairs to check against raw: the most recently written, and random others.
-- Params: recent UInt32, random UInt32. Returns organization, day ('YYYY-MM-DD').
SELECT DISTINCT organization, toString(day) AS day
FROM
(
    SELECT organization, toDate(time, 'UTC') AS day FROM usage_events GROUP BY organization, day ORDER BY max(received_at) DESC LIMIT {recent:UInt32}
    UNION ALL
    SELECT organization, toDate(time, 'UTC') AS day FROM usage_events GROUP BY organization, day ORDER BY rand() LIMIT {random:UInt32}
)
