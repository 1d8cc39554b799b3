/** How many organizations of a node use which features, since when. */
import { z } from "zod";
import { adoptedFeatures } from "../catalog/catalog.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { Overview } from "../contract/overview.ts";
import { nodeFilter, nodeParams } from "../metrics/node-filter.ts";
import { formatInstant } from "../metrics/windows.ts";
import { quotient } from "../numbers/figures.ts";

const featureAdoption = defineQuery(
  "feature_adoption",
  nodeParams.extend({
    features: z.array(z.string()),
    types: z.array(z.string()),
    kinds: z.array(z.string()),
    from_ms: z.number(),
    to_ms: z.number(),
  }),
  z.object({
    feature: z.string(),
    ever: numberColumn,
    used: numberColumn,
    fresh: numberColumn,
    first_ms: numberColumn,
    first_organization: z.string(),
  }),
);

/** Since `fromMs`, and ever until `toMs`. `organizations`: of how many. */
export async function readAdoption(
  clickhouse: ClickHouse,
  node: NodeAddress,
  { fromMs, toMs }: { fromMs: number; toMs: number },
  organizations: number,
  tz: string,
): Promise<Overview["adoption"]> {
  const rows = await featureAdoption(clickhouse, {
    ...nodeFilter(node),
    features: adoptedFeatures.map(({ feature }) => feature),
    types: adoptedFeatures.map(({ type }) => type),
    kinds: adoptedFeatures.map(({ kind = "" }) => kind),
    from_ms: fromMs,
    to_ms: toMs,
  });
  const found = new Map(rows.map((row) => [row.feature, row]));
  const titles = new Map(adoptedFeatures.map(({ feature, title }) => [feature, title]));
  return [...titles].map(([feature, title]) => {
    const row = found.get(feature);
    const share = quotient(String(row?.used ?? 0), String(organizations), 6);
    return {
      feature,
      title,
      organizations: row?.used ?? 0,
      share: share === undefined ? null : Number(share),
      new: row?.fresh ?? 0,
      ever: row?.ever ?? 0,
      first_use: row ? formatInstant(row.first_ms, tz) : null,
      first_organization: row?.first_organization ?? null,
    };
  });
}
