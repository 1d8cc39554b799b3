-- The organizations of which an event named an interval, but not its session. No params.
SELECT DISTINCT organization FROM intervals WHERE session = '' AND interval != ''
