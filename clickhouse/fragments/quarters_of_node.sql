-- The counters of a node by quarter of an hour, from the rollup of organizations or from that of the nodes above them: those from `since`
-- to `until`, but none of the gap, nor of `partial_buckets` unless it is the last one, from `whole_to` on: `until` says whether that is read.
-- Rows are type, at_ms, part_events, part_amount, part_in_seconds. Params: kind, node, types, since, gap_since, gap_until of
-- queries/counter_windows.sql. Names of a WITH: in_seconds (in_seconds.sql), until, whole_to DateTime, partial_buckets Array(DateTime).
SELECT type, toInt64(toUnixTimestamp(bucket)) * 1000 AS at_ms, events AS part_events, amount AS part_amount, in_seconds(dims) AS part_in_seconds
FROM usage_per_15m FINAL
WHERE {kind:String} = 'organization' AND organization = {node:String} AND type IN {types:Array(String)}
    AND bucket >= {since:DateTime('UTC')} AND bucket < until AND NOT (bucket >= {gap_since:DateTime('UTC')} AND bucket < {gap_until:DateTime('UTC')})
    AND (bucket >= whole_to OR NOT has(partial_buckets, bucket))
UNION ALL
SELECT type, toInt64(toUnixTimestamp(bucket)) * 1000 AS at_ms, events AS part_events, amount AS part_amount, in_seconds(dims) AS part_in_seconds
FROM node_usage_per_15m FINAL
WHERE {kind:String} != 'organization' AND kind = {kind:String} AND node = {node:String} AND type IN {types:Array(String)}
    AND bucket >= {since:DateTime('UTC')} AND bucket < until AND NOT (bucket >= {gap_since:DateTime('UTC')} AND bucket < {gap_until:DateTime('UTC')})
    AND (bucket >= whole_to OR NOT has(partial_buckets, bucket))
