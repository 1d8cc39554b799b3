-- The slots of some organizations whose participants come and go, two at a time, in four meetings a day.
-- Params: first, past UInt64 (organizations, past exclusive); from_ms Int64; meetings UInt64: how many since then; version UInt64.
INSERT INTO level_slots (kind, node, level, minute, version, net, weighted, peak, peak_at_ms, starts)
SELECT
    'organization',
    concat('org-', leftPad(toString(o), 5, '0')),
    'participants', minute, {version:UInt64}, sum(change), sum(change) * 1000, sum(greatest(change, 0)), toInt64(toUnixTimestamp(minute)) * 1000 + 1000, sum(if(change > 0, 2, 0))
FROM
(
    SELECT
        {first:UInt64} + intDiv(number, {meetings:UInt64}) AS o,
        number % {meetings:UInt64} AS meeting,
        cityHash64(o, meeting) AS random,
        arrayJoin([(toInt64(random % 10000000), toInt64(2)), (toInt64(random % 10000000) + 600000 + toInt64(random % 5400000), toInt64(-2))]) AS edge,
        toStartOfMinute(toDateTime(intDiv({from_ms:Int64} + toInt64(meeting) * 21600000 + edge.1, 1000), 'UTC')) AS minute,
        edge.2 AS change
    FROM numbers(({past:UInt64} - {first:UInt64}) * {meetings:UInt64})
)
GROUP BY o, minute
