-- Sessions of a subtree that overlap a range, newest first by (start, organization, session), from one key on. The start is the
-- first participant's; of a session without participants that of its first interval, and the end likewise.
-- Params: kind, node, agent String as in usage_windows.sql: of an agent's sessions only its own intervals are looked at;
-- organization, session String: only this one, '' for any; filter_dimensions, filter_operators Array(String), filter_values
-- Array(Array(String)): all must hold, `user` and `agent` for an interval of the session; state String: open, ended, or ''
-- for any; from_ms, to_ms Int64 (to_ms exclusive); now_ms Int64; before_ms Int64, before_organization, before_session
-- String: only sessions before this key; most UInt32; with_spans UInt8: whether to return the intervals.
-- Returns columns of `sessions`; first_ms (0: nothing counts yet), last_ms (0: open), is_open, participants: distinct users.
WITH
    {{holds}},
    owner -> ({agent:String} = '' OR owner = {agent:String}) AS is_own,
    arrayFilter((at_ms, level, owner) -> level = 'participants' AND is_own(owner), span_start_ms, span_level, span_agent) AS present_starts,
    arrayFilter((at_ms, level, owner) -> level = 'participants' AND is_own(owner), span_end_ms, span_level, span_agent) AS present_ends,
    if(empty(present_starts), arrayFilter((at_ms, owner) -> is_own(owner), span_start_ms, span_agent), present_starts) AS starts,
    if(empty(present_starts), arrayFilter((at_ms, owner) -> is_own(owner), span_end_ms, span_agent), present_ends) AS ends,
    if(empty(starts), 0, arrayMin(starts)) AS first_ms,
    if(empty(ends) OR has(ends, 0), 0, arrayMax(ends)) AS last_ms,
    first_ms != 0 AND (last_ms = 0 OR last_ms > {now_ms:Int64}) AS is_open,
    dimension -> multiIf(
        dimension = 'user', span_user, dimension = 'agent', span_agent, dimension = 'room', [room],
        dimension = 'organization', [organization], [session]) AS values_of
SELECT
    organization, session, toString(partner) AS partner, toString(reseller) AS reseller, room, first_ms, last_ms, is_open,
    peak_participants, peak_at_ms, orphans, inverted,
    arrayUniq(arrayFilter((user, level, owner) -> user != '' AND level = 'participants' AND is_own(owner), span_user, span_level, span_agent)) AS participants,
    arrayCount((end_ms, owner) -> end_ms = 0 AND is_own(owner), span_end_ms, span_agent) AS open_intervals,
    arrayCount((timed_out, owner) -> timed_out AND is_own(owner), span_timed_out, span_agent) AS timed_out,
    if({with_spans:UInt8} = 0, [], arrayFilter(span -> is_own(span.4), arrayZip(span_level, span_interval, span_user, span_agent, span_dims, span_start_ms, span_end_ms, span_timed_out))) AS spans
FROM sessions FINAL
WHERE (organization, session) IN
(
    SELECT organization, session
    FROM sessions FINAL
    WHERE ({kind:String} != 'organization' OR organization = {node:String})
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
