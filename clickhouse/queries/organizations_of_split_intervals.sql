-- The organizations of those among some intervals that events of several sessions name. Params: organizations, levels, intervals Array(String), in parallel.
SELECT DISTINCT organization FROM
(
    SELECT organization FROM interval_sessions
    WHERE (organization, level, interval) IN (SELECT arrayJoin(arrayZip({organizations:Array(String)}, {levels:Array(String)}, {intervals:Array(String)})))
    GROUP BY organization, level, interval
    HAVING {{is_split}}
)
{{derivation_bounds}}
