-- Up to where the rollup answers a range, in ms: with the quarter of an hour that the range ends within where nothing is stored of that
-- quarter after the end, as when the end is now; then no event has to be looked for. To find that out costs little: parts know the
-- times they hold, and older ones are not read. For a WITH. Params: to_ms Int64, the range's end; whole_to_ms Int64, the last multiple of 15 minutes up to it;
-- rounded_to_ms Int64, the next one, or whole_to_ms where a window begins between them.
if(
    (SELECT count() FROM usage_events WHERE time >= fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({rounded_to_ms:Int64}, 'UTC')) = 0,
    {rounded_to_ms:Int64}, {whole_to_ms:Int64}) AS whole_end_ms
