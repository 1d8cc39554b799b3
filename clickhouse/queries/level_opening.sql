-- A level of a node just before an instant: the sum of all earlier changes.
-- Params: kind, node String; levels Array(String); at_ms Int64. Returns level, value.
SELECT level, sum(change) AS value
FROM
(
    SELECT level, net AS change
    FROM level_slots FINAL
    WHERE kind = {kind:String} AND node = {node:String} AND level IN {levels:Array(String)}
        AND minute < toDateTime(intDiv({at_ms:Int64}, 60000) * 60, 'UTC')
    UNION ALL
    SELECT level, arraySum((at_ms, delta) -> if(at_ms < {at_ms:Int64}, delta, 0), edge_ms, edge_delta) AS change
    FROM level_edges FINAL
    WHERE minute = toDateTime(intDiv({at_ms:Int64}, 60000) * 60, 'UTC') AND level IN {levels:Array(String)}
        AND multiIf({kind:String} = 'organization', organization = {node:String}, {kind:String} = 'reseller', reseller = {node:String}, {kind:String} = 'partner', partner = {node:String}, 1)
)
GROUP BY level
