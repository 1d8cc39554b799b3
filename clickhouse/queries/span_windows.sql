-- A level per window and key, from the intervals themselves: for questions that slots do not answer, with filters, a split
-- or an agent. Level `sessions`: a session is active while one of its chosen participants is there, and starts once.
-- Params: those of fragments/chosen.sql and fragments/pieces.sql; level String; rank String: integral, peak, closing or starts;
-- most UInt64: rows, the largest of that first.
-- Returns key, is_other, window_ms, integral_ms, peak, peak_at_ms (its first instant), closing (the level when the window or
-- the range ends), starts. Windows before the first edge give no row.
WITH
    {{pieces}},
    chosen_spans AS
    (
        WITH {{chosen}},
        {{stands}}
        SELECT place, organization, session, start_ms, end_ms, starts_here, span_start_ms AS began_ms
        FROM sessions FINAL
        ARRAY JOIN span_level, span_user AS user, span_agent AS agent, span_dims AS dims, span_start_ms, span_end_ms
        WHERE span_level = if({level:String} = 'sessions', 'participants', {level:String})
            AND start_ms < {to_ms:Int64} AND is_read AND is_in_subtree AND is_chosen
    ),
    changes AS
    (
        SELECT place, sumMap([start_ms, end_ms], [toInt64(1), if(end_ms = 0, toInt64(0), toInt64(-1))]) AS change
        FROM chosen_spans
        WHERE {level:String} != 'sessions' AND (start_ms < end_ms OR end_ms = 0)
        GROUP BY place
        UNION ALL
        SELECT
            place,
            sumMap(arrayMap(turn -> turn.1, turns), arrayMap(turn -> turn.2, turns)) AS change
        FROM
        (
            SELECT
                place,
                sumMap([start_ms, end_ms], [toInt64(1), if(end_ms = 0, toInt64(0), toInt64(-1))]) AS presence,
                arrayMap(present -> toInt64(present > 0), arrayCumSum(presence.2)) AS active,
                arrayFilter(turn -> turn.2 != 0, arrayZip(presence.1, arrayPopFront(arrayDifference(arrayPushFront(active, 0))))) AS turns
            FROM chosen_spans
            WHERE {level:String} = 'sessions' AND (start_ms < end_ms OR end_ms = 0)
            GROUP BY place, organization, session
        )
        GROUP BY place
    )
SELECT
    place.1 AS key,
    place.2 AS is_other,
    window_start(place_in_bounds) AS window_ms,
    sum(area) AS integral_ms,
    max(height) AS peak,
    argMin(since, (-height, since)) AS peak_at_ms,
    argMax(height, since) AS closing,
    sum(begun) AS starts
FROM
(
    SELECT
        place,
        arrayJoin(pieces_of(change.1, arrayCumSum(change.2))) AS piece,
        arrayJoin(windows_of(piece.1, piece.2)) AS place_in_bounds,
        greatest(piece.1, window_start(place_in_bounds)) AS since,
        piece.3 AS height,
        height * (least(piece.2, window_end(place_in_bounds)) - since) AS area,
        toUInt64(0) AS begun
    FROM changes
    UNION ALL
    SELECT place, (toInt64(0), toInt64(0), toInt64(0)), arrayJoin(windows_of(began_ms, began_ms + 1)), toInt64(-1), toInt64(0), toInt64(0), count()
    FROM
    (
        SELECT place, began_ms, starts_here FROM chosen_spans WHERE {level:String} != 'sessions'
        UNION ALL
        -- A session starts once, where it stood then: its later parts know its first participant too.
        SELECT place, min(began_ms), argMin(starts_here, (began_ms, -starts_here)) FROM chosen_spans WHERE {level:String} = 'sessions' GROUP BY place, organization, session
    )
    WHERE starts_here AND began_ms >= {from_ms:Int64}
    GROUP BY place, began_ms
)
GROUP BY key, is_other, place_in_bounds
ORDER BY multiIf({rank:String} = 'peak', peak, {rank:String} = 'closing', closing, {rank:String} = 'starts', toInt64(starts), integral_ms) DESC, key, window_ms
LIMIT {most:UInt64}
