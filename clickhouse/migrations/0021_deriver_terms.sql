-- Who derives levels, by term: each process that begins to writes a larger number here. What derivation writes is refused
-- unless it is of the largest term, so a process that was stopped half way and goes on later, when
-- another has taken over, changes nothing any more.
CREATE TABLE deriver_terms
(
    term UInt64,
    begun_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY term
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
