/**
 * How far the live figures may be trusted, as a pure decision. What counts is the age of the data, not whether a socket
 * is open: a server that is connected and silent shows old figures.
 */

export type LiveState = "connecting" | "unreachable" | "live" | "reconnecting" | "stale" | "paused";

/** The server pushes at least every 5 s, so at 12 s two pushes have been missed. */
export const staleAfterMs = 12_000;

export interface LiveFacts {
  isConnected: boolean;
  isPaused: boolean;
  /** Since when somebody waits for figures. */
  openedAtMs: number;
  /** When the figures shown were received, by this machine's clock; null before the first. */
  receivedAtMs: number | null;
  nowMs: number;
}

export function liveState({ isConnected, isPaused, openedAtMs, receivedAtMs, nowMs }: LiveFacts): LiveState {
  if (isPaused) return "paused";
  if (receivedAtMs === null) return nowMs - openedAtMs > staleAfterMs ? "unreachable" : "connecting";
  if (!isConnected) return "reconnecting";
  return nowMs - receivedAtMs > staleAfterMs ? "stale" : "live";
}

/**
 * What a push means to a viewer who has seen `lastSequence` (null: no snapshot yet). After a gap the figures in between
 * are unknown, rooms included, so only a new snapshot will do; a repeated or older push says nothing.
 */
export function classifyPush(lastSequence: number | null, sequence: number): "apply" | "ignore" | "resync" {
  if (lastSequence === null) return "ignore";
  if (sequence <= lastSequence) return "ignore";
  return sequence === lastSequence + 1 ? "apply" : "resync";
}
