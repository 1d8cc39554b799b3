-- How many events were put in quarantine since an instant. Params: from_ms Int64. Returns one row: events.
SELECT uniqExact(received_at, batch, row) AS events
FROM quarantine
WHERE received_at >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC')
