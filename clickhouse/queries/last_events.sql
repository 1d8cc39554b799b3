-- When the last event of each organization was received, of those that had any since `from_ms`.
-- Params: organizations Array(String), from_ms Int64. Returns organization, last_ms.
SELECT organization, max(toUnixTimestamp64Milli(received_at)) AS last_ms
FROM usage_events
WHERE organization IN {organizations:Array(String)} AND time >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND sign = 1
GROUP BY organization
