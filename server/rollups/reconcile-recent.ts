/** The job usage-reconcile: compares recent and random days of organizations with the events. In a healthy store nothing differs. */
import { z } from "zod";
import { defineQuery } from "../clickhouse/define-query.ts";
import { type Drift, finishRepairs, type ReconciliationDeps, reconcilePiece } from "./reconcile-piece.ts";

const reconcilableDays = defineQuery(
  "reconcilable_days",
  z.object({ recent: z.number(), random: z.number() }),
  z.object({ organization: z.string(), day: z.string() }),
);

/** Compared of a day with very many sessions. */
const mostParts = 4;

/** Compares `recent` + `random` pairs, of very large ones some of their sessions, and answers the drift that was found and repaired. */
export async function reconcileRecent(deps: ReconciliationDeps, recent = 5, random = 5): Promise<Drift[]> {
  await finishRepairs(deps);
  const drifts: Drift[] = [];
  for (const piece of await reconcilableDays(deps.clickhouse, { recent, random }))
    drifts.push(...(await reconcilePiece(deps, piece, undefined, { mostParts })));
  return drifts;
}
