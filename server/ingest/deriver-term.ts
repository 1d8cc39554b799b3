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
const newestTermRow = defineQuery("newest_term", noParams, z.object({ term: z.coerce.number() }));
const insertTerm = defineStatement("begin_term", z.object({ term: z.number() }));
const endDerivations = defineStatement("end_derivations", noParams);

/** The number of the newest term that has begun; 0 before the first. */
export async function newestTerm(clickhouse: ClickHouse): Promise<number> {
  const [newest] = await newestTermRow(clickhouse, {});
  return newest?.term ?? 0;
}

/** When it resolves, nothing that was derived in an earlier term can be written any more. */
export async function beginTerm(clickhouse: ClickHouse, term: number): Promise<void> {
  await insertTerm(clickhouse, { term });
  await endDerivations(clickhouse, {});
}
