-- Folds the outcomes of a range of minutes that are over: per key one row of batch 0 with the sum, and the deletion of the
-- rows it was summed from, as one block of one partition: a reader with FINAL sees either the parts or the sum.
-- Params: from_ms, to_ms Int64 (whole minutes of one month), settled UInt64 (batches up to it are never sent again),
-- version UInt64 (greater than any before).
INSERT INTO ingest_outcomes_per_minute (minute, partner, reseller, organization, agent, key, outcome, reason, batch, events, version, is_deleted)
SELECT minute, partner, reseller, organization, agent, key, outcome, reason, toUInt64(0), sum(events), {version:UInt64}, toUInt8(0)
FROM ingest_outcomes_per_minute FINAL
WHERE minute >= toDateTime(intDiv({from_ms:Int64}, 1000), 'UTC') AND minute < toDateTime(intDiv({to_ms:Int64}, 1000), 'UTC') AND batch <= {settled:UInt64}
GROUP BY minute, partner, reseller, organization, agent, key, outcome, reason
HAVING max(batch) > 0
UNION ALL
SELECT minute, partner, reseller, organization, agent, key, outcome, reason, batch, toUInt64(0), {version:UInt64}, toUInt8(1)
FROM ingest_outcomes_per_minute FINAL
WHERE minute >= toDateTime(intDiv({from_ms:Int64}, 1000), 'UTC') AND minute < toDateTime(intDiv({to_ms:Int64}, 1000), 'UTC') AND batch > 0 AND batch <= {settled:UInt64}
