-- How much memory would keep, at most, of what live_sessions.sql returns, by organization: its rows, their changes ahead, the intervals of agents
-- and a deadline of each session. Sessions of which nothing runs any more and nothing lies ahead are counted too.
-- Params: at_ms Int64; levels Array(String); most UInt32, of organizations.
-- Returns organization, held, partners and resellers: those above it, of whose figures it is a part.
SELECT
    organization,
    sum(1 + (part = 0 AND deadline_ms != 0)
        + arrayCount((level, at) -> at > {at_ms:Int64} AND has({levels:Array(String)}, level), edge_level, edge_ms)
        + if(part = 0, arrayCount((agent, level, end_ms) -> agent != '' AND has({levels:Array(String)}, level) AND (end_ms = 0 OR end_ms > {at_ms:Int64}), span_agent, span_level, span_end_ms), 0)) AS held,
    arrayFilter(id -> id != '', groupUniqArray(toString(partner))) AS partners,
    arrayFilter(id -> id != '', groupUniqArray(toString(reseller))) AS resellers
FROM sessions FINAL
WHERE (organization, session) IN (SELECT organization, session FROM open_sessions FINAL)
GROUP BY organization
LIMIT {most:UInt32}
