-- Presences of an organization's sessions on one UTC day, and those of no day, that are not what its sessions come to.
-- Params: organization String, day String.
-- Columns session_hash, part, day; expected, found: (partner, reseller, room, [(level, user_hash, since_ms, until_ms)]).
WITH asked AS (SELECT arrayJoin([toDate({day:String}), toDate('1970-01-01')]) AS one)
SELECT session_hash, part, day, anyIf(said, is_expected) AS expected, anyIf(said, NOT is_expected) AS found
FROM
(
    SELECT session_hash, part, day, is_expected,
        (toString(partner), toString(reseller), room, arraySort(arrayMap((a, b, c, d) -> (toString(a), b, c, d), level, user_hash, since_ms, until_ms))) AS said
    FROM
    (
        SELECT session_hash, part, day, toUInt8(1) AS is_expected, partner, reseller, room, level, user_hash, since_ms, until_ms
        FROM
        (
            WITH sessions AS (SELECT * FROM sessions FINAL WHERE organization = {organization:String})
            SELECT * FROM ({{presences_of_parts}})
        )
        WHERE day IN asked AND notEmpty(level)
        UNION ALL
        SELECT session_hash, part, day, toUInt8(0), partner, reseller, room, level, user_hash, since_ms, until_ms
        FROM presences FINAL
        WHERE organization = {organization:String} AND day IN asked AND notEmpty(level)
    )
)
GROUP BY session_hash, part, day
HAVING expected != found
