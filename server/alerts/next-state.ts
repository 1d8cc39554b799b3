/**
 * What becomes of an alert when it is evaluated again, and what there is to report. Pure: every instant is an argument. Being due is
 * a state of its own (`due`), so that what a mute window, a snooze or a crash held back is reported later, and once.
 */
import type { NotificationType } from "../contract/notifications.ts";

export interface Life {
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
export function nextState(previous: Life | undefined, reading: Reading, pacing: Pacing): Life | undefined {
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

function begin({ atMs }: Reading, { forMs }: Pacing): Life {
  const life: Life = {
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
  return forMs > 0 ? life : fire(life, atMs);
}

const fire = (life: Life, atMs: number): Life => ({
  ...life,
  state: "firing",
  firedAtMs: life.firedAtMs ?? atMs,
  ...(life.notifiedAtMs === null && { due: "alert.firing" as const, dueSinceMs: life.dueSinceMs ?? atMs }),
});

function fromPending(life: Life, { finding, atMs }: Reading, { forMs }: Pacing): Life | undefined {
  // A reading in between shows that it did not hold all the while.
  if (finding !== "holds") return undefined;
  return atMs - life.atMs >= forMs ? fire(life, atMs) : life;
}

function fromFiring(life: Life, { finding, atMs }: Reading, { repeatMs, isOncePerPeriod, isSilenced }: Pacing): Life {
  if (finding === "clears") {
    // It is still to be reported that it fired, and after that, that it resolved: a process was late, or a storm held it back.
    if (life.due === "alert.firing" && !isOncePerPeriod && !isSilenced)
      return { ...life, state: "resolved", resolvedAtMs: atMs };
    const isNotified = life.notifiedAtMs !== null && !life.isQuiet;
    return {
      ...life,
      state: "resolved",
      resolvedAtMs: atMs,
      due: isNotified ? "alert.resolved" : null,
      dueSinceMs: isNotified ? atMs : null,
    };
  }
  if (finding === "unknown") return { ...life, state: "no_data", ...(life.due === "alert.reminder" && nothingDue) };
  const isRepeated =
    repeatMs !== null && !life.isAcknowledged && !life.isQuiet && life.due === null && life.notifiedAtMs !== null;
  if (isRepeated && atMs - (life.notifiedAtMs ?? atMs) >= repeatMs)
    return { ...life, state: "firing", due: "alert.reminder", dueSinceMs: atMs };
  return life.state === "firing" ? life : { ...life, state: "firing" };
}

const nothingDue = { due: null, dueSinceMs: null } as const;

/** Where a rule fires each time that its condition holds, the next time is another alert. */
function fromResolved(life: Life, reading: Reading, pacing: Pacing): Life | undefined {
  if (reading.finding !== "holds") return life;
  if (!pacing.isOncePerPeriod) return begin(reading, pacing);
  const again: Life = { ...life, state: "firing", resolvedAtMs: null, ...nothingDue };
  // No message said that it resolved: for its readers it never did.
  const wasReported = life.notifiedAtMs !== null && life.due !== "alert.resolved";
  return life.notifiedAtMs === null
    ? fire({ ...again, firedAtMs: null }, reading.atMs)
    : { ...again, isQuiet: wasReported };
}

/** Its period is over: a message that is due is still sent, nothing else. */
export function endPeriod(life: Life, atMs: number): Life {
  if (life.due === "alert.firing") return life;
  const { due, dueSinceMs } = life.due === "alert.resolved" ? life : nothingDue;
  return { ...life, state: "resolved", resolvedAtMs: life.resolvedAtMs ?? atMs, due, dueSinceMs };
}

/** The life after its due message was sent. That it resolved before is due then. */
export function notified(life: Life, atMs: number): Life {
  const isFiring = life.due !== "alert.resolved";
  const next =
    life.due === "alert.firing" && life.state === "resolved"
      ? { due: "alert.resolved" as const, dueSinceMs: life.resolvedAtMs }
      : nothingDue;
  return { ...life, ...next, notifiedAtMs: isFiring ? atMs : life.notifiedAtMs };
}

/** The thresholds of one subject: which lives are notified, and which are passed along with a higher one. */
export interface Step<Threshold> {
  notified: Threshold[];
  /** The lower thresholds, each with the one whose message stands for it. */
  passed: { lower: Threshold; higher: Threshold }[];
}

/**
 * What one step crosses is reported once, naming the highest; a threshold below one that was reported already is passed too. The
 * lives are in ascending order of their thresholds.
 */
export function crossedTogether<One extends { life: Life }>(lives: readonly One[]): Step<One> {
  const holding = lives.filter(({ life }) => life.state === "firing" || life.due === "alert.firing");
  const highest = holding.findLast(({ life }) => life.due === "alert.firing" || life.notifiedAtMs !== null);
  const firing = lives.filter(({ life }) => life.due === "alert.firing");
  const passed = firing.filter((one) => one !== highest).map((lower) => ({ lower, higher: highest as One }));
  const others = lives.filter(({ life }) => life.due !== null && life.due !== "alert.firing");
  return { notified: [...firing.filter((one) => one === highest), ...others], passed };
}
