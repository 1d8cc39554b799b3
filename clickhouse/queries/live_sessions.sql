-- The sessions of which something runs or lies ahead, by part: what each of the asked levels comes to at an instant, and its changes
-- after it. Every other session's edges come to nothing.
-- Params: at_ms Int64; levels Array(String); without Array(String), organizations; after, until String: the last organization before
-- those asked for, and the last of them ('': no end); most UInt32, of rows.
-- Returns organization, session, part, partner, reseller, room, started_ms, deadline_ms, behind (the sums, in the order of levels),
-- ahead_level, ahead_ms, ahead_delta; of part 0: agent, agent_level, agent_start_ms, agent_end_ms (0: open), the intervals of agents
-- that have not ended.
WITH arrayFilter(edge -> edge.2 > {at_ms:Int64} AND has({levels:Array(String)}, edge.1), arrayZip(edge_level, edge_ms, edge_delta)) AS ahead,
    arrayFilter(span -> part = 0 AND span.1 != '' AND has({levels:Array(String)}, span.2) AND (span.4 = 0 OR span.4 > {at_ms:Int64}), arrayZip(span_agent, span_level, span_start_ms, span_end_ms)) AS spans
SELECT
    organization, session, toUInt32(part) AS part, toString(partner) AS partner, toString(reseller) AS reseller, room, started_ms, deadline_ms,
    arrayMap(asked -> arraySum((level, at, delta) -> if(level = asked AND at <= {at_ms:Int64}, delta, 0), edge_level, edge_ms, edge_delta), {levels:Array(String)}) AS behind,
    arrayMap(edge -> toString(edge.1), ahead) AS ahead_level, ahead.2 AS ahead_ms, ahead.3 AS ahead_delta,
    spans.1 AS agent, arrayMap(span -> toString(span.2), spans) AS agent_level, spans.3 AS agent_start_ms, spans.4 AS agent_end_ms
FROM sessions FINAL
WHERE (organization, session) IN (SELECT organization, session FROM open_sessions FINAL)
    AND organization > {after:String} AND ({until:String} = '' OR organization <= {until:String})
    AND organization NOT IN {without:Array(String)}
LIMIT {most:UInt32}
