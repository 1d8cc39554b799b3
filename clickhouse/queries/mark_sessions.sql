-- Marks sessions for derivation. Params: batch UInt64; organizations, sessions Array(String), in parallel.
INSERT INTO touched_sessions (batch, organization, session, level, interval)
SELECT {batch:UInt64}, name.1, name.2, '', ''
FROM (SELECT arrayJoin(arrayZip({organizations:Array(String)}, {sessions:Array(String)})) AS name)
