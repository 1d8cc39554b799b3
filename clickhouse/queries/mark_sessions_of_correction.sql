-- Marks the sessions that a correction concerns, and named intervals, beside their sessions or without one: an event that counts no
-- more may have been the one that said which session its interval belongs to.
-- Params: batch UInt64 (the one to mark them under); organizations, sessions, levels, intervals Array(String), in parallel: '' for a
-- session where an interval is named, and the other way round.
INSERT INTO touched_sessions (batch, organization, session, level, interval)
SELECT {batch:UInt64}, marked.1, marked.2, marked.3, marked.4
FROM
(
    SELECT arrayJoin(arrayZip({organizations:Array(String)}, {sessions:Array(String)}, {levels:Array(String)}, {intervals:Array(String)})) AS marked
)
