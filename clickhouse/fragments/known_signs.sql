-- Which signs of an interval without a name count, however many were sent: of each kind the latest, and where there are more than a few signs
-- of life, the first and the last of each slice of time as long as the shortest silence that may be, and of what they say of silence the last.
-- The same as rollups/interval-signs.ts. For a WITH over grouped rows `i` of `intervals`. Params: max_signs, plain_alives UInt32; usual_silence_ms Int64.
times -> if(length(times) > {max_signs:UInt32}, arraySlice(arrayReverseSort(times), 1, {max_signs:UInt32}), times) AS latest_of,
groupUniqArrayArray(i.alive_times) AS all_alives,
toUInt8(length(all_alives) > {plain_alives:UInt32}) AS is_thinned,
groupUniqArrayArray(i.alive_within_at) AS all_silences,
least(
    arrayMin(arrayPushBack(all_silences.2, {usual_silence_ms:Int64})),
    if(i.interval = '' AND max(i.alive_within).2 > 0, max(i.alive_within).2, {usual_silence_ms:Int64})) AS silence_ms,
if(is_thinned, arraySort(all_alives), []) AS sorted_alives,
arrayMap(at_ms -> intDiv(at_ms, silence_ms), sorted_alives) AS slices,
arrayFilter((at_ms, slice, before, after) -> slice != before OR slice != after, sorted_alives, slices,
    arrayPopBack(arrayPushFront(slices, toInt64(-1))), arrayPopFront(arrayPushBack(slices, toInt64(-1)))) AS thinned_alives,
if(is_thinned, arraySort(all_silences), []) AS sorted_silences,
arrayMap(one -> intDiv(one.1, silence_ms), sorted_silences) AS slices_of_silences,
arrayFilter((one, slice, after) -> slice != after, sorted_silences, slices_of_silences,
    arrayPopFront(arrayPushBack(slices_of_silences, toInt64(-1)))) AS last_silences
