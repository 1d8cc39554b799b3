-- What some users of a node did in a range: minutes and number of completed documents, and when they were last active with any
-- event, up to the range's end.
-- Params: kind, node, agent String as in usage_windows.sql; users Array(String); documents Array(String): the event types that
-- complete one; from_ms, to_ms Int64 (to_ms exclusive).
-- Returns user, sixtieths of the minutes (decimal string), documents, last_ms, one_organization, organizations (how many).
WITH {{in_seconds}}
SELECT
    user,
    toString({{sixtieths}}) AS sixtieths,
    countIf(is_document) AS documents,
    toUnixTimestamp64Milli(max(time)) AS last_ms,
    min(organization) AS one_organization,
    uniqExact(organization) AS organizations
FROM
(
    SELECT user, organization, time, type IN {documents:Array(String)} AS is_document,
        if(is_document, ifNull(value, toDecimal128(0, 9)), toDecimal128(0, 9)) AS part_amount, in_seconds(dims) AS part_in_seconds
    FROM usage_events FINAL
    WHERE sign = 1 AND user IN {users:Array(String)}
        AND time >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
        AND ({kind:String} != 'organization' OR organization = {node:String})
        AND ({kind:String} != 'reseller' OR reseller = {node:String})
        AND ({kind:String} != 'partner' OR partner = {node:String})
        AND ({agent:String} = '' OR agent = {agent:String})
)
GROUP BY user
