-- Where the organizations that ever moved stood, and since when: what the account tree says (node_parents), for queries. A row is all of
-- one organization's stays, in order of time, the first since 1970; the newest version wins. One that never moved has no row:
-- the path that its events carry is right.
CREATE TABLE organization_stays
(
    organization String,
    version UInt64,
    since_ms Array(Int64),
    partner Array(String),
    reseller Array(String)
)
ENGINE = ReplacingMergeTree(version)
ORDER BY organization
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 256;
