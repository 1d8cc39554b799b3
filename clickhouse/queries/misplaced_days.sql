-- The UTC days on which events of some organizations carry another path than the organization had at their time.
-- Params: organizations Array(String), of which organization_stays has rows; since_ms Int64: of events from then on.
-- Returns day ('YYYY-MM-DD') and the organizations.
SELECT toString(toDate(time, 'UTC')) AS day, groupUniqArray(organization) AS misplaced
FROM usage_events
INNER JOIN
(
    SELECT organization, organization_stays.since_ms AS sinces, organization_stays.partner AS partners, organization_stays.reseller AS resellers
    FROM organization_stays FINAL
    WHERE organization IN {organizations:Array(String)}
) AS placements USING (organization)
WHERE organization IN {organizations:Array(String)} AND time >= fromUnixTimestamp64Milli({since_ms:Int64}, 'UTC')
    AND (toString(partner), toString(reseller)) != arrayMap(position -> (partners[position], resellers[position]), [arrayLastIndex(at_ms -> at_ms <= toUnixTimestamp64Milli(time), sinces)])[1]
GROUP BY day
ORDER BY day
