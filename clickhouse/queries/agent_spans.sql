-- The intervals of one agent up to an instant, by session: what the agent's levels are computed from. Earlier intervals
-- are among them, because a session starts only once.
-- Params: organization, agent String; to_ms Int64 (exclusive).
-- Returns session, level, start_ms, end_ms (0 while open).
SELECT session, span_level AS level, span_start_ms AS start_ms, span_end_ms AS end_ms
FROM sessions FINAL
ARRAY JOIN span_level, span_agent, span_start_ms, span_end_ms
WHERE organization = {organization:String} AND span_agent = {agent:String} AND start_ms < {to_ms:Int64}
