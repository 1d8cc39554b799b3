-- Which of some ids were stored in the last weeks, and with which body. Rows of the request are unnested from two
-- parallel arrays, so that the statement stays the same whatever their number.
-- Params: organizations Array(String), ids Array(String).
SELECT organization, id, toString(any(body_hash)) AS body_hash
FROM event_ids
WHERE (organization, id) IN (SELECT arrayJoin(arrayZip({organizations:Array(String)}, {ids:Array(String)})))
GROUP BY organization, id
