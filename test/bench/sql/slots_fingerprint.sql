-- A number that changes when any slot does. No params. Returns one row.
SELECT toString(sum(cityHash64(kind, node, level, minute, net, weighted, peak, peak_at_ms, starts))) AS fingerprint
FROM level_slots FINAL
