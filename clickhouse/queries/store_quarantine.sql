-- Keeps the rejected events of one batch. Sending them again writes the same keys.
-- Params: batch UInt64. Rows: row number in the batch, then the columns of a quarantine line of the write-ahead log.
INSERT INTO quarantine (batch, row, received_at, organization, id, code, field, message, key, raw)
SELECT {batch:UInt64}, row, fromUnixTimestamp64Milli(received_ms, 'UTC'), organization, id, code, field, message, key, raw
FROM input('row UInt32, received_ms Int64, organization String, id String, code String, field String, message String, key String, raw String')
FORMAT TabSeparated
