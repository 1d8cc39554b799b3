-- Rows of level_slots as computed by server/rollups/minute-slots.ts.
-- Params: epoch UInt64 (it is refused when another has begun).
INSERT INTO level_slots (kind, node, level, minute, version, net, weighted, peak, peak_at_ms, starts)
SELECT kind, node, level, minute, version, net, weighted, peak, peak_at_ms, starts
FROM input('kind String, node String, level String, minute DateTime(\'UTC\'), version UInt64, net Int64, weighted Int64, peak Int64, peak_at_ms Int64, starts Int64')
WHERE {{of_this_epoch}}
FORMAT TabSeparated
