-- Which organizations of a node use which features: how many ever did, how many since an instant, how many for the first time
-- since then, and when the first one did (to the quarter of an hour that the rollup knows).
-- Params: kind, node String as in usage_windows.sql; agent String; features, types, kinds Array(String), one entry for each event
-- type of a feature, kind '' for any; from_ms, to_ms Int64 (to_ms exclusive).
-- Returns feature, ever, used, fresh, first_ms, first_organization.
WITH
    (
        type IN {types:Array(String)} AND bucket < toDateTime(intDiv({to_ms:Int64} + 899999, 900000) * 900, 'UTC')
        AND ({kind:String} != 'organization' OR organization = {node:String})
        AND ({kind:String} != 'reseller' OR reseller = {node:String})
        AND ({kind:String} != 'partner' OR partner = {node:String})
        AND ({agent:String} = '' OR agent = {agent:String})
    ) AS is_asked
SELECT
    feature,
    count() AS ever,
    countIf(last_ms >= {from_ms:Int64}) AS used,
    countIf(since_ms >= {from_ms:Int64}) AS fresh,
    min(since_ms) AS first_ms,
    argMin(organization, (since_ms, organization)) AS first_organization
FROM
(
    SELECT
        arrayJoin(arrayMap(one -> one.1, arrayFilter(one -> one.2 = type AND (one.3 = '' OR one.3 = JSONExtractString(dims, 'kind')),
            arrayZip({features:Array(String)}, {types:Array(String)}, {kinds:Array(String)})))) AS feature,
        organization,
        toInt64(toUnixTimestamp(min(first))) * 1000 AS since_ms,
        toInt64(toUnixTimestamp(max(last))) * 1000 AS last_ms
    FROM
    (
        SELECT organization, type, dims, min(bucket) AS first, max(bucket) AS last
        FROM usage_per_15m FINAL
        WHERE is_asked AND events > 0 AND organization NOT IN (SELECT organization FROM usage_per_15m WHERE events < 0)
        GROUP BY organization, type, dims
        UNION ALL
        -- An event that was voided is a row of its own until hours are folded: a fifth as fast, so only where there are any.
        SELECT organization, type, dims, bucket AS first, bucket AS last
        FROM usage_per_15m FINAL
        WHERE is_asked AND organization IN (SELECT organization FROM usage_per_15m WHERE events < 0)
        GROUP BY organization, type, dims, bucket
        HAVING sum(events) > 0
    )
    GROUP BY feature, organization
)
GROUP BY feature
