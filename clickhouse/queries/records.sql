-- Usage events of a subtree between two instants, newest first, from one key on.
-- Params: kind, node, agent String as in usage_windows.sql; filter_dimensions, filter_operators Array(String),
-- filter_values Array(Array(String)): all must hold; from_ms, to_ms Int64 (to_ms exclusive); settled UInt64, received_ms
-- Int64: only what was stored up to this batch, or was received by then and has a later batch because it was corrected;
-- voided UInt8: 1 to have those that count no more, too; before_ms Int64, before_organization, before_id String: only events before this key; most UInt32.
-- Returns the event's columns, times in ms since 1970, value as a decimal string or null, sign -1 of those that count no more.
WITH
    dimension -> multiIf(
        dimension = 'type', toString(type), dimension = 'organization', organization, dimension = 'agent', agent, dimension = 'user', user,
        dimension = 'session', session, dimension = 'room', room, dimension = 'interval', usage_events.interval, dimension = 'job', job,
        dimension = 'key', toString(key), dimension = 'id', substringIndex(id, char(0), 1),
        dimension = 'source', if(position(id, char(0)) = 0, '', substring(id, position(id, char(0)) + 1)), JSONExtractString(dims, dimension)) AS value_of,
    {{holds}}
SELECT
    organization, id, type, agent, user, session, room, usage_events.interval AS interval, job, started_ms, properties, toString(dims) AS declared_dims, partner, reseller, key, sign,
    toUnixTimestamp64Milli(time) AS time_ms,
    toUnixTimestamp64Milli(received_at) AS received_ms,
    toString(value) AS value
FROM usage_events FINAL
WHERE ({voided:UInt8} = 1 OR sign = 1) AND time >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    AND (batch <= {settled:UInt64} OR received_at <= fromUnixTimestamp64Milli({received_ms:Int64}, 'UTC'))
    AND ({kind:String} != 'organization' OR organization = {node:String})
    AND ({kind:String} != 'reseller' OR reseller = {node:String})
    AND ({kind:String} != 'partner' OR partner = {node:String})
    AND ({agent:String} = '' OR agent = {agent:String})
    AND (toUnixTimestamp64Milli(time), organization, id) < ({before_ms:Int64}, {before_organization:String}, {before_id:String})
    AND (empty({filter_dimensions:Array(String)}) OR arrayAll((dimension, operator, wanted) -> holds(operator, wanted, value_of(dimension)),
        {filter_dimensions:Array(String)}, {filter_operators:Array(String)}, {filter_values:Array(Array(String))}))
ORDER BY time_ms DESC, organization DESC, id DESC
LIMIT {most:UInt32}
