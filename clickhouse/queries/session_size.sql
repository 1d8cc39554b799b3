-- How much storage has of a session, looked at up to so many rows and 256 MiB. Params: organization, session String; most UInt32. Returns one row.
SELECT count() AS rows, sum(byteSize(*)) AS bytes
FROM (SELECT * FROM intervals WHERE organization = {organization:String} AND session = {session:String} LIMIT {most:UInt32})
SETTINGS max_threads = 1, max_block_size = 1024, max_bytes_to_read = 268435456, read_overflow_mode = 'break'
