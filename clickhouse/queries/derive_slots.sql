-- Computes the 1-minute slots in which one derivation changed edges, for every node above them, from all edges of those
-- minutes: the union of the subtree, so a peak is exact at each node. Repeating it writes the same rows.
-- Params: version UInt64 (that the changed edges were written with, and the slots get); before UInt32 (seconds since 1970:
-- minutes from here on are left to server/rollups/minute-slots.ts, which computes the same from memory); former_kinds, former_nodes
-- Array(String): nodes above which changed edges stood before, which their new rows do not say;
-- epoch UInt64 (it is refused when another has begun).
INSERT INTO level_slots (kind, node, level, minute, version, net, weighted, peak, peak_at_ms, starts)
WITH
    changed AS
    (
        SELECT DISTINCT minute, level, arrayJoin(arrayConcat(
            [('organization', organization), ('reseller', toString(reseller)), ('partner', toString(partner)), ('all', '')],
            arrayZip({former_kinds:Array(String)}, {former_nodes:Array(String)}))) AS node_key
        FROM level_edges
        WHERE version = {version:UInt64} AND minute < toDateTime({before:UInt32}, 'UTC')
    )
SELECT kind, node, level, minute, {version:UInt64}, net, weighted, peak, peak_at_ms, starts
FROM ({{slots_of_edges}})
WHERE {{of_this_epoch}}
