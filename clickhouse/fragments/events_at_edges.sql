-- The events of a range that no rollup answers, one by one: a SELECT, which takes before_ms and after_ms of rolled_up.sql and in_seconds.sql. Params: those
-- of selected.sql and rolled_up.sql; types Array(String).
WITH {{selected}}
SELECT group_key, toUnixTimestamp64Milli(time) AS at_ms, toInt64(1) AS part_events, ifNull(value, toDecimal128(0, 9)) AS part_amount, in_seconds(usage_events.dims) AS part_in_seconds
FROM usage_events FINAL
WHERE sign = 1 AND type IN {types:Array(String)}
    AND (
        {from_ms:Int64} < before_ms AND time >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli(before_ms, 'UTC')
        OR after_ms < {to_ms:Int64} AND time >= fromUnixTimestamp64Milli(after_ms, 'UTC') AND time < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC'))
    AND is_in_subtree AND is_selected
