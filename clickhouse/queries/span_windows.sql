-- A level per window and key, from the intervals themselves: for questions that slots do not answer, with filters, a split
-- or an agent. Level `sessions`: a session is active while one of its selected participants is there, and starts once.
-- Params: those of fragments/selected.sql and fragments/pieces.sql; level String; rank String: integral, peak, closing or starts;
-- most UInt64: rows, the largest of that first, and last those of keys that were there only before the range.
-- Returns key, is_other, window_ms, integral_ms, peak, peak_at_ms (its first instant), closing (the level when the window or
-- the range ends), starts. Windows before the first edge give no row.
-- What is named twice is computed in a SELECT of its own: ClickHouse understands a name anew wherever it stands, and what a name
-- is made of with it, which took four times as long as answering.
WITH {{pieces}}
SELECT
    group_key.1 AS key,
    group_key.2 AS is_other,
    window_ms,
    sum(area) AS integral_ms,
    max(height) AS peak,
    argMin(since, (-height, since)) AS peak_at_ms,
    argMax(height, since) AS closing,
    sum(begun) AS starts
FROM
(
    SELECT group_key, piece.3 AS height, piece.4 AS begun, arrayJoin(windows_of(piece.1, piece.2)) AS window_index, window_start(window_index) AS window_ms,
        if(begun = 0, greatest(piece.1, window_ms), toInt64(-1)) AS since, height * (least(piece.2, window_end(window_index)) - since) AS area
    FROM
    (
        -- A piece of the level, or what starts at an instant: of no height, and before every piece.
        SELECT group_key, arrayJoin(arrayConcat(
            arrayMap(one -> (one.1, one.2, one.3, toUInt64(0)), pieces_of(change.1, arrayCumSum(change.2))),
            arrayMap((at, count) -> (at, at + 1, toInt64(0), count), started.1, started.2))) AS piece
        FROM
        (
            SELECT group_key, sumMap(steps.1, steps.2) AS change, sumMap(begins.1, begins.2) AS started
            FROM
            (
                SELECT group_key,
                    if({level:String} = 'sessions', (presence.1, arrayPopFront(arrayDifference(arrayPushFront(arrayMap(present -> toInt64(present > 0), arrayCumSum(presence.2)), 0)))), presence) AS steps,
                    -- A session starts once, where it stood then: its later parts know its first participant too.
                    if({level:String} = 'sessions', if(starts_with_first AND first_start_ms >= {from_ms:Int64}, ([first_start_ms], [toUInt64(1)]), ([], [])), every_start) AS begins
                FROM
                (
                    WITH {{selected}},
                    {{clip}}
                    SELECT
                        group_key,
                        sumMapIf([start_ms, end_ms], [toInt64(1), if(end_ms = 0, toInt64(0), toInt64(-1))], start_ms < end_ms OR end_ms = 0) AS presence,
                        min(span_start_ms) AS first_start_ms,
                        argMin(starts_here, (span_start_ms, -starts_here)) AS starts_with_first,
                        sumMapIf([span_start_ms], [toUInt64(1)], starts_here AND span_start_ms >= {from_ms:Int64}) AS every_start
                    FROM sessions FINAL
                    ARRAY JOIN span_level, span_user AS user, span_agent AS agent, span_dims AS dims, span_start_ms, span_end_ms
                    WHERE span_level = if({level:String} = 'sessions', 'participants', {level:String})
                        AND start_ms < {to_ms:Int64} AND is_read AND is_in_subtree AND is_selected
                    GROUP BY group_key, if({level:String} = 'sessions', (organization, session), ('', ''))
                )
            )
            GROUP BY group_key
        )
    )
)
GROUP BY key, is_other, window_ms
ORDER BY peak > 0 OR starts > 0 DESC, multiIf({rank:String} = 'peak', peak, {rank:String} = 'closing', closing, {rank:String} = 'starts', toInt64(starts), integral_ms) DESC, key, window_ms
LIMIT {most:UInt64}
