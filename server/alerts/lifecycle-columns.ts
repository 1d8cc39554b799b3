/** An alert's lifecycle as its columns hold it. */
import type { Lifecycle } from "./next-state.ts";
import type { AlertRecord } from "./read-alerts.ts";

export function lifecycleOf(row: AlertRecord): Lifecycle {
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

export function columnsOf(lifecycle: Lifecycle) {
  const instant = (ms: number | null) => (ms === null ? null : new Date(ms));
  return {
    state: lifecycle.state,
    at: new Date(lifecycle.atMs),
    firedAt: instant(lifecycle.firedAtMs),
    resolvedAt: instant(lifecycle.resolvedAtMs),
    due: lifecycle.due,
    dueSince: instant(lifecycle.dueSinceMs),
    notifiedAt: instant(lifecycle.notifiedAtMs),
    isQuiet: lifecycle.isQuiet,
  };
}
