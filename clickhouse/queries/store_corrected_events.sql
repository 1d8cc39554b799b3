-- Stores the rows of a correction; the views subtract those with sign -1. Sending them again writes the same keys.
-- Params: batch UInt64; sign Int8. Rows: JSON with the columns below.
INSERT INTO usage_events
SELECT
    organization, id, body_hash,
    fromUnixTimestamp64Milli(time_ms, 'UTC'), fromUnixTimestamp64Milli(received_ms, 'UTC'),
    type, partner, reseller, agent, user, session, room, interval, job, started_ms, value, properties, dims,
    level, level_action, alive_within_ms, key, {batch:UInt64}, {sign:Int8}
FROM input('organization String, id String, body_hash UInt64, time_ms Int64, received_ms Int64, type String, partner String, reseller String, agent String, user String, session String, room String, interval String, job String, started_ms Int64, value Nullable(Decimal(38, 9)), properties String, dims String, level String, level_action String, alive_within_ms Int64, key String')
FORMAT JSONEachRow
