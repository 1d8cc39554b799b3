-- Whether the amount of an event or a counter is in seconds (server/ingest/accept/amount-unit.ts), by its dims. For a WITH.
its_dims -> startsWith(its_dims, '{"unit":"seconds"') AS in_seconds
