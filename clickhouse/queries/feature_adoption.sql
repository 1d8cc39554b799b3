-- Which organizations of a node use which features: how many ever did, how many since an instant, how many for the first time
-- since then, and when the first one did (to the quarter of an hour that the rollup knows).
-- Params: kind, node String as in usage_windows.sql; agent String; features, types, kinds Array(String), one entry for each event
-- type of a feature, kind '' for any; from_ms, to_ms Int64 (to_ms exclusive).
-- Returns feature, ever, used, fresh, first_ms, first_organization.
SELECT
    feature,
    count() AS ever,
    countIf(last_ms >= {from_ms:Int64}) AS used,
    countIf(since_ms >= {from_ms:Int64}) AS fresh,
    min(since_ms) AS first_ms,
    argMin(organization, (since_ms, organization)) AS first_organization
FROM
(
    SELECT feature, organization, min(bucket_ms) AS since_ms, max(bucket_ms) AS last_ms
    FROM
    (
        -- An event that was voided is a row of its own until hours are folded.
        SELECT
            organization,
            toInt64(toUnixTimestamp(bucket)) * 1000 AS bucket_ms,
            arrayJoin(arrayMap(one -> one.1, arrayFilter(one -> one.2 = type AND (one.3 = '' OR one.3 = JSONExtractString(dims, 'kind')),
                arrayZip({features:Array(String)}, {types:Array(String)}, {kinds:Array(String)})))) AS feature
        FROM usage_per_15m FINAL
        WHERE type IN {types:Array(String)} AND bucket < toDateTime(intDiv({to_ms:Int64} + 899999, 900000) * 900, 'UTC')
            AND ({kind:String} != 'organization' OR organization = {node:String})
            AND ({kind:String} != 'reseller' OR reseller = {node:String})
            AND ({kind:String} != 'partner' OR partner = {node:String})
            AND ({agent:String} = '' OR agent = {agent:String})
        GROUP BY organization, type, dims, bucket
        HAVING sum(events) > 0
    )
    GROUP BY feature, organization
)
GROUP BY feature
