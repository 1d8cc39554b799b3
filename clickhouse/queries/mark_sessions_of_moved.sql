-- Marks for derivation the sessions of which something lies at or after the instant at which their organizations moved, and those with
-- orphans or inverted intervals, whenever these were.
-- Params: batch UInt64 (the one to mark them under); organizations Array(String); since_ms Int64.
INSERT INTO touched_sessions (batch, organization, session, level, interval)
SELECT DISTINCT {batch:UInt64}, organization, session, '', ''
FROM sessions
WHERE organization IN {organizations:Array(String)}
    AND (orphans > 0 OR inverted > 0 OR arrayExists((start_ms, end_ms) -> end_ms = 0 OR end_ms >= {since_ms:Int64} OR start_ms >= {since_ms:Int64}, span_start_ms, span_end_ms))
