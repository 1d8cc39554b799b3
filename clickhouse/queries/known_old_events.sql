-- The same for events so old that event_ids may have forgotten them: by their time, which a retry repeats.
-- Params: organizations Array(String), ids Array(String), times Array(Int64) (ms).
SELECT organization, id, toString(any(body_hash)) AS body_hash
FROM usage_events
WHERE (organization, time, id) IN
(
    SELECT key.1, fromUnixTimestamp64Milli(key.3, 'UTC'), key.2
    FROM (SELECT arrayJoin(arrayZip({organizations:Array(String)}, {ids:Array(String)}, {times:Array(Int64)})) AS key)
)
GROUP BY organization, id
