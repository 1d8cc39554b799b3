-- The events of some sessions, as storing them would insert them. Session n happens on day intDiv(n, per_day) of the
-- days given, between 5 and 24 h, in one of 1,000 organizations: 20 of them hold 1 % of the sessions each, the others
-- share the rest unevenly; organization o belongs to reseller o % 10 and partner o % 2. Everything follows from n.
-- Params: first, past UInt64 (sessions, past exclusive); per_day UInt64; days Array(Int64) (their starts, ms);
-- batch UInt64; by_second_from_ms Int64: events from then on come in a batch per second, as they do while they arrive.
INSERT INTO usage_events
WITH
    number AS n,
    (salt -> cityHash64(n, salt)) AS random,
    (salt -> cityHash64(n, salt) / 18446744073709551616) AS share,
    if(share('big') < 0.2, random('which') % 20, 20 + toUInt64(980 * pow(share('which'), 1.6))) AS o,
    if(o < 20, 8000, 400) AS users,
    {days:Array(Int64)}[1 + intDiv(n, {per_day:UInt64})] + toInt64((5 + 8.6 * share('early') + 8.6 * share('late')) * 3600000) AS session_ms,
    toInt64(600000 + random('length') % 4800000) AS length_ms,
    if(random('crowd') % 50 = 0, 60, 2 + random('crowd') % 15) AS present,
    lower(hex(cityHash64(n, 'session'))) AS name,
    (text -> lower(hex(cityHash64(n, text)))) AS interval_of,
    (from_ms, text) -> from_ms + toInt64(cityHash64(n, text) % toUInt64(greatest(1, length_ms - from_ms))) AS moment,
    (p -> concat('user-', toString(o), '-', toString(toUInt64(users * pow(cityHash64(n, p, 'user') / 18446744073709551616, 1.5))))) AS user_of,
    (p -> if(cityHash64(n, p, 'device') % 3 = 0, '{"device":"mobile"}', '{"device":"desktop"}')) AS device_of,
    ['en', 'de', 'fr', 'es', 'ja'][1 + random('language') % 5] AS language,
    ['standard', 'accurate', 'fast'][1 + random('model') % 3] AS model,
    concat('{"language":"', language, '","model":"', model, '","mode":"batch","kind":"transcript","format":"vtt"}') AS transcript,
    -- type, offset in the session, user, interval, value, dims, level, action
    arrayConcat(
        arrayMap(p -> ('participant.joined', toInt64(cityHash64(n, p, 'in') % 300000), user_of(p), interval_of(toString(p)), '', device_of(p), 'participants', 'start'), range(present)),
        arrayMap(p -> ('participant.left', if(cityHash64(n, p, 'soon') % 5 = 0, moment(300000, concat('out', toString(p))), length_ms - toInt64(cityHash64(n, p, 'out') % 200000)), user_of(p), interval_of(toString(p)), '', device_of(p), 'participants', 'end'), range(present)),
        arrayMap(c -> ('chat.posted', moment(0, concat('chat', toString(c))), user_of(cityHash64(n, c, 'who') % present), '', '', if(c % 4 = 0, '{"visibility":"private"}', '{"visibility":"public"}'), '', ''), range(toUInt64(present * 1.8 * share('chatty')))),
        if(random('recorded') % 5 < 2, [('recording.started', toInt64(60000), '', interval_of('r'), '', '{}', 'recordings', 'start'), ('recording.stopped', length_ms - 1, '', interval_of('r'), '', '{}', 'recordings', 'end')], []),
        if(random('captioned') % 4 = 0, [('captions.enabled', toInt64(90000), '', interval_of('c'), '', '{}', 'captions', 'start'), ('captions.disabled', length_ms - 2, '', interval_of('c'), '', '{}', 'captions', 'end')], []),
        if(random('broadcast') % 10 = 0, [('broadcast.started', toInt64(120000), '', interval_of('b'), '', '{"medium":"video","device":"desktop"}', 'broadcast', 'start'), ('broadcast.stopped', length_ms - 3, '', interval_of('b'), '', '{"medium":"video","device":"desktop"}', 'broadcast', 'end')], []),
        arrayMap(t -> ('transcription.requested', length_ms + t, user_of(0), '', '', transcript, '', ''), range(random('transcribed') % 3)),
        arrayMap(t -> ('transcription.completed', length_ms + 60000 + t, user_of(0), '', toString((length_ms + toInt64(cityHash64(n, t, 'minutes') % 60000)) / 60000), transcript, '', ''), range(random('transcribed') % 3)),
        arrayMap(a -> ('api.called', moment(0, concat('api', toString(a))), '', '', '', '{}', '', ''), range(random('api') % 5)),
        if(random('question') % 3 = 0, [('question.posted', moment(0, 'question'), user_of(1), '', '', '{}', '', ''), ('answer.posted', moment(0, 'answer'), user_of(0), '', '', '{}', '', '')], []),
        if(random('call') % 4 = 0, [('call.completed', length_ms, user_of(0), '', toString(length_ms / 60000), '{}', '', '')], [])
    ) AS made
SELECT
    concat('org-', leftPad(toString(o), 4, '0')) AS organization,
    lower(concat(hex(toUInt64(time_ms)), hex(cityHash64(n, index, 'id')))) AS id,
    cityHash64(n, index, 'body') AS body_hash,
    fromUnixTimestamp64Milli(time_ms, 'UTC') AS time,
    fromUnixTimestamp64Milli(time_ms + 500, 'UTC') AS received_at,
    event.1 AS type,
    concat('partner-', toString(o % 2)) AS partner,
    concat('reseller-', toString(o % 10)) AS reseller,
    concat('agent-', toString(random('agent') % 5)) AS agent,
    event.3 AS user,
    name AS session,
    concat('room-', toString(random('room') % 60)) AS room,
    event.4 AS interval,
    '' AS job,
    toInt64(0) AS started_ms,
    toDecimal128OrNull(event.5, 9) AS value,
    if(event.6 = '{}', '{"device":"mobile"}', event.6) AS properties,
    event.6 AS dims,
    event.7 AS level,
    event.8 AS level_action,
    toInt64(0) AS alive_within_ms,
    'key_bench' AS key,
    if(time_ms >= {by_second_from_ms:Int64}, toUInt64(intDiv(time_ms, 1000)), {batch:UInt64}) AS batch,
    toInt8(1) AS sign
FROM
(
    SELECT n, o, name, session_ms, event, index, session_ms + event.2 AS time_ms
    FROM numbers({first:UInt64}, {past:UInt64} - {first:UInt64})
    ARRAY JOIN made AS event, arrayEnumerate(made) AS index
)
