-- How many events are behind a figure, and when the last of them was received. Params as in explain_events.sql.
WITH {{sent_properties}},
 if({custom:UInt8} = 1, sent_properties, toString(usage_events.dims)) AS dims, {{selected}}, {{source}}
SELECT count() AS events, toUnixTimestamp64Milli(max(received_at)) AS last_received_ms
FROM usage_events FINAL
WHERE sign = 1 AND type IN {types:Array(String)} AND is_in_subtree AND is_selected AND is_source
