-- Marks some sessions for derivation, the same ones each time.
-- Params: batch UInt64, sessions UInt32.
INSERT INTO touched_sessions (batch, organization, session, level, interval)
SELECT {batch:UInt64}, organization, session, '', ''
FROM sessions
ORDER BY cityHash64(organization, session)
LIMIT {sessions:UInt32}
