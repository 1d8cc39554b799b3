-- Where the dirty sessions are cut into shares: every so many-th of them in order of (organization, session), so that the rows of a share
-- lie together and each of them is read once. Params: those of fragments/of_batches.sql; sessions UInt32 (of a share).
SELECT organization, session
FROM
(
    SELECT organization, session FROM touched_sessions
    WHERE {{of_batches}} AND session != ''
    GROUP BY organization, session
    ORDER BY organization, session
)
WHERE (rowNumberInAllBlocks() + 1) % {sessions:UInt32} = 0
{{derivation_bounds}}
