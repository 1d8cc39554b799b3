-- A level that events raise and lower by a number they carry (or by 1), per window and key: its time integral, its peak and what it
-- is when the window or the range ends. Earlier quarters of an hour come from the rollup, the rest from the events.
-- What an organization that moved had gathered goes along with it: the level falls at the old parent and rises at the new one, whatever
-- later arrives of before (organization_stays). Such a question of parents reads those organizations' events instead of the rollup.
-- Params: those of fragments/selected.sql and fragments/pieces.sql; raises, lowers Array(String): types; counts UInt8: 1 to count
-- events, 0 to take the number; measure String: the property that is the number, '' for `value`; custom UInt8: as in
-- measured_windows.sql; with a property or custom 1, whole_to_ms must be 0; from_ms, to_ms, bounds; whole_to_ms Int64: the multiple of 15 minutes, not after from_ms,
-- before which the rollup answers; rank String: closing, peak or integral; most UInt64: rows, the largest of that first, and last those of keys whose level was 0 throughout.
-- Returns key, is_other, window_ms, integral (of value and ms), peak, closing (decimal strings, all in sixtieths), peak_at_ms.
WITH
    {{in_seconds}},
    -- An amount in sixtieths of its unit.
    (amount, dims_of_amount) -> toDecimal256(amount, 9) * if(in_seconds(dims_of_amount), 1, 60) AS in_sixtieths,
    {{pieces}},
    {kind:String} IN ('reseller', 'partner') OR {by:String} IN ('reseller', 'partner') OR hasAny({filter_dimensions:Array(String)}, ['reseller', 'partner']) AS is_of_parents,
    moved AS (SELECT organization FROM organization_stays WHERE is_of_parents)
SELECT
    group_key.1 AS key,
    group_key.2 AS is_other,
    window_start(window_index) AS window_ms,
    toString(sum(area)) AS integral,
    max(height) AS highest,
    toString(highest) AS peak,
    argMin(since, (-height, since)) AS peak_at_ms,
    argMax(height, since) AS last,
    toString(last) AS closing
FROM
(
    SELECT
        group_key,
        -- Before its first change the level is 0.
        arrayJoin(pieces_of(arrayPushFront(change.1, toInt64(0)), arrayPushFront(arrayCumSum(change.2), toDecimal256(0, 9)))) AS piece,
        arrayJoin(windows_of(piece.1, piece.2)) AS window_index,
        greatest(piece.1, window_start(window_index)) AS since,
        piece.3 AS height,
        height * (least(piece.2, window_end(window_index)) - since) AS area
    FROM
    (
        SELECT group_key, sumMap([at_ms], [delta]) AS change
        FROM
        (
            WITH
                {{sent_properties}},
                if({custom:UInt8} = 1, sent_properties, toString(usage_events.dims)) AS dims,
                {{selected}},
                {{measured_property}},
                if({measure:String} = '', in_sixtieths(value, usage_events.dims), in_sixtieths(measured_property, '')) AS number
            SELECT group_key, toUnixTimestamp64Milli(time) AS at_ms,
                if({counts:UInt8} = 1, toDecimal256(60, 9), ifNull(number, toDecimal256(0, 9))) * if(type IN {raises:Array(String)}, 1, -1) AS delta
            FROM usage_events FINAL
            WHERE sign = 1 AND (type IN {raises:Array(String)} OR type IN {lowers:Array(String)})
                AND time >= fromUnixTimestamp64Milli({whole_to_ms:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
                AND is_in_subtree AND is_selected AND NOT (is_of_parents AND organization IN moved)
            UNION ALL
            WITH
                {{sent_properties}},
                if({custom:UInt8} = 1, sent_properties, toString(usage_events.dims)) AS dims,
                {{selected}},
                {{measured_property}},
                if({measure:String} = '', in_sixtieths(value, usage_events.dims), in_sixtieths(measured_property, '')) AS number
            SELECT group_key, turned_ms AS at_ms,
                if({counts:UInt8} = 1, toDecimal256(60, 9), ifNull(number, toDecimal256(0, 9))) * if(type IN {raises:Array(String)}, 1, -1) * direction AS delta
            FROM
            (
                WITH
                    toUnixTimestamp64Milli(time) AS time_ms,
                    arrayFilter(placement -> placement.2 > time_ms, arrayZip(sinces, arrayPushBack(arrayPopFront(sinces), 9007199254740991), partners, resellers)) AS later
                SELECT type, organization, turn.4 AS reseller, turn.3 AS partner, agent, user, room, session, value, properties, dims, turn.1 AS turned_ms, turn.2 AS direction
                FROM (SELECT type, organization, agent, user, room, session, value, properties, dims, time FROM usage_events FINAL
                    WHERE sign = 1 AND is_of_parents AND organization IN moved AND (type IN {raises:Array(String)} OR type IN {lowers:Array(String)})
                        AND time < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')) AS events
                INNER JOIN (SELECT organization, since_ms AS sinces, partner AS partners, reseller AS resellers FROM organization_stays FINAL WHERE is_of_parents) AS placements
                    USING (organization)
                ARRAY JOIN arrayConcat(
                    arrayMap(placement -> (greatest(placement.1, time_ms), toInt8(1), placement.3, placement.4), later),
                    arrayMap(placement -> (placement.2, toInt8(-1), placement.3, placement.4), arrayFilter(placement -> placement.2 < {to_ms:Int64}, later))) AS turn
            ) AS usage_events
            WHERE turned_ms < {to_ms:Int64} AND is_in_subtree AND is_selected
            UNION ALL
            -- Second, because ClickHouse lets the names of a first WITH hold for what is united with it.
            WITH '' AS user, '' AS room, '' AS session, toString(usage_per_15m.dims) AS dims, {{selected}}
            SELECT group_key, toInt64(toUnixTimestamp(bucket)) * 1000 AS at_ms,
                if({counts:UInt8} = 1, toDecimal256(events, 9) * 60, in_sixtieths(amount, usage_per_15m.dims)) * if(type IN {raises:Array(String)}, 1, -1) AS delta
            FROM usage_per_15m FINAL
            WHERE (type IN {raises:Array(String)} OR type IN {lowers:Array(String)})
                AND bucket < toDateTime(intDiv({whole_to_ms:Int64}, 1000), 'UTC')
                AND is_in_subtree AND is_selected AND NOT (is_of_parents AND organization IN moved)
        )
        GROUP BY group_key
    )
)
GROUP BY key, is_other, window_index
ORDER BY highest != 0 OR last != 0 OR sum(area) != 0 DESC, multiIf({rank:String} = 'peak', highest, {rank:String} = 'integral', sum(area), last) DESC, key, window_ms
LIMIT {most:UInt64}
