/**
 * One process derives levels at a time, and storage enforces it: what is derived is written with the number of a term, and
 * refused when a later term has begun. A process that was stopped half way, even between two statements, therefore
 * changes nothing any more once another has begun; what it had written before is a crash like any other.
 */
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery, defineStatement } from "../clickhouse/define-query.ts";

export interface Term {
  /** Above 0. */
  number: number;
  /** The version from which on derivations of earlier terms may not have ended; undefined: all have. */
  leftSince: number | undefined;
}

const noParams = z.object({});
const readLaterTerms = defineQuery(
  "later_terms",
  z.object({ term: z.number() }),
  z.object({ newest: z.coerce.number(), since_ms: z.coerce.number() }),
);
const insertTerm = defineStatement("begin_term", z.object({ term: z.number() }));
const endDerivations = defineStatement("end_derivations", noParams);

/** Terms after one: the newest, and since when (ms since 1970, UTC) there are any; both 0 when there are none. */
export interface LaterTerms {
  newest: number;
  sinceMs: number;
}

export async function laterTerms(clickhouse: ClickHouse, term: number): Promise<LaterTerms> {
  const [later] = await readLaterTerms(clickhouse, { term });
  return { newest: later?.newest ?? 0, sinceMs: later?.since_ms ?? 0 };
}

/** When it resolves, nothing that was derived in an earlier term can be written any more. */
export async function beginTerm(clickhouse: ClickHouse, term: number): Promise<void> {
  await insertTerm(clickhouse, { term });
  await endDerivations(clickhouse, {});
}
