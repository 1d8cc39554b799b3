-- The ids of one organization's events, each as often as it is stored.
-- Params: organization String. Returns id, copies.
SELECT id, count() AS copies
FROM usage_events FINAL
WHERE organization = {organization:String}
GROUP BY id
