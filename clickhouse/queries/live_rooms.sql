-- The sessions with somebody in them at an instant, the longest-running first.
-- Params: kind, node, agent String as in usage_windows.sql; at_ms Int64; most UInt32.
-- Returns organization, room, session, participants, started_ms.
SELECT
    organization, room, session,
    arrayCount((level, agent, start_ms, end_ms) -> level = 'participants' AND start_ms <= {at_ms:Int64} AND (end_ms = 0 OR end_ms > {at_ms:Int64}) AND ({agent:String} = '' OR agent = {agent:String}),
        span_level, span_agent, span_start_ms, span_end_ms) AS participants,
    started_ms
FROM sessions FINAL
WHERE (organization, session) IN (SELECT organization, session FROM open_sessions FINAL)
    AND ({kind:String} != 'organization' OR organization = {node:String})
    AND ({kind:String} != 'reseller' OR reseller = {node:String})
    AND ({kind:String} != 'partner' OR partner = {node:String})
    -- Where parents are asked about, the part of the session that runs now.
    AND if({kind:String} IN ('reseller', 'partner'), parts = 0 AND since_ms <= {at_ms:Int64} AND until_ms > {at_ms:Int64}, part = 0)
    AND participants > 0
ORDER BY started_ms, organization, session
LIMIT {most:UInt32}
