-- The state of jobs of a subtree, the latest change first, each computed from all of its events: the latest one says the
-- state, at one instant the more final one; the latest that names a model, a user and so on says that.
-- Params: kind, node String as in usage_windows.sql; agent String: jobs whose latest named agent it is, '' for any; types,
-- steps Array(String): the step that each type is; finality Array(String): the steps, the least final first;
-- filter_dimensions, filter_operators Array(String), filter_values Array(Array(String)): all must hold; from_ms, to_ms Int64
-- (to_ms exclusive): bounds of the last change; settled UInt64, received_ms Int64 as in records.sql; before_ms Int64,
-- before_organization, before_job String: only jobs before this key; most UInt32.
-- Returns times in ms since 1970 (0: not seen), value as a decimal string or null with the dims that say its unit.
WITH
    {{holds}},
    dimension -> multiIf(
        dimension = 'status', status, dimension = 'organization', organization, dimension = 'job', job, dimension = 'user', last_user,
        dimension = 'agent', last_agent, dimension = 'session', last_session, dimension = 'room', last_room,
        dimension = 'model', last_model, dimension = 'language', last_language, dimension = 'kind', last_kind,
        dimension = 'format', last_format, last_mode) AS value_of
SELECT
    organization, job, status, changed_ms, requested_ms, begun_ms, completed_ms, failed_ms, toString(completion.1) AS value, completion.2 AS value_dims,
    last_user AS user, last_agent AS agent, last_session AS session, last_room AS room, last_partner AS partner, last_reseller AS reseller,
    last_model AS model, last_language AS language, last_kind AS kind, last_format AS format, last_mode AS mode
FROM
(
    SELECT
        organization, job,
        argMax(step, rank) AS status,
        max(time_ms) AS changed_ms,
        minIf(time_ms, step = 'requested') AS requested_ms,
        maxIf(time_ms, step = 'started') AS begun_ms,
        maxIf(time_ms, step = 'completed') AS completed_ms,
        maxIf(time_ms, step = 'failed') AS failed_ms,
        argMaxIf((value, toString(dims)), rank, step = 'completed' AND isNotNull(value)) AS completion,
        argMaxIf(user, rank, user != '') AS last_user,
        argMaxIf(agent, rank, agent != '') AS last_agent,
        argMaxIf(session, rank, session != '') AS last_session,
        argMaxIf(room, rank, room != '') AS last_room,
        toString(argMax(partner, rank)) AS last_partner,
        toString(argMax(reseller, rank)) AS last_reseller,
        argMaxIf(model, rank, model != '') AS last_model,
        argMaxIf(language, rank, language != '') AS last_language,
        argMaxIf(kind_of_document, rank, kind_of_document != '') AS last_kind,
        argMaxIf(format, rank, format != '') AS last_format,
        argMaxIf(mode, rank, mode != '') AS last_mode
    FROM
    (
        SELECT
            organization, job, partner, reseller, agent, user, session, room, value, dims,
            JSONExtractString(dims, 'model') AS model, JSONExtractString(dims, 'language') AS language, JSONExtractString(dims, 'kind') AS kind_of_document,
            JSONExtractString(dims, 'format') AS format, JSONExtractString(dims, 'mode') AS mode,
            toUnixTimestamp64Milli(time) AS time_ms,
            transform(type, {types:Array(String)}, {steps:Array(String)}, '') AS step,
            (time_ms, indexOf({finality:Array(String)}, step), id) AS rank
        FROM job_events FINAL
        WHERE sign = 1 AND type IN {types:Array(String)}
            AND (batch <= {settled:UInt64} OR received_at <= fromUnixTimestamp64Milli({received_ms:Int64}, 'UTC'))
            AND ({kind:String} != 'organization' OR organization = {node:String})
            AND ({kind:String} != 'reseller' OR reseller = {node:String})
            AND ({kind:String} != 'partner' OR partner = {node:String})
            AND (organization, job) IN
            (
                SELECT organization, job FROM job_events
                WHERE time >= fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') AND time < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC')
                    AND ({kind:String} != 'organization' OR organization = {node:String})
            )
    )
    GROUP BY organization, job
)
WHERE changed_ms >= {from_ms:Int64} AND changed_ms < {to_ms:Int64}
    AND ({agent:String} = '' OR last_agent = {agent:String})
    AND (changed_ms, organization, job) < ({before_ms:Int64}, {before_organization:String}, {before_job:String})
    AND (empty({filter_dimensions:Array(String)}) OR arrayAll((dimension, operator, wanted) -> holds(operator, wanted, value_of(dimension)),
        {filter_dimensions:Array(String)}, {filter_operators:Array(String)}, {filter_values:Array(Array(String))}))
ORDER BY changed_ms DESC, organization DESC, job DESC
LIMIT {most:UInt32}
