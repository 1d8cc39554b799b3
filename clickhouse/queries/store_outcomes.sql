-- Keeps the counts of what became of the events of one batch. Sending them again writes the same keys; of different counts
-- under a key those with the larger version stand.
-- Params: batch UInt64, version UInt64.
INSERT INTO ingest_outcomes_per_minute (minute, partner, reseller, organization, agent, key, outcome, reason, batch, events, version, is_deleted)
SELECT toDateTime(minute_s, 'UTC'), partner, reseller, organization, agent, key, outcome, reason, {batch:UInt64}, events, {version:UInt64}, toUInt8(0)
FROM input('minute_s Int64, partner String, reseller String, organization String, agent String, key String, outcome String, reason String, events UInt64')
FORMAT TabSeparated
