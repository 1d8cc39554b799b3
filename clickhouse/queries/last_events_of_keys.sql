-- When the first and the last event of each organization by each key were received, of what is stored or was changed under the
-- batches after `after` up to `settled` and happened since `from_ms`.
-- Params: after, settled UInt64, from_ms Int64. Returns organization, key, first_ms, last_ms.
SELECT
    organization,
    key,
    min(toUnixTimestamp64Milli(received_at)) AS first_ms,
    max(toUnixTimestamp64Milli(received_at)) AS last_ms
FROM usage_events
WHERE batch > {after:UInt64} AND batch <= {settled:UInt64}
  AND time >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND sign = 1
GROUP BY organization, key
