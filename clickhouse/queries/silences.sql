-- When an organization, or one agent of it, and each of its keys sent nothing for `silent_ms` or more: by when its events were
-- received. Before the first of them came, what was imported of the past stands for it, by its own time.
-- Params: organization, agent String ('': the whole organization); from_ms, to_ms, silent_ms Int64 (to_ms exclusive); most UInt64.
-- Returns key ('': all together), first_ms (of the first event since from_ms), last_ms, next_ms (0: none by to_ms), at most
-- `most`, ascending.
WITH
    fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AS from_at,
    (
        SELECT min(received_at) FROM usage_events
        WHERE organization = {organization:String} AND time >= from_at
    ) AS first_received
SELECT key, first_ms, last_ms, next_ms
FROM
(
    SELECT
        key,
        min(begin_ms) OVER (PARTITION BY key ORDER BY minute ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS first_ms,
        end_ms AS last_ms,
        leadInFrame(begin_ms, 1, toInt64(0)) OVER (PARTITION BY key ORDER BY minute ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING) AS next_ms
    FROM
    (
        SELECT key, intDiv(at_ms, 60000) AS minute, min(at_ms) AS begin_ms, max(at_ms) AS end_ms
        FROM
        (
            SELECT
                arrayJoin(['', toString(usage_events.key)]) AS key,
                toUnixTimestamp64Milli(if(time < first_received, time, received_at)) AS at_ms
            FROM usage_events
            WHERE organization = {organization:String} AND time >= from_at
                AND ({agent:String} = '' OR agent = {agent:String})
        )
        WHERE at_ms < {to_ms:Int64}
        GROUP BY key, minute
    )
)
WHERE next_ms = 0 OR next_ms - last_ms >= {silent_ms:Int64}
ORDER BY last_ms, key
LIMIT {most:UInt64}
