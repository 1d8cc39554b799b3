-- A fingerprint of an organization's slots on one UTC day, and the last batch that wrote events of it.
-- Params: organization String, day String. Returns one row.
SELECT
    (SELECT toString(groupBitXor(cityHash64(level, minute, net, weighted, peak, peak_at_ms, starts))) FROM level_slots FINAL
        WHERE kind = 'organization' AND node = {organization:String} AND toDate(minute, 'UTC') = toDate({day:String})
            AND (net != 0 OR weighted != 0 OR peak != 0 OR starts != 0)) AS slots,
    (SELECT max(batch) FROM usage_events WHERE organization = {organization:String} AND toDate(time, 'UTC') = toDate({day:String})) AS last_batch
