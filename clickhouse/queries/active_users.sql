-- Distinct users with any presence per window, and over all of it (the row with window_ms 0): never a sum of windows.
-- An interval counts in every window that it overlaps; one of no length is nowhere present.
-- Params: kind, node, agent String as in usage_windows.sql; from_ms, to_ms Int64 (to_ms exclusive, not after now);
-- bounds Array(Int64), the starts of the windows, ascending, the first not after from_ms.
-- Returns window_ms, users.
SELECT if(window_ms = 0, 0, greatest(window_ms, {from_ms:Int64})) AS window_ms, users
FROM
(
    SELECT window_ms, uniqExact(user) AS users
    FROM
    (
        SELECT
            span_user AS user,
            arrayJoin(arrayFilter(bound -> bound >= roundDown(greatest(span_start_ms, {from_ms:Int64}), {bounds:Array(Int64)}) AND bound < end_ms, {bounds:Array(Int64)})) AS window_ms
        FROM
        (
            SELECT span_level, span_user, span_agent, span_start_ms, if(span_end_ms = 0, {to_ms:Int64}, least(span_end_ms, {to_ms:Int64})) AS end_ms
            FROM sessions FINAL
            ARRAY JOIN span_level, span_user, span_agent, span_start_ms, span_end_ms
            WHERE ({kind:String} != 'organization' OR organization = {node:String})
                AND ({kind:String} != 'reseller' OR reseller = {node:String})
                AND ({kind:String} != 'partner' OR partner = {node:String})
                AND ({agent:String} = '' OR span_agent = {agent:String})
        )
        WHERE span_level = 'participants' AND span_user != ''
            AND end_ms > span_start_ms AND end_ms > {from_ms:Int64} AND span_start_ms < {to_ms:Int64}
    )
    GROUP BY window_ms WITH ROLLUP
)
