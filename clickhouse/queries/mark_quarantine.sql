-- Remembers what came of sending quarantined events again: their rows once more under a later version.
-- Params: received Array(Int64), batches Array(UInt64), rows Array(UInt32), the keys; from_ms, to_ms Int64: between which they were received (to_ms
-- exclusive); outcomes, codes, fields, messages Array(String), the n-th of each for the n-th key; at_ms Int64, also the version.
INSERT INTO quarantine (batch, row, received_at, organization, id, code, field, message, key, raw, outcome, outcome_code, outcome_field, outcome_message, outcome_at, version)
SELECT
    batch, row, received_at, organization, id, code, field, message, key, raw,
    {outcomes:Array(String)}[position], {codes:Array(String)}[position], {fields:Array(String)}[position], {messages:Array(String)}[position],
    fromUnixTimestamp64Milli({at_ms:Int64}, 'UTC'), toUInt64({at_ms:Int64})
FROM
(
    SELECT *, indexOf(arrayZip({received:Array(Int64)}, {batches:Array(UInt64)}, {rows:Array(UInt32)}), (toUnixTimestamp64Milli(received_at), batch, row)) AS position
    FROM quarantine FINAL
    WHERE received_at >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND received_at < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
)
WHERE position > 0
