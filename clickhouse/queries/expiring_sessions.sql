-- Organizations with sessions that were marked under a batch, and since when those may change: their earliest start.
-- Params: batch UInt64; before_ms Int64: only those that began before. Returns organization, from_ms.
SELECT organization, min(arrayMin(span_start_ms)) AS from_ms
FROM sessions FINAL
WHERE part = 0 AND notEmpty(span_start_ms) AND arrayMin(span_start_ms) < {before_ms:Int64}
    AND (organization, session) IN (SELECT organization, session FROM touched_sessions WHERE batch = {batch:UInt64})
GROUP BY organization
ORDER BY organization
