/** An alert's life as its columns hold it. */
import type { Life } from "./next-state.ts";
import type { AlertRecord } from "./read-alerts.ts";

export function lifeOf(row: AlertRecord): Life {
  return {
    state: row.state,
    atMs: row.at.getTime(),
    firedAtMs: row.firedAt?.getTime() ?? null,
    resolvedAtMs: row.resolvedAt?.getTime() ?? null,
    due: row.due,
    dueSinceMs: row.dueSince?.getTime() ?? null,
    notifiedAtMs: row.notifiedAt?.getTime() ?? null,
    isQuiet: row.isQuiet,
    isAcknowledged: row.acknowledgedAt !== null,
  };
}

export function columnsOf(life: Life) {
  const instant = (ms: number | null) => (ms === null ? null : new Date(ms));
  return {
    state: life.state,
    at: new Date(life.atMs),
    firedAt: instant(life.firedAtMs),
    resolvedAt: instant(life.resolvedAtMs),
    due: life.due,
    dueSince: instant(life.dueSinceMs),
    notifiedAt: instant(life.notifiedAtMs),
    isQuiet: life.isQuiet,
  };
}
