-- Sums and weighted averages of a number that events carry, `value` or one of their properties, per window and key, from
-- the events themselves; events without the number count nowhere.
-- Params: those of fragments/chosen.sql; types Array(String); measure String: a property, '' for `value`; weight String:
-- '' for 1, else `value` (events without it count nowhere either); from_ms, to_ms, bounds as in usage_windows.sql; most UInt64:
-- rows, the largest average or sum first as rank (average, amount) says.
-- Returns key, is_other, window_ms, events, amount (sum of the number), weighted (sum of number times weight), weights
-- (sum of weights); decimal strings.
WITH {{chosen}},
    if({measure:String} = '', value, toDecimal128OrNull(trim(BOTH '"' FROM JSONExtractRaw(properties, {measure:String})), 9)) AS number,
    if({weight:String} = '', toDecimal128(1, 9), value) AS heft
SELECT
    place.1 AS key,
    place.2 AS is_other,
    greatest(roundDown(toUnixTimestamp64Milli(time), {bounds:Array(Int64)}), {from_ms:Int64}) AS window_ms,
    count() AS events,
    toString(sum(number)) AS amount,
    toString(sum(multiplyDecimal(toDecimal256(number, 9), toDecimal256(heft, 9), 18))) AS weighted,
    toString(sum(heft)) AS weights
FROM usage_events FINAL
WHERE sign = 1 AND type IN {types:Array(String)}
    AND time >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
    AND is_in_subtree AND is_chosen AND isNotNull(number) AND isNotNull(heft)
GROUP BY key, is_other, window_ms
ORDER BY if({rank:String} = 'average', toFloat64(sum(number * toFloat64(heft))) / toFloat64(sum(heft)), toFloat64(sum(number))) DESC, key, window_ms
LIMIT {most:UInt64}
