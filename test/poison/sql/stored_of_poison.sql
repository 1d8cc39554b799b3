-- What storage holds after poison: events, the sound ones among them, what waits in quarantine, and what was counted.
SELECT
    (SELECT count() FROM usage_events FINAL) AS stored,
    (SELECT countIf(startsWith(id, 'sound-')) FROM usage_events FINAL) AS sound,
    (SELECT sum(events) FROM usage_per_15m FINAL) AS counted,
    (SELECT count() FROM quarantine FINAL) AS quarantined,
    (SELECT sumIf(events, outcome = 'accepted') FROM ingest_outcomes_per_minute FINAL) AS accepted,
    (SELECT sumIf(events, outcome = 'duplicate') FROM ingest_outcomes_per_minute FINAL) AS duplicates,
    (SELECT sumIf(events, outcome = 'rejected') FROM ingest_outcomes_per_minute FINAL) AS rejected
