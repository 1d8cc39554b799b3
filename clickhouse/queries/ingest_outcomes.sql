-- What became of the events of a subtree, per window or per group. Params: kind, node, agent String ('' for none; then kind
-- is organization): the subtree; from_ms, to_ms Int64, whole minutes, to_ms exclusive; bounds Array(Int64), the starts of the
-- windows, ascending, the first not after from_ms; by String: key, organization, or '' for no groups.
-- Returns window_ms, group_key, outcome, reason, events.
SELECT
    roundDown(toInt64(toUnixTimestamp(minute)) * 1000, {bounds:Array(Int64)}) AS window_ms,
    multiIf({by:String} = 'key', toString(key), {by:String} = 'organization', organization, '') AS group_key,
    outcome,
    reason,
    sum(events) AS events
FROM ingest_outcomes_per_minute FINAL
WHERE minute >= toDateTime(intDiv({from_ms:Int64}, 1000), 'UTC') AND minute < toDateTime(intDiv({to_ms:Int64}, 1000), 'UTC')
    AND ({kind:String} != 'organization' OR organization = {node:String})
    AND ({kind:String} != 'reseller' OR reseller = {node:String})
    AND ({kind:String} != 'partner' OR partner = {node:String})
    AND ({agent:String} = '' OR agent = {agent:String})
GROUP BY window_ms, group_key, outcome, reason
HAVING events > 0
