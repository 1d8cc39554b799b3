-- What some users of a node did in a range: minutes and number of completed documents, and when they were last active with any
-- event, up to the range's end.
-- Params: kind, node, agent String as in usage_windows.sql; users Array(String); documents Array(String): the event types that
-- complete one; from_ms, to_ms Int64 (to_ms exclusive).
-- Returns user, minutes (decimal string), documents, last_ms, one_organization, organizations (how many).
SELECT
    user,
    toString(sumIf(ifNull(value, toDecimal128(0, 9)), is_document)) AS minutes,
    countIf(is_document) AS documents,
    toUnixTimestamp64Milli(max(time)) AS last_ms,
    min(organization) AS one_organization,
    uniqExact(organization) AS organizations
FROM
(
    SELECT user, organization, value, time, type IN {documents:Array(String)} AS is_document
    FROM usage_events FINAL
    WHERE sign = 1 AND user IN {users:Array(String)}
        AND time >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
        AND ({kind:String} != 'organization' OR organization = {node:String})
        AND ({kind:String} != 'reseller' OR reseller = {node:String})
        AND ({kind:String} != 'partner' OR partner = {node:String})
        AND ({agent:String} = '' OR agent = {agent:String})
)
GROUP BY user
