-- (organization, UTC day) pairs of which there are events, or rows that were made of events.
-- Params: organization String ('' for all); from_day, to_day String ('YYYY-MM-DD', to_day exclusive). Returns organization, day.
SELECT DISTINCT organization, toString(one) AS day
FROM
(
    SELECT organization, toDate(time, 'UTC') AS one FROM usage_events WHERE {organization:String} = '' OR organization = {organization:String} GROUP BY organization, one
    UNION ALL
    SELECT organization, toDate(bucket, 'UTC') AS one FROM usage_per_15m WHERE {organization:String} = '' OR organization = {organization:String} GROUP BY organization, one
    UNION ALL
    SELECT organization, toDate(intDiv(seen_ms, 1000), 'UTC') AS one FROM intervals WHERE {organization:String} = '' OR organization = {organization:String} GROUP BY organization, one
    UNION ALL
    SELECT organization, toDate(minute, 'UTC') AS one FROM level_edges WHERE {organization:String} = '' OR organization = {organization:String} GROUP BY organization, one
)
WHERE one >= toDate({from_day:String}) AND one < toDate({to_day:String})
ORDER BY organization, day
