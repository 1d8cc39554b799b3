-- What events say one by one, per window and key and over all of the range, from the events
-- themselves: sums, weighted averages, extremes and distinct values of `value` or one of their properties.
-- Params: those of fragments/selected.sql, its dims the declared dimensions, or with custom 1 all properties; types Array(String);
-- measure String: a property, '' for `value`; events without that number count nowhere unless counts is 1; weight String: ''
-- for 1, else `value`; unique_of String: the dimension whose values are counted, '' for none; from_ms, to_ms, bounds as in
-- usage_windows.sql; rank String: average, amount, events, things, highest or latest; most UInt64: rows, the largest first.
-- Returns key, is_other, is_whole (1: over all of the range), window_ms (0 then), events, sixtieths (of the sum of the number), for rank
-- average (weighted_upper * 10^11 + weighted_lower / 10^9) / weights, which is the average,
-- things, highest with its first instant, latest with its instant, both in sixtieths; decimal strings.
WITH
    {{in_seconds}},
    {{sent_properties}},
    if({custom:UInt8} = 1, sent_properties, toString(usage_events.dims)) AS dims,
    {{selected}},
    toDecimal256(value, 9) * if(in_seconds(usage_events.dims), 1, 60) AS value_in_sixtieths,
    {{measured_property}},
    if({measure:String} = '', value_in_sixtieths, toDecimal256(measured_property, 9) * 60) AS number,
    if({weight:String} = '', toNullable(toDecimal256(60, 9)), value_in_sixtieths) AS heft,
    -- The products of the largest numbers and weights are more than 256 bits hold: they are added up in two parts, those of the upper
    -- digits of the number in billionths and those of its last twenty.
    toInt256('100000000000000000000') AS two_parts,
    toInt256(number * 1000000000) AS billionths,
    intDiv(billionths, two_parts) AS upper_digits,
    value_of({unique_of:String}) AS thing,
    toUnixTimestamp64Milli(time) AS at_ms,
    greatest(roundDown(at_ms, {bounds:Array(Int64)}), {from_ms:Int64}) AS window_start_ms
SELECT
    group_key.1 AS key,
    group_key.2 AS is_other,
    grouping(window_start_ms) AS is_whole,
    window_start_ms AS window_ms,
    count() AS events,
    toString(ifNull(sum(number), toDecimal256(0, 9))) AS sixtieths,
    if({rank:String} = 'average', ifNull(sum(upper_digits * heft), toDecimal256(0, 9)), toDecimal256(0, 9)) AS weighted_upper_digits,
    if({rank:String} = 'average', ifNull(sum((billionths - upper_digits * two_parts) * heft), toDecimal256(0, 9)), toDecimal256(0, 9)) AS weighted_last_digits,
    toString(weighted_upper_digits) AS weighted_upper,
    toString(weighted_last_digits) AS weighted_lower,
    toString(ifNull(sum(heft), toDecimal256(0, 9)) * 60) AS weights,
    uniqExactIf(thing, thing != '') AS things,
    toString(ifNull(max(number), toDecimal256(0, 9))) AS highest,
    argMin(at_ms, (-number, at_ms)) AS highest_at_ms,
    toString(ifNull(argMax(number, (at_ms, id)), toDecimal256(0, 9))) AS latest,
    max(at_ms) AS latest_at_ms
FROM usage_events FINAL
WHERE sign = 1 AND type IN {types:Array(String)}
    AND time >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    AND is_in_subtree AND is_selected AND ({counts:UInt8} = 1 OR (isNotNull(number) AND isNotNull(heft)))
GROUP BY GROUPING SETS ((group_key, window_start_ms), (group_key))
ORDER BY
    multiIf(
        {rank:String} = 'average', (toFloat64(weighted_upper_digits) * 1e20 + toFloat64(weighted_last_digits)) / toFloat64(weights), {rank:String} = 'events', toFloat64(events), {rank:String} = 'things', toFloat64(things),
        {rank:String} = 'highest', toFloat64(highest), {rank:String} = 'latest', toFloat64(latest), toFloat64(sixtieths)) DESC,
    -- What a double takes for equal.
    multiIf({rank:String} = 'highest', max(number), {rank:String} = 'latest', argMax(number, (at_ms, id)), {rank:String} = 'amount', sum(number), toDecimal256(0, 9)) DESC,
    key, window_ms
LIMIT {most:UInt64}
