-- Sessions of a subtree that overlap a range, newest first by (start, organization, session), from one key on; of one that ran while its
-- organization moved a parent sees what it was under that parent, from the move on or until it (clickhouse/migrations/0017_sessions.sql). The start is the
-- first participant's; of a session without participants that of its first interval, and the end likewise.
-- Params: kind, node, agent String as in usage_windows.sql: of an agent's sessions only its own intervals are looked at;
-- organization, session String: only this one, '' for any; filter_dimensions, filter_operators Array(String), filter_values
-- Array(Array(String)): all must hold, `user` and `agent` for an interval of the session; state String: open, ended, or ''
-- for any; from_ms, to_ms Int64 (to_ms exclusive); now_ms Int64; before_ms Int64, before_organization, before_session
-- String: only sessions before this key; most UInt32; max_spans UInt32: how many intervals to return, in the order of their
-- starts; spans_from_ms Int64, spans_after UInt32: those that start from then on but for the first so many.
-- Returns columns of `sessions`; first_ms (0: nothing counts yet), last_ms (0: open), is_open, participants: distinct users;
-- peak, peak_ms: of an agent's own intervals where one asks; an end frees before a start at the same time.
WITH
    {{holds}},
    -- Where a parent of some of the time asks: what the session was in that time.
    {kind:String} IN ('reseller', 'partner') AS is_of_parents,
    if(is_of_parents, parts = 0, part = 0) AS is_read,
    values -> if(part = 0, values, arrayFilter((one, start_ms, end_ms) -> start_ms < until_ms AND (end_ms = 0 OR end_ms > since_ms OR start_ms >= since_ms), values, span_start_ms, span_end_ms)) AS here,
    here(span_level) AS levels,
    here(span_user) AS users,
    here(span_agent) AS owners,
    if(part = 0, span_start_ms, arrayMap(at_ms -> greatest(at_ms, since_ms), here(span_start_ms))) AS start_times,
    if(part = 0, span_end_ms, arrayMap(at_ms -> multiIf(at_ms != 0, least(at_ms, until_ms), until_ms < 9007199254740991, until_ms, 0), here(span_end_ms))) AS end_times,
    owner -> ({agent:String} = '' OR owner = {agent:String}) AS is_own,
    arrayFilter((at_ms, level, owner) -> level = 'participants' AND is_own(owner), start_times, levels, owners) AS present_starts,
    arrayFilter((at_ms, level, owner) -> level = 'participants' AND is_own(owner), end_times, levels, owners) AS present_ends,
    if(empty(present_starts), arrayFilter((at_ms, owner) -> is_own(owner), start_times, owners), present_starts) AS starts,
    if(empty(present_starts), arrayFilter((at_ms, owner) -> is_own(owner), end_times, owners), present_ends) AS ends,
    if(empty(starts), 0, arrayMin(starts)) AS first_ms,
    if(empty(ends) OR has(ends, 0), 0, arrayMax(ends)) AS last_ms,
    first_ms != 0 AND (last_ms = 0 OR last_ms > {now_ms:Int64}) AS is_open,
    arrayFilter((start_ms, end_ms) -> end_ms != start_ms, present_starts, present_ends) AS rises,
    arrayFilter((end_ms, start_ms) -> end_ms != start_ms AND end_ms != 0, present_ends, present_starts) AS falls,
    arraySort(arrayConcat(arrayMap(at_ms -> (at_ms, 1), rises), arrayMap(at_ms -> (at_ms, -1), falls))) AS steps,
    arrayCumSum(step -> step.2, steps) AS present,
    if(empty(present), 0, greatest(0, arrayMax(present))) AS highest,
    arrayFilter(span -> is_own(span.4), arrayZip(levels, here(span_interval), users, owners, here(span_dims), start_times, end_times, here(span_timed_out))) AS own_spans,
    dimension -> multiIf(
        dimension = 'user', users, dimension = 'agent', owners, dimension = 'room', [room],
        dimension = 'organization', [organization], [session]) AS values_of
SELECT
    organization, session, toString(partner) AS partner, toString(reseller) AS reseller, room, first_ms, last_ms, is_open,
    if({agent:String} = '', peak_participants, toUInt32(highest)) AS peak,
    multiIf({agent:String} = '', peak_at_ms, highest = 0, 0, steps[indexOf(present, highest)].1) AS peak_ms, orphans, inverted,
    arrayUniq(arrayFilter((user, level, owner) -> user != '' AND level = 'participants' AND is_own(owner), users, levels, owners)) AS participants,
    arrayCount((end_ms, owner) -> end_ms = 0 AND is_own(owner), end_times, owners) AS open_intervals,
    arrayCount((timed_out, owner) -> timed_out AND is_own(owner), here(span_timed_out), owners) AS timed_out,
    if({max_spans:UInt32} = 0, [], arraySlice(own_spans, arrayCount(span -> span.6 < {spans_from_ms:Int64}, own_spans) + {spans_after:UInt32} + 1, {max_spans:UInt32})) AS spans
FROM sessions FINAL
WHERE (organization, session, part) IN
(
    SELECT organization, session, part
    FROM sessions FINAL
    WHERE is_read
        AND ({kind:String} != 'organization' OR organization = {node:String})
        AND ({kind:String} != 'reseller' OR reseller = {node:String})
        AND ({kind:String} != 'partner' OR partner = {node:String})
        AND ({agent:String} = '' OR has(span_agent, {agent:String}))
        AND ({organization:String} = '' OR organization = {organization:String})
        AND ({session:String} = '' OR session = {session:String})
        AND (first_ms != 0 OR {session:String} != '')
        AND first_ms < {to_ms:Int64}
        AND (first_ms >= {from_ms:Int64} OR last_ms = 0 OR last_ms > {from_ms:Int64})
        AND ({state:String} = '' OR is_open = ({state:String} = 'open'))
        AND (first_ms, organization, session) < ({before_ms:Int64}, {before_organization:String}, {before_session:String})
        AND (empty({filter_dimensions:Array(String)}) OR arrayAll((dimension, operator, wanted) -> if(operator = 'not',
                arrayAll(value -> holds(operator, wanted, value), values_of(dimension)),
                arrayExists(value -> holds(operator, wanted, value), values_of(dimension))),
            {filter_dimensions:Array(String)}, {filter_operators:Array(String)}, {filter_values:Array(Array(String))}))
    ORDER BY first_ms DESC, organization DESC, session DESC
    LIMIT {most:UInt32}
)
ORDER BY first_ms DESC, organization DESC, session DESC
