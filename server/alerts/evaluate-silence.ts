/** Whether who used to send is silent: an organization, or one key while others still send. Pure. */
import { minuteMs } from "../contract/durations.ts";
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

/** Who is silent or was, and since when: of the node itself (`subject` ""), or of one of its keys. */
export interface SilenceReading extends Pick<Finding, "subject" | "finding"> {
  what: string;
  /** ms since 1970, UTC. */
  lastMs: number;
}

/** `lastMs`: of the node's last event; undefined: it never sent, and nothing is awaited. */
export interface Sending {
  lastMs: number | undefined;
  keys: readonly SendingKey[];
}

/** Without a text: a preview looks at thousands of instants of which few are shown. */
export function silencesAt(
  { silent_minutes: most }: ConditionOf<"no_data">,
  { lastMs, keys }: Sending,
  atMs: number,
): SilenceReading[] {
  if (lastMs === undefined) return [];
  const silentMs = most * minuteMs;
  const isSilent = atMs - lastMs >= silentMs;
  // Whoever sent for a shorter time than the silence being reported may only have tried the service.
  const regular = keys.filter((key) => key.lastMs - key.firstMs >= silentMs);
  return [
    { subject: "", what: "The last event", lastMs, finding: isSilent ? "holds" : "clears" },
    ...regular.map((key): SilenceReading => {
      const isQuiet = atMs - key.lastMs >= silentMs;
      // Where nobody sends, that one thing is notified.
      const finding = isQuiet ? (isSilent ? "between" : "holds") : "clears";
      return {
        subject: `key ${key.id}`,
        what: `The last event sent with the key ${key.name}`,
        lastMs: key.lastMs,
        finding,
      };
    }),
  ];
}

export function silenceFinding(
  { silent_minutes: most }: ConditionOf<"no_data">,
  node: NodeAddress,
  { subject, finding, what, lastMs }: SilenceReading,
  atMs: number,
): Finding {
  const value = String(Math.max(0, Math.floor((atMs - lastMs) / minuteMs)));
  const before = `${durationText(atMs - lastMs)} before`;
  const explanation = `${what} arrived on ${momentText(lastMs, "UTC")}, ${before}; alert after ${durationText(most * minuteMs)}.`;
  return { node, once: null, threshold: most, value, explanation, subject, finding };
}

export function evaluateSilence(
  condition: ConditionOf<"no_data">,
  node: NodeAddress,
  sending: Sending,
  atMs: number,
): Finding[] {
  return silencesAt(condition, sending, atMs).map((one) => silenceFinding(condition, node, one, atMs));
}
