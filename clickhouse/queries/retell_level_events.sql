-- Lets the events of one organization and UTC day say again what they say about intervals. Every column there is a minimum,
-- a maximum or a set, so this restores lost rows and changes nothing else.
-- Params: organization String, day String ('YYYY-MM-DD').
INSERT INTO level_events
SELECT organization, time, partner, reseller, agent, user, session, room, usage_events.interval, started_ms, dims, level, level_action, alive_within_ms
FROM usage_events FINAL
WHERE sign = 1 AND level != '' AND organization = {organization:String} AND toDate(time, 'UTC') = toDate({day:String})
