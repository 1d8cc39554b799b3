-- Whether an agent of an organization has any usage.
-- Params: organization, agent String.
-- Returns found: one row where there is some, none where there is not.
SELECT 1 AS found
FROM usage_per_15m
WHERE organization = {organization:String} AND agent = {agent:String}
LIMIT 1
