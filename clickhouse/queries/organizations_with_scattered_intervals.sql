-- The organizations of which an event named an interval, but not its session, or another session than others of its events. No params. Some come twice.
SELECT DISTINCT organization FROM intervals WHERE session = '' AND interval != ''
UNION ALL
SELECT DISTINCT organization FROM
(
    SELECT organization FROM interval_sessions
    GROUP BY organization, level, interval
    HAVING {{is_split}}
)
SETTINGS optimize_aggregation_in_order = 1
