-- Which unassigned intervals (session = '') may belong to the sessions of the CTE `wanted`: those that events of these sessions name, and those
-- whose placeholder session, `interval:<name>`, is among them. By both an index finds them, however many others there are.
named AS
(
    SELECT DISTINCT organization, level, interval FROM intervals
    WHERE session != '' AND interval != '' AND (organization, session) IN (SELECT organization, session FROM wanted)
),
waiting AS
(
    SELECT DISTINCT organization, substring(session, 10) AS interval FROM wanted WHERE startsWith(session, 'interval:')
)
