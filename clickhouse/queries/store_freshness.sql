-- Keeps how long the events that were settled lately took. Params: at_ms Int64; lag_ms, weights Array(UInt32), of one length.
INSERT INTO freshness_samples
SELECT fromUnixTimestamp64Milli({at_ms:Int64}, 'UTC'), {lag_ms:Array(UInt32)}, {weights:Array(UInt32)}
