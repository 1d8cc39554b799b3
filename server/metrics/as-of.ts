/**
 * What could be queried when a list began. Its later pages leave out what was stored since, so that all pages together
 * are one consistent set.
 */
import { z } from "zod";
import { countKeySchema, instantKeySchema } from "../contract/cursors.ts";

/** Everything stored under this batch or a smaller one, and accepted up to this instant, can be queried. */
export const asOfSchema = z.object({ settledBatch: countKeySchema, watermarkMs: instantKeySchema });
export type AsOf = z.infer<typeof asOfSchema>;

/**
 * A corrected event has a later batch than the one that it came with; its receipt shows that it was there before.
 * Between receipt and log an event waits at most for its id to be looked up and its organization to be made.
 */
const longestAcceptMs = 10_000;

export const asOfParams = z.object({ settled: z.number(), received_ms: z.number() });

export function paramsOfAsOf({ settledBatch, watermarkMs }: AsOf): z.input<typeof asOfParams> {
  return { settled: settledBatch, received_ms: watermarkMs - longestAcceptMs };
}
