/**
 * One process derives levels at a time, and storage enforces it: what is derived is written with the number of its epoch, and
 * refused when a later epoch has begun. A process that was stopped half way, even between two statements, therefore
 * changes nothing any more once another has begun; what it had written before is a crash like any other.
 */
import { z } from "zod";
import type { ClickHouse } from "../clickhouse/client.ts";
import { defineQuery, defineStatement } from "../clickhouse/define-query.ts";
import { numberColumn } from "../clickhouse/number-column.ts";

export interface FencingEpoch {
  /** Above 0. */
  number: number;
  /** The version from which on derivations of earlier epochs may not have ended; undefined: all have. */
  leftSince: number | undefined;
}

const noParams = z.object({});
const readLaterEpochs = defineQuery(
  "later_epochs",
  z.object({ epoch: z.number() }),
  z.object({ newest: numberColumn, since_ms: numberColumn }),
);
const insertEpoch = defineStatement("begin_epoch", z.object({ epoch: z.number() }));
const endDerivations = defineStatement("end_derivations", noParams);

/** Epochs after one: the newest, and since when (ms since 1970, UTC) there are any; both 0 when there are none. */
export interface LaterEpochs {
  newest: number;
  sinceMs: number;
}

export async function laterEpochs(clickhouse: ClickHouse, epoch: number): Promise<LaterEpochs> {
  const [later] = await readLaterEpochs(clickhouse, { epoch });
  return { newest: later?.newest ?? 0, sinceMs: later?.since_ms ?? 0 };
}

/** When it resolves, nothing that was derived in an earlier epoch can be written any more. */
export async function beginEpoch(clickhouse: ClickHouse, epoch: number): Promise<void> {
  await insertEpoch(clickhouse, { epoch });
  await endDerivations(clickhouse, {});
}
