-- Gathers what stands under the keys of the events of dirty sessions, of those that were stored after a batch and up to another. Where
-- they are is looked for among all events of the organization; what is read with FINAL are their keys alone.
-- Params: run UInt64; batches Array(UInt64) (dirty sessions); after, through UInt64: batches, through included;
-- most UInt64: events.
INSERT INTO gathered_events (run, organization, id, time, partner, reseller, agent, user, session, room, interval, started_ms, value, dims, level, level_action, alive_within_ms, batch, sign)
SELECT {run:UInt64}, organization, id, time, partner, reseller, agent, user, session, room, usage_events.interval, started_ms, value, dims, level,
    usage_events.level_action, alive_within_ms, batch, sign
FROM usage_events FINAL
WHERE (organization, time, id) IN
    (
        SELECT organization, time, id
        FROM usage_events
        WHERE batch > {after:UInt64} AND batch <= {through:UInt64} AND level != '' AND {{of_dirty_sessions}}
    )
LIMIT {most:UInt64}
SETTINGS max_execution_time = 60, timeout_overflow_mode = 'throw', max_memory_usage = 2147483648, max_threads = 1
