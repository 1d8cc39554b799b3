-- Marks for derivation the sessions of which an open interval has been silent for longer than its timeout.
-- Params: batch UInt64 (the one to mark them under), now Int64 (ms).
INSERT INTO touched_sessions (batch, organization, session, level, interval)
SELECT {batch:UInt64}, organization, session, '', ''
FROM open_sessions FINAL
WHERE deadline_ms < {now:Int64}
