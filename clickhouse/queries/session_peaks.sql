-- The most that a level reached inside one session, per window and key, with that session and the first instant of it.
-- Params: those of fragments/selected.sql and fragments/pieces.sql; level String; most UInt64: rows, the largest peak first.
-- Returns key, is_other, window_ms, peak, peak_at_ms, peak_organization, peak_session: of several with the same peak the earliest, then
-- the first by name.
WITH {{pieces}}
SELECT
    group_key.1 AS key,
    group_key.2 AS is_other,
    window_start(window_index) AS window_ms,
    max(height) AS peak,
    argMin((since, organization, session), (-height, since, organization, session)) AS top,
    tupleElement(top, 1) AS peak_at_ms,
    tupleElement(top, 2) AS peak_organization,
    tupleElement(top, 3) AS peak_session
FROM
(
    SELECT
        group_key,
        organization,
        session,
        arrayJoin(pieces_of(change.1, arrayCumSum(change.2))) AS piece,
        arrayJoin(windows_of(piece.1, piece.2)) AS window_index,
        greatest(piece.1, window_start(window_index)) AS since,
        piece.3 AS height
    FROM
    (
        WITH {{selected}},
        {{clip}}
        SELECT group_key, organization, session, sumMap([start_ms, end_ms], [toInt64(1), if(end_ms = 0, toInt64(0), toInt64(-1))]) AS change
        FROM sessions FINAL
        ARRAY JOIN span_level, span_user AS user, span_agent AS agent, span_dims AS dims, span_start_ms, span_end_ms
        WHERE span_level = {level:String} AND start_ms < {to_ms:Int64} AND (end_ms = 0 OR end_ms > {from_ms:Int64})
            AND (start_ms < end_ms OR end_ms = 0) AND is_read AND is_in_subtree AND is_selected
        GROUP BY group_key, organization, session
    )
)
WHERE height > 0
GROUP BY key, is_other, window_index
ORDER BY peak DESC, key, window_ms
LIMIT {most:UInt64}
