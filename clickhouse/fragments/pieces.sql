-- From the edges of a level to its pieces per window. For a WITH over columns times Array(Int64), ascending, and levels,
-- the level from each of those times to the next one; the last lasts to the end of the range.
-- Params: from_ms, to_ms Int64 (to_ms exclusive, not after now); bounds Array(Int64), the starts of the windows, ascending,
-- the first not after from_ms.
-- piece: (since, until, level), cut to the range; windows: the indexes in bounds of the windows that a span of time touches.
(since, until) -> range(
    indexOfAssumeSorted({bounds:Array(Int64)}, roundDown(since, {bounds:Array(Int64)})),
    toUInt64(indexOfAssumeSorted({bounds:Array(Int64)}, roundDown(until - 1, {bounds:Array(Int64)})) + 1)) AS windows_of,
window_index -> greatest({bounds:Array(Int64)}[window_index], {from_ms:Int64}) AS window_start,
window_index -> if(window_index = length({bounds:Array(Int64)}), {to_ms:Int64}, least({bounds:Array(Int64)}[window_index + 1], {to_ms:Int64})) AS window_end,
(times, levels) -> arrayFilter(one -> one.1 < one.2, arrayMap(
    (since, until, level) -> (greatest(since, {from_ms:Int64}), least(until, {to_ms:Int64}), level),
    times, arrayResize(arrayPushBack(arrayPopFront(times), {to_ms:Int64}), length(times)), levels)) AS pieces_of
