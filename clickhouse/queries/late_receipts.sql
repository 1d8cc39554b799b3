-- How many events of a subtree came late, per window of receipt; windows without any are left out. Params: kind, node, agent
-- String ('' for none; then kind is organization): the subtree; from_ms, to_ms Int64, to_ms exclusive; bounds Array(Int64), the
-- starts of the windows, ascending, the first not after from_ms; reasons Array(String): how late, as outcomes name it.
-- Returns window_ms, events.
SELECT roundDown(toInt64(toUnixTimestamp(minute)) * 1000, {bounds:Array(Int64)}) AS window_ms, sum(events) AS events
FROM ingest_outcomes_per_minute FINAL
WHERE minute >= toDateTime(intDiv({from_ms:Int64}, 1000), 'UTC') AND minute < toDateTime(intDiv({to_ms:Int64} + 999, 1000), 'UTC')
    AND outcome = 'late' AND reason IN {reasons:Array(String)}
    AND ({kind:String} != 'organization' OR organization = {node:String})
    AND ({kind:String} != 'reseller' OR reseller = {node:String})
    AND ({kind:String} != 'partner' OR partner = {node:String})
    AND ({agent:String} = '' OR agent = {agent:String})
GROUP BY window_ms
HAVING events > 0
