-- The events behind a figure, the newest first, from one key on. Params: those of fragments/selected.sql and fragments/source.sql;
-- custom UInt8 as in measured_windows.sql; before_ms Int64, before_organization, before_id String: only events before this key.
-- Returns the event's columns as stored_event.sql does, dims as they are selected by, and declared_dims as they are stored.
WITH {{sent_properties}},
 if({custom:UInt8} = 1, sent_properties, toString(usage_events.dims)) AS dims, {{selected}}, {{source}}
SELECT {{event_row}}, toString(usage_events.dims) AS declared_dims
FROM usage_events FINAL
WHERE sign = 1 AND type IN {types:Array(String)} AND is_in_subtree AND is_selected AND is_source
    AND (toUnixTimestamp64Milli(time), organization, id) < ({before_ms:Int64}, {before_organization:String}, {before_id:String})
ORDER BY time_ms DESC, organization DESC, id DESC
LIMIT {most:UInt64}
