-- Sums of amounts are Decimal(76, 9): an amount may have all of the 29 digits before the point that its own Decimal(38, 9) holds, and two
-- such would overflow a sum of that type without a word. More of the largest fit into these than there can be events.
ALTER TABLE usage_per_15m MODIFY COLUMN amount Decimal(76, 9);

ALTER TABLE usage_per_15m_mv MODIFY QUERY
SELECT
    organization,
    type,
    toStartOfFifteenMinutes(toDateTime(time, 'UTC')) AS bucket,
    partner,
    reseller,
    agent,
    dims,
    batch,
    sum(toInt64(sign)) AS events,
    sum(toDecimal256(ifNull(value, toDecimal128(0, 9)) * sign, 9)) AS amount,
    toUInt64(1) AS version,
    toUInt8(0) AS is_deleted
FROM usage_events
GROUP BY organization, type, bucket, partner, reseller, agent, dims, batch;

ALTER TABLE node_usage_per_15m MODIFY COLUMN amount Decimal(76, 9);

ALTER TABLE node_usage_per_15m_mv MODIFY QUERY
SELECT
    place.1 AS kind,
    place.2 AS node,
    type,
    bucket,
    dims,
    batch,
    sum(part_events) AS events,
    sum(toDecimal256(part_amount, 9)) AS amount,
    toUInt64(1) AS version,
    toUInt8(0) AS is_deleted
FROM
(
    SELECT
        arrayJoin([('reseller', toString(reseller)), ('partner', toString(partner)), ('all', '')]) AS place,
        type, bucket, dims, batch, usage_per_15m.events AS part_events, usage_per_15m.amount AS part_amount
    FROM usage_per_15m
    WHERE version = 1
)
WHERE place.1 = 'all' OR place.2 != ''
GROUP BY kind, node, type, bucket, dims, batch;
