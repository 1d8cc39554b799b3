/** The activity of single users: their documents, and when they were last active. */
import { z } from "zod";
import { documentTypes } from "../catalog/catalog.ts";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { nodeFilter, nodeParams } from "../metrics/node-filter.ts";
import { amountOfSixtieths } from "../numbers/figures.ts";

const userActivity = defineQuery(
  "user_activity",
  nodeParams.extend({
    users: z.array(z.string()),
    documents: z.array(z.string()),
    from_ms: z.number(),
    to_ms: z.number(),
  }),
  z.object({
    user: z.string(),
    sixtieths: z.string(),
    documents: numberColumn,
    last_ms: numberColumn,
    one_organization: z.string(),
    organizations: numberColumn,
  }),
);

export interface UserActivity {
  minutes: string;
  documents: number;
  lastMs: number;
  /** Null where several organizations have a user of this id. */
  organization: string | null;
}

export async function readUserActivity(
  clickhouse: ClickHouse,
  node: NodeAddress,
  users: readonly string[],
  { fromMs, toMs }: { fromMs: number; toMs: number },
): Promise<ReadonlyMap<string, UserActivity>> {
  if (users.length === 0) return new Map();
  const asked = { users: [...users], documents: [...documentTypes], from_ms: fromMs, to_ms: toMs };
  const rows = await userActivity(clickhouse, { ...nodeFilter(node), ...asked });
  return new Map(
    rows.map(({ user, sixtieths, documents, last_ms, one_organization, organizations }) => [
      user,
      {
        minutes: amountOfSixtieths(sixtieths),
        documents,
        lastMs: last_ms,
        organization: organizations === 1 ? one_organization : null,
      },
    ]),
  );
}
