-- Rewrites the counters of the nodes above some organizations, on one UTC day, those under which their counters once stood among them, from those of the organizations: the right sums
-- as rows of batch 0, and the deletion of every other row, in one block; also of rows that a batch which is sent again would
-- write, by what usage_per_15m has of it.
-- Params: organizations Array(String), day String, version UInt64 (greater than any before).
INSERT INTO node_usage_per_15m (kind, node, type, bucket, dims, batch, events, amount, version, is_deleted)
WITH node_keys AS
(
    SELECT DISTINCT arrayJoin([('reseller', toString(reseller)), ('partner', toString(partner)), ('all', '')]) AS node_key
    FROM usage_events
    WHERE organization IN {organizations:Array(String)} AND toDate(time, 'UTC') = toDate({day:String})
    UNION DISTINCT
    -- Rows that no longer count name the places that lost what they had.
    SELECT DISTINCT arrayJoin([('reseller', toString(reseller)), ('partner', toString(partner)), ('all', '')])
    FROM usage_per_15m
    WHERE organization IN {organizations:Array(String)} AND toDate(bucket, 'UTC') = toDate({day:String})
)
SELECT node_key.1, node_key.2, type, bucket, dims, batch, sum(new_events) AS right_events, sum(new_amount), {version:UInt64}, right_events = 0
FROM
(
    SELECT arrayJoin([('reseller', toString(reseller)), ('partner', toString(partner)), ('all', '')]) AS node_key,
        type, bucket, dims, toUInt64(0) AS batch, events AS new_events, amount AS new_amount
    FROM usage_per_15m FINAL
    WHERE toDate(bucket, 'UTC') = toDate({day:String})
    UNION ALL
    SELECT (toString(kind), node), type, bucket, dims, batch, toInt64(0), toDecimal256(0, 9)
    FROM node_usage_per_15m FINAL
    WHERE toDate(bucket, 'UTC') = toDate({day:String})
    UNION ALL
    SELECT arrayJoin([('reseller', toString(reseller)), ('partner', toString(partner)), ('all', '')]), type, bucket, dims, batch, toInt64(0), toDecimal256(0, 9)
    FROM usage_per_15m
    WHERE toDate(bucket, 'UTC') = toDate({day:String})
)
WHERE node_key IN node_keys AND (node_key.1 = 'all' OR node_key.2 != '')
GROUP BY node_key, type, bucket, dims, batch
