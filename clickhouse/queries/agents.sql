-- The agents of an organization in the order of their addresses: all that its events have ever named.
-- Params: organization, search String: part of an agent's id, in any case ('': any); after String: only those behind this one, as an
-- address has it (server/contract/node-address.ts); most UInt64: rows.
-- Returns agent.
SELECT DISTINCT agent, replaceAll(replaceAll(agent, '%', '%25'), '/', '%2F') AS place
FROM usage_per_15m
WHERE organization = {organization:String} AND agent != '' AND place > {after:String}
    AND ({search:String} = '' OR positionCaseInsensitiveUTF8(agent, {search:String}) > 0)
ORDER BY place
LIMIT {most:UInt64}
