-- The intervals of the CTE `named` that events of several sessions name.
split AS
(
    SELECT organization, level, interval FROM interval_sessions
    WHERE (organization, level, interval) IN (SELECT organization, level, interval FROM named)
    GROUP BY organization, level, interval
    HAVING {{is_split}}
)
