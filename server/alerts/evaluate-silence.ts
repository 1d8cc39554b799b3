/** Whether who used to send is silent: an organization, or one key while others still send. Pure. */
import type { NodeAddress } from "../contract/nodes.ts";
import type { ConditionOf } from "../contract/rules.ts";
import type { Finding } from "./finding.ts";
import { durationText, momentText } from "./wording.ts";

export interface SendingKey {
  id: string;
  name: string;
  /** ms since 1970, UTC, as `lastMs`. */
  firstMs: number;
  lastMs: number;
}

/** `lastMs`: of the node's last event; undefined: it never sent, and nothing is awaited. */
export function evaluateSilence(
  { silent_minutes: most }: ConditionOf<"no_data">,
  node: NodeAddress,
  { lastMs, keys }: { lastMs: number | undefined; keys: readonly SendingKey[] },
  atMs: number,
): Finding[] {
  if (lastMs === undefined) return [];
  const silentMs = most * 60_000;
  const isSilent = atMs - lastMs >= silentMs;
  const explained = (what: string, sinceMs: number) => ({
    ...{ node, once: null, threshold: most, value: String(minutesUntil(sinceMs, atMs)) },
    explanation: `${what} came on ${momentText(sinceMs, "UTC")}, ${durationText(atMs - sinceMs)} before; alert after ${durationText(silentMs)}.`,
  });
  const own: Finding = { ...explained("The last event", lastMs), subject: "", finding: isSilent ? "holds" : "clears" };
  // Who sent for no longer than the silence that is complained of may have been a trial.
  const regular = keys.filter((key) => key.lastMs - key.firstMs >= silentMs);
  return [
    own,
    ...regular.map((key): Finding => {
      const isQuiet = atMs - key.lastMs >= silentMs;
      // Where nobody sends, that one thing is notified.
      const finding = isQuiet ? (isSilent ? "between" : "holds") : "clears";
      return { ...explained(`The last event by the key ${key.name}`, key.lastMs), subject: `key ${key.id}`, finding };
    }),
  ];
}

const minutesUntil = (fromMs: number, atMs: number) => Math.max(0, Math.floor((atMs - fromMs) / 60_000));
