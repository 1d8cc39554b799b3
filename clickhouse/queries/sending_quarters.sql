-- The quarters of an hour in which an organization's events lie. Params: organization String; from_ms, to_ms Int64 (to_ms
-- exclusive). Returns start_ms, ascending.
SELECT toInt64(toUnixTimestamp(bucket)) * 1000 AS start_ms
FROM usage_per_15m
WHERE organization = {organization:String} AND is_deleted = 0
    AND bucket >= toDateTime(intDiv({from_ms:Int64}, 1000), 'UTC') AND bucket < toDateTime(intDiv({to_ms:Int64}, 1000), 'UTC')
GROUP BY start_ms
ORDER BY start_ms
