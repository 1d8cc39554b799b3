/**
 * Sends quarantined events again, through the very path that every event takes: the same checks, the same identities, so
 * that one that was taken meanwhile is a duplicate and counts once. Each is a request of its own and atomic: one that is
 * rejected again leaves nothing behind but its mark, and goes on waiting.
 */
import { Readable } from "node:stream";
import type { ClickHouse } from "../clickhouse/client.ts";
import type { ReplayedEvent, ReplayResult } from "../contract/quarantine.ts";
import { type AcceptDeps, acceptRequest } from "../ingest/accept/accept-request.ts";
import type { SendingKey } from "../ingest/accept/sending-key.ts";
import { stringifyExact } from "../json/exact-json.ts";
import { parseJson } from "../json/parse-json.ts";
import { ProblemError } from "../problem.ts";
import { type FoundQuarantined, markReplayed } from "./read-quarantine.ts";

export interface Replay {
  /** The key in whose name an event is sent. */
  sendingKeyOf: (found: FoundQuarantined) => SendingKey;
  /** Why an event may not be sent by the caller; undefined when it may. */
  replayRefusal: (found: FoundQuarantined) => Omit<ReplayResult, "outcome"> | undefined;
  /** Bodies to be sent instead of the original ones. */
  instead?: Readonly<Record<string, unknown>> | undefined;
}

/** The earliest received first. */
export async function replayQuarantined(
  { clickhouse, ...deps }: AcceptDeps & { clickhouse: ClickHouse },
  found: readonly FoundQuarantined[],
  { sendingKeyOf, replayRefusal, instead }: Replay,
): Promise<ReplayedEvent[]> {
  const ordered = [...found].sort((a, b) => a.key[0] - b.key[0] || a.key[1] - b.key[1] || a.key[2] - b.key[2]);
  const results: { found: FoundQuarantined; result: ReplayResult }[] = [];
  try {
    for (const one of ordered) {
      const text = instead === undefined ? one.event.raw : stringifyExact(instead);
      const refusal = replayRefusal(one);
      const result: ReplayResult = refusal
        ? { outcome: "rejected", ...refusal }
        : await sendAgain(deps, sendingKeyOf(one), text, one.key[0]);
      results.push({ found: one, result });
    }
  } finally {
    // Accepted events stay marked as accepted, also when the rest is refused for now.
    const news = results.filter(({ found }) => found.event.status === "waiting");
    await markReplayed(
      clickhouse,
      news.map(({ found, result }) => ({ key: found.key, result })),
      deps.now(),
    );
  }
  return results.map(({ found, result }) => ({ id: found.event.id, ...result }));
}

/** Throws ProblemError when the service takes nothing now. */
async function sendAgain(
  deps: AcceptDeps,
  sendingKey: SendingKey,
  text: string,
  firstReceivedMs: number,
): Promise<ReplayResult> {
  const headers = new Headers({
    "content-type": isCloudEvent(text) ? "application/cloudevents+json" : "application/x-ndjson",
  });
  const request = { headers, body: Readable.from([Buffer.from(text)]), sendingKey, isAtomic: true, firstReceivedMs };
  try {
    const { decision } = await acceptRequest(deps, request);
    const [rejection] = decision.rejected;
    if (rejection) {
      const { code, field, message } = rejection;
      return { outcome: "rejected", code, field, message };
    }
    return { ...taken, outcome: decision.duplicates > 0 ? "duplicate" : "accepted" };
  } catch (error) {
    if (!(error instanceof ProblemError) || error.code !== "unreadable_body") throw error;
    return { outcome: "rejected", code: "not_json", field: null, message: error.message };
  }
}

const taken = { code: null, field: null, message: null };

function isCloudEvent(text: string): boolean {
  try {
    const event: unknown = parseJson(text);
    return typeof event === "object" && event !== null && !Array.isArray(event) && "specversion" in event;
  } catch {
    return false;
  }
}
