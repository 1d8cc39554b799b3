-- When a job had its first and last event: where an event of it may change figures. Params: organization, job String.
-- Returns first_ms, last_ms: one row; both 0 where nothing is found. Rows that count no more are looked at too.
SELECT toUnixTimestamp64Milli(min(time)) AS first_ms, toUnixTimestamp64Milli(max(time)) AS last_ms
FROM job_events
WHERE organization = {organization:String} AND job = {job:String}
