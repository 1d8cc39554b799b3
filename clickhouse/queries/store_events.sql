-- Stores one sealed batch; the views fan it out. Sending the same batch again writes the same keys.
-- Params: batch UInt64. Rows: the columns of an event line of the write-ahead log;
-- `checked` was for the sealer and is left behind.
INSERT INTO usage_events
SELECT
    organization, id, body_hash,
    fromUnixTimestamp64Milli(time_ms, 'UTC'), fromUnixTimestamp64Milli(received_ms, 'UTC'),
    type, partner, reseller, agent, user, session, room, interval, job, started_ms, value, properties, dims,
    level, level_action, alive_within_ms, key, {batch:UInt64}, 1
FROM input('checked UInt8, organization String, id String, body_hash UInt64, time_ms Int64, received_ms Int64, type String, partner String, reseller String, agent String, user String, session String, room String, interval String, job String, started_ms Int64, value Nullable(Decimal(38, 9)), properties String, dims String, level String, level_action String, alive_within_ms Int64, key String')
FORMAT TabSeparated
