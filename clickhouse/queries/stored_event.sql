-- Every key under which one event stands or stood: its row with sign 1, and with sign -1 what counts no more.
-- Params: organization, id String; any_source UInt8: 1 for CloudEvents of every source that have this id, too; from_ms, to_ms Int64 (to_ms exclusive): where its time is looked for.
-- Returns the columns of usage_events, times in ms since 1970.
SELECT {{event_row}}, batch, sign
FROM usage_events FINAL
WHERE organization = {organization:String} AND (id = {id:String} OR {any_source:UInt8} = 1 AND startsWith(id, concat({id:String}, char(0))))
    AND time >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
