-- The organizations with events stored or corrected under the batches after `after` up to `settled`.
-- Params: after, settled UInt64. Returns organization.
SELECT DISTINCT organization
FROM usage_events
WHERE batch > {after:UInt64} AND batch <= {settled:UInt64}
