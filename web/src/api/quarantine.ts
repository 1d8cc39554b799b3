/** Events that were not taken, and sending them again, as the server tells of them. */
import type { quarantineListSchema, replayAnswerSchema } from "@contract/quarantine.ts";
import type { z } from "zod";
import { send } from "./client.ts";

export type QuarantineList = z.infer<typeof quarantineListSchema>;
export type ReplayAnswer = z.infer<typeof replayAnswerSchema>;

/** Those that wait, the latest received first. */
export function readQuarantine(
  { node, cursor }: { node: string | undefined; cursor?: string | undefined },
  signal?: AbortSignal,
): Promise<QuarantineList> {
  const search = new URLSearchParams({ limit: "20" });
  if (node) search.set("node", node);
  if (cursor) search.set("cursor", cursor);
  return send<QuarantineList>("GET", `/v1/quarantine?${search}`, { signal });
}

/** Sends these events again; sending them is always safe. */
export function replayEvents(ids: readonly string[]): Promise<ReplayAnswer> {
  return send<ReplayAnswer>("POST", "/v1/quarantine/replay", { body: { ids } });
}

/** Sends a thousand of those that wait again: from the cursor of the answer before, or the first ones. */
export function replayWaiting(node: string | undefined, cursor: string | undefined): Promise<ReplayAnswer> {
  return send<ReplayAnswer>("POST", "/v1/quarantine/replay", { body: { node, cursor } });
}
