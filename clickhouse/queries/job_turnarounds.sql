-- How long completed jobs took, per window and key of their latest completion and over all of the range:
-- from the first request, or the first start where no request is known; jobs of which neither is known, or that were completed before,
-- count nowhere.
-- Params: those of fragments/selected.sql, for what the completion says; types, steps Array(String) as in jobs.sql; from_ms, to_ms Int64
-- (to_ms exclusive), bounds as in usage_windows.sql; most UInt64: rows, the largest average first.
-- Returns key, is_other, is_whole (1: over all of the range), window_ms (0 then), jobs, took_ms (their sum).
SELECT group_key.1 AS key, group_key.2 AS is_other, grouping(window_start_ms) AS is_whole, window_start_ms AS window_ms, count() AS jobs, sum(done_ms - begun_ms) AS took_ms
FROM
(
    WITH {{selected}}
    SELECT group_key, done_ms, begun_ms, greatest(roundDown(done_ms, {bounds:Array(Int64)}), {from_ms:Int64}) AS window_start_ms
    FROM
    (
        SELECT
            organization, said.1 AS partner, said.2 AS reseller, said.3 AS agent, said.4 AS user, said.5 AS room, said.6 AS session, said.7 AS dims,
            done_ms, if(requested_ms > 0, requested_ms, started_ms) AS begun_ms
        FROM
        (
            SELECT
                organization, job,
                maxIf(time_ms, step = 'completed') AS done_ms,
                minIf(time_ms, step = 'requested') AS requested_ms,
                minIf(time_ms, step = 'started') AS started_ms,
                argMaxIf((toString(partner), toString(reseller), agent, user, room, session, toString(dims)), (time_ms, id), step = 'completed') AS said
            FROM
            (
                SELECT organization, job, partner, reseller, agent, user, room, session, dims, id,
                    toUnixTimestamp64Milli(time) AS time_ms, transform(type, {types:Array(String)}, {steps:Array(String)}, '') AS step
                FROM job_events FINAL
                WHERE sign = 1 AND type IN {types:Array(String)} AND ({kind:String} != 'organization' OR organization = {node:String})
                    AND (organization, job) IN
                    (
                        SELECT organization, job FROM job_events
                        WHERE time >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
                            AND ({kind:String} != 'organization' OR organization = {node:String})
                    )
            )
            GROUP BY organization, job
        )
        WHERE done_ms >= {from_ms:Int64} AND done_ms < {to_ms:Int64}
    )
    WHERE is_in_subtree AND is_selected AND begun_ms > 0 AND begun_ms <= done_ms
)
GROUP BY GROUPING SETS ((group_key, window_start_ms), (group_key))
ORDER BY took_ms / jobs DESC, key, window_ms
LIMIT {most:UInt64}
