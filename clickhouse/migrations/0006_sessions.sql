-- One row per session: what its intervals came to. Written by server/ingest/derive-levels.ts, a pure function of
-- `intervals` and the time (an interval without an end may time out); the newest version wins.
-- It is written last, after level_edges and level_slots: a crash in between leaves this row as it was, so the next
-- derivation finds the same difference again.
--
-- spans: every interval that counts, as parallel arrays (end 0: open). edges: per level and instant the net change and
-- the number of starts; level `sessions` holds the instants at which the session turns active or idle.
CREATE TABLE sessions
(
    organization String,
    session String,
    version UInt64,
    partner LowCardinality(String),
    reseller LowCardinality(String),
    room String,
    started_ms Int64,            -- the first participant's start; 0: none yet
    ended_ms Int64,              -- the last end; 0: somebody is still there, or nobody ever was
    open_spans UInt32,
    deadline_ms Int64,           -- when the next open interval times out; 0: none is open
    peak_participants UInt32,
    peak_at_ms Int64,
    orphans UInt32,              -- ends and signs of life without a start, counted nowhere
    inverted UInt32,             -- ends before their starts, counted as zero
    timed_out UInt32,
    span_level Array(LowCardinality(String)),
    span_interval Array(String),
    span_user Array(String),
    span_agent Array(String),
    span_dims Array(LowCardinality(String)),  -- canonical JSON; '': none
    span_start_ms Array(Int64),
    span_end_ms Array(Int64),
    span_timed_out Array(UInt8),
    edge_level Array(LowCardinality(String)),
    edge_ms Array(Int64),
    edge_delta Array(Int64),
    edge_starts Array(Int64),
    days Array(UInt16)                        -- since 1970: where presences has, or once had, rows of the session
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (organization, session)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 256;

-- The sessions with an open interval, few at any time: what is live, and what may time out.
CREATE TABLE open_sessions
(
    organization String,
    session String,
    version UInt64,
    deadline_ms Int64,
    is_deleted UInt8
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (organization, session)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 256, allow_experimental_replacing_merge_with_cleanup = 1;
