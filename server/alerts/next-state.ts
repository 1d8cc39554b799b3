/**
 * What becomes of an alert when it is evaluated again, and what there is to report. Pure: every instant is an argument. Being due is
 * a state of its own (`due`), so that what a mute window, a snooze or a crash held back is reported later, and once.
 */
import type { NotificationType } from "../contract/notifications.ts";

export interface Lifecycle {
  state: "pending" | "firing" | "resolved" | "no_data";
  /** When the condition began to hold; like all instants here ms since 1970, UTC. */
  atMs: number;
  firedAtMs: number | null;
  resolvedAtMs: number | null;
  due: NotificationType | null;
  /** Since when a message is due. */
  dueSinceMs: number | null;
  /** When it was last reported that it fires; null: never. */
  notifiedAtMs: number | null;
  /** It resolved with a message and holds again in the same period: nothing more is sent about it. */
  isQuiet: boolean;
  isAcknowledged: boolean;
}

export interface Reading {
  /** `holds`: beyond the bound; `clears`: back at where it resolves; `between`: neither; `unknown`: nothing to evaluate by. */
  finding: "holds" | "between" | "clears" | "unknown";
  /** The watermark: nothing is evaluated before it is known. */
  atMs: number;
}

export interface Pacing {
  /** How long it has to hold before a message is sent. */
  forMs: number;
  /** Null: one message until it has resolved. */
  repeatMs: number | null;
  /** One message in its period, even if it resolves and holds again. */
  isOncePerPeriod: boolean;
  /** Somebody wants no message now: what resolves meanwhile was never worth one. */
  isSilenced: boolean;
}

/** Undefined: there is no alert, before or after. */
export function nextState(previous: Lifecycle | undefined, reading: Reading, pacing: Pacing): Lifecycle | undefined {
  if (!previous) return reading.finding === "holds" ? begin(reading, pacing) : undefined;
  switch (previous.state) {
    case "pending":
      return fromPending(previous, reading, pacing);
    case "firing":
    case "no_data":
      return fromFiring(previous, reading, pacing);
    case "resolved":
      return fromResolved(previous, reading, pacing);
  }
}

function begin({ atMs }: Reading, { forMs }: Pacing): Lifecycle {
  const lifecycle: Lifecycle = {
    state: "pending",
    atMs,
    firedAtMs: null,
    resolvedAtMs: null,
    due: null,
    dueSinceMs: null,
    notifiedAtMs: null,
    isQuiet: false,
    isAcknowledged: false,
  };
  return forMs > 0 ? lifecycle : fire(lifecycle, atMs);
}

const fire = (lifecycle: Lifecycle, atMs: number): Lifecycle => ({
  ...lifecycle,
  state: "firing",
  firedAtMs: lifecycle.firedAtMs ?? atMs,
  ...(lifecycle.notifiedAtMs === null && { due: "alert.firing" as const, dueSinceMs: lifecycle.dueSinceMs ?? atMs }),
});

function fromPending(lifecycle: Lifecycle, { finding, atMs }: Reading, { forMs }: Pacing): Lifecycle | undefined {
  // A reading in between shows that it did not hold all the while.
  if (finding !== "holds") return undefined;
  return atMs - lifecycle.atMs >= forMs ? fire(lifecycle, atMs) : lifecycle;
}

function fromFiring(lifecycle: Lifecycle, { finding, atMs }: Reading, pacing: Pacing): Lifecycle {
  const { repeatMs, isOncePerPeriod } = pacing;
  if (finding === "clears") {
    // It is still to be reported that it fired, and after that, that it resolved: a process was late, or a storm held it back.
    if (lifecycle.due === "alert.firing" && !isOncePerPeriod && !pacing.isSilenced)
      return { ...lifecycle, state: "resolved", resolvedAtMs: atMs };
    const isNotified = lifecycle.notifiedAtMs !== null && !lifecycle.isQuiet;
    return {
      ...lifecycle,
      state: "resolved",
      resolvedAtMs: atMs,
      due: isNotified ? "alert.resolved" : null,
      dueSinceMs: isNotified ? atMs : null,
    };
  }
  if (finding === "unknown")
    return { ...lifecycle, state: "no_data", ...(lifecycle.due === "alert.reminder" && nothingDue) };
  const isRepeated =
    repeatMs !== null &&
    !lifecycle.isAcknowledged &&
    !lifecycle.isQuiet &&
    lifecycle.due === null &&
    lifecycle.notifiedAtMs !== null;
  if (isRepeated && atMs - (lifecycle.notifiedAtMs ?? atMs) >= repeatMs)
    return { ...lifecycle, state: "firing", due: "alert.reminder", dueSinceMs: atMs };
  return lifecycle.state === "firing" ? lifecycle : { ...lifecycle, state: "firing" };
}

const nothingDue = { due: null, dueSinceMs: null } as const;

/** Where a rule fires each time that its condition holds, the next time is another alert. */
function fromResolved(lifecycle: Lifecycle, reading: Reading, pacing: Pacing): Lifecycle | undefined {
  if (reading.finding !== "holds") return lifecycle;
  if (!pacing.isOncePerPeriod) return begin(reading, pacing);
  const again: Lifecycle = { ...lifecycle, state: "firing", resolvedAtMs: null, ...nothingDue };
  // No message said that it resolved: for its readers it never did.
  const wasReported = lifecycle.notifiedAtMs !== null && lifecycle.due !== "alert.resolved";
  return lifecycle.notifiedAtMs === null
    ? fire({ ...again, firedAtMs: null }, reading.atMs)
    : { ...again, isQuiet: wasReported };
}

/** Its period is over: a message that is due is still sent, nothing else. */
export function endPeriod(lifecycle: Lifecycle, atMs: number): Lifecycle {
  if (lifecycle.due === "alert.firing") return lifecycle;
  const { due, dueSinceMs } = lifecycle.due === "alert.resolved" ? lifecycle : nothingDue;
  return { ...lifecycle, state: "resolved", resolvedAtMs: lifecycle.resolvedAtMs ?? atMs, due, dueSinceMs };
}

/** The lifecycle after its due message was sent. That it resolved before is due then. */
export function notified(lifecycle: Lifecycle, atMs: number): Lifecycle {
  const isFiring = lifecycle.due !== "alert.resolved";
  const next =
    lifecycle.due === "alert.firing" && lifecycle.state === "resolved"
      ? { due: "alert.resolved" as const, dueSinceMs: lifecycle.resolvedAtMs }
      : nothingDue;
  return { ...lifecycle, ...next, notifiedAtMs: isFiring ? atMs : lifecycle.notifiedAtMs };
}

/** The thresholds of one subject: which lifecycles are notified, and which are passed along with a higher one. */
export interface Step<Threshold> {
  notified: Threshold[];
  /** The lower thresholds, each with the one whose message stands for it. */
  passed: { lower: Threshold; higher: Threshold }[];
}

/**
 * What one step crosses is reported once, naming the highest; a threshold below one that was reported already is passed too. The
 * lifecycles are in ascending order of their thresholds.
 */
export function crossedTogether<One extends { lifecycle: Lifecycle }>(lifecycles: readonly One[]): Step<One> {
  const holding = lifecycles.filter(
    ({ lifecycle }) => lifecycle.state === "firing" || lifecycle.due === "alert.firing",
  );
  const highest = holding.findLast(
    ({ lifecycle }) => lifecycle.due === "alert.firing" || lifecycle.notifiedAtMs !== null,
  );
  const firing = lifecycles.filter(({ lifecycle }) => lifecycle.due === "alert.firing");
  const passed = firing.filter((one) => one !== highest).map((lower) => ({ lower, higher: highest as One }));
  const others = lifecycles.filter(({ lifecycle }) => lifecycle.due !== null && lifecycle.due !== "alert.firing");
  return { notified: [...firing.filter((one) => one === highest), ...others], passed };
}
