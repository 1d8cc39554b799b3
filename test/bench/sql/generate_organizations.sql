-- Events of many organizations over some days, as storing them would insert them: event n is of organization n % organizations,
-- of organization o belongs to reseller o % 100 and partner o % 10; large organizations have more users, not more events.
-- Everything follows from n. Params: first, past UInt64 (past exclusive); organizations UInt64; from_ms, to_ms Int64; batch UInt64.
INSERT INTO usage_events
WITH
    number AS n,
    n % {organizations:UInt64} AS o,
    (salt -> cityHash64(n, salt)) AS random,
    {from_ms:Int64} + toInt64(random('time') % toUInt64({to_ms:Int64} - {from_ms:Int64})) AS at_ms,
    ['transcription.completed', 'transcription.completed', 'transcription.completed', 'transcription.completed', 'api.called', 'api.called', 'chat.posted', 'email.sent', 'translation.completed', 'glossary.used'][1 + random('type') % 10] AS kind_of_event,
    ['en', 'de', 'fr', 'es', 'ja', 'nl', 'pt', 'it'][1 + toUInt64(8 * pow(random('language') / 18446744073709551616, 2))] AS language,
    ['standard', 'enhanced', 'law-2'][1 + random('model') % 3] AS model,
    kind_of_event = 'transcription.completed' AS is_document
SELECT
    concat('org-', leftPad(toString(o), 5, '0')) AS organization,
    lower(hex(cityHash64(n, 'id'))) AS id,
    cityHash64(n, 'body') AS body_hash,
    fromUnixTimestamp64Milli(at_ms, 'UTC') AS time,
    time AS received_at,
    kind_of_event AS type,
    concat('partner-', toString(o % 10)) AS partner,
    concat('reseller-', toString(o % 100)) AS reseller,
    '' AS agent,
    concat('user-', toString(o), '-', toString(random('user') % 8)) AS user,
    '' AS session, '' AS room, '' AS interval, '' AS job,
    toInt64(0) AS started_ms,
    if(is_document, toDecimal128((1 + random('length') % 900000) / 10000, 9), NULL) AS value,
    if(is_document, concat('{"accuracy":"', toString(80 + random('accuracy') % 20), '"}'), '') AS properties,
    if(is_document, concat('{"language":"', language, '","model":"', model, '","kind":"transcript"}'), if(kind_of_event IN ('translation.completed', 'glossary.used'), '{"language":"en"}', '')) AS dims,
    '' AS level, '' AS level_action, toInt64(0) AS alive_within_ms, 'bench' AS key, {batch:UInt64} AS batch, toInt8(1) AS sign
FROM numbers({first:UInt64}, {past:UInt64} - {first:UInt64})
