-- The same as counter_windows.sql where no range begins or ends within a quarter of an hour, so that no event has to be read. What a
-- statement costs is for the most part to understand it: 20 ms of CPU here, 45 there.
-- Params: kind, node String; types Array(String); bounds Array(Int64), the starts of all windows in ms, ascending, and of what lies
-- before the ranges, between two, and after, which the caller drops; since, until DateTime: from the first quarter up to the end of the
-- last; gap_since, gap_until DateTime: whole quarters between two ranges (equal: none).
-- Returns type, window_ms, events, sixtieths of the amount (decimal string).
WITH
    {{in_seconds}},
    {until:DateTime('UTC')} AS until,
    until AS whole_to,
    CAST([], 'Array(DateTime(\'UTC\'))') AS partial_buckets
SELECT type, roundDown(at_ms, {bounds:Array(Int64)}) AS window_ms, sum(part_events) AS events, toString({{sixtieths}}) AS sixtieths
FROM
(
    {{quarters_of_node}}
)
GROUP BY type, window_ms
HAVING events != 0
