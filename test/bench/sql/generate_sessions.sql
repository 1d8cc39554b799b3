-- What server/rollups/derive-levels.ts writes for sessions of which every interval was named, started and ended; in bulk.
-- The benchmark compares a sample of the rows with the materializer's.
-- Params: first, last String (organizations, both inclusive); version UInt64.
INSERT INTO sessions
(
    organization, session, version, partner, reseller, room, started_ms, ended_ms, open_spans, deadline_ms, peak_participants, peak_at_ms, orphans, inverted, timed_out,
    span_level, span_interval, span_user, span_agent, span_dims, span_start_ms, span_end_ms, span_timed_out, edge_level, edge_ms, edge_delta, edge_starts, days
)
WITH
    folded AS
    (
        SELECT organization, session, level, interval, min(started_ms) AS start_ms, max(ended_ms) AS end_ms,
            max(user) AS user, max(room) AS room, max(agent) AS agent, max(partner) AS partner, max(reseller) AS reseller, max(first_dims).2 AS dims
        FROM intervals
        WHERE organization BETWEEN {first:String} AND {last:String}
        GROUP BY organization, session, level, interval
    ),
    changes AS
    (
        SELECT organization, session, level, at_ms, sum(delta) AS net, sum(start) AS begun
        FROM folded
        ARRAY JOIN [start_ms, end_ms] AS at_ms, [1, -1] AS delta, [1, 0] AS start
        GROUP BY organization, session, level, at_ms
        HAVING net != 0 OR begun != 0
    ),
    edges AS
    (
        SELECT
            organization, session,
            arraySort(groupArray((level, at_ms, toInt64(net), toInt64(begun)))) AS all_edges,
            arrayFilter(edge -> edge.1 = 'participants', all_edges) AS present,
            arrayCumSum(present.3) AS running,
            arrayMap((edge, now, i) -> ('sessions', edge.2, toInt64(now > 0) - toInt64(i > 1 AND running[i - 1] > 0), toInt64(i = 1)), present, running, arrayEnumerate(present)) AS turns,
            arrayConcat(
                arrayFilter(edge -> edge.1 <= 'participants', all_edges),
                arrayFilter(edge -> edge.3 != 0 OR edge.4 != 0, turns),
                arrayFilter(edge -> edge.1 > 'participants', all_edges)) AS edge
        FROM changes
        GROUP BY organization, session
    ),
    spans AS
    (
        SELECT
            organization, session, max(partner) AS partner, max(reseller) AS reseller, max(room) AS room,
            minIf(start_ms, level = 'participants') AS started_ms, maxIf(end_ms, level = 'participants') AS ended_ms,
            arraySort(groupArray((start_ms, level, interval, user, agent, dims, end_ms))) AS span
        FROM folded
        GROUP BY organization, session
    )
SELECT
    spans.organization, spans.session, {version:UInt64}, partner, reseller, room, started_ms, ended_ms,
    0, 0, arrayMax(running), present[indexOf(running, arrayMax(running))].2, 0, 0, 0,
    span.2, span.3, span.4, span.5, span.6, span.1, span.7, arrayMap(one -> 0, span),
    edge.1, edge.2, edge.3, edge.4,
    arraySort(arrayDistinct(arrayFlatten(arrayMap(one -> range(toUInt16(intDiv(one.1, 86400000)), toUInt16(intDiv(one.7 - 1, 86400000) + 1)), span)))) AS days
FROM spans INNER JOIN edges ON edges.organization = spans.organization AND edges.session = spans.session
