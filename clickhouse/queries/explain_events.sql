-- The events behind a figure, the newest first, from one key on. Params: those of fragments/selected.sql and fragments/source.sql;
-- custom UInt8 as in measured_windows.sql; before_ms Int64, before_organization, before_id String: only events before this key.
-- Returns the event's columns as stored_event.sql does.
WITH {{sent_properties}},
 if({custom:UInt8} = 1, sent_properties, toString(usage_events.dims)) AS dims, {{selected}}, {{source}}
SELECT
    organization, id, toString(body_hash) AS body_hash, toUnixTimestamp64Milli(time) AS time_ms, toUnixTimestamp64Milli(received_at) AS received_ms,
    type, partner, reseller, agent, user, session, room, usage_events.interval AS interval, job, started_ms, toString(value) AS value, properties,
    toString(usage_events.dims) AS declared_dims, level, level_action, alive_within_ms, key
FROM usage_events FINAL
WHERE sign = 1 AND type IN {types:Array(String)} AND is_in_subtree AND is_selected AND is_source
    AND (toUnixTimestamp64Milli(time), organization, id) < ({before_ms:Int64}, {before_organization:String}, {before_id:String})
ORDER BY time_ms DESC, organization DESC, id DESC
LIMIT {most:UInt64}
