-- Events that were not taken, the latest received first, as far as a caller may see them.
-- Params: everything UInt8: 1 for callers at the root; organizations Array(String): those that the caller may see; own_key
-- String: the caller's own key, '' for none: of events without an organization only those that it sent; received Array(Int64),
-- batches Array(UInt64), rows Array(UInt32): only these keys, empty for any; status String: waiting, replayed, or all; filter_dimensions,
-- filter_operators Array(String), filter_values Array(Array(String)): all must hold; from_ms, to_ms Int64 (to_ms exclusive);
-- before_ms Int64, before_batch UInt64, before_row Int64: only events before this key; most UInt32.
-- Returns the columns of `quarantine`, times in ms since 1970 (0: never).
WITH
    {{holds}},
    dimension -> multiIf(dimension = 'code', toString(code), dimension = 'key', toString(key), dimension = 'organization', organization, id) AS value_of,
    outcome IN ('accepted', 'duplicate') AS is_replayed
SELECT
    batch, row, toUnixTimestamp64Milli(received_at) AS received_ms, organization, id, code, field, message, key, raw,
    outcome, outcome_code, outcome_field, outcome_message, toUnixTimestamp64Milli(outcome_at) AS outcome_ms
FROM quarantine FINAL
WHERE received_at >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND received_at < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    AND ({everything:UInt8} = 1 OR (organization != '' AND organization IN {organizations:Array(String)}) OR (organization = '' AND {own_key:String} != '' AND key = {own_key:String}))
    AND (empty({received:Array(Int64)}) OR has(arrayZip({received:Array(Int64)}, {batches:Array(UInt64)}, {rows:Array(UInt32)}), (toUnixTimestamp64Milli(received_at), batch, row)))
    AND ({status:String} = 'all' OR is_replayed = ({status:String} = 'replayed'))
    AND (toUnixTimestamp64Milli(received_at), batch, row) < ({before_ms:Int64}, {before_batch:UInt64}, {before_row:Int64})
    AND (empty({filter_dimensions:Array(String)}) OR arrayAll((dimension, operator, wanted) -> holds(operator, wanted, value_of(dimension)),
        {filter_dimensions:Array(String)}, {filter_operators:Array(String)}, {filter_values:Array(Array(String))}))
ORDER BY received_at DESC, batch DESC, row DESC
LIMIT {most:UInt32}
