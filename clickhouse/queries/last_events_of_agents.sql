-- The same as last_events_of_keys.sql of the agents of these names in these organizations: some may be another organization's.
-- Params: organizations, agents Array(String); after, settled UInt64, from_ms Int64. Returns organization, agent, key, first_ms,
-- last_ms.
SELECT
    organization,
    agent,
    key,
    min(toUnixTimestamp64Milli(received_at)) AS first_ms,
    max(toUnixTimestamp64Milli(received_at)) AS last_ms
FROM usage_events
WHERE organization IN {organizations:Array(String)} AND agent IN {agents:Array(String)}
  AND batch > {after:UInt64} AND batch <= {settled:UInt64}
  AND time >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND sign = 1
GROUP BY organization, agent, key
