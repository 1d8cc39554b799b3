/**
 * What any question about usage must come to, computed the slow and obvious way from the events themselves, as the design
 * words it: intervals from the set of their events, levels by looking at every instant, sums one event after another.
 * Shares nothing with the server's rules, slots, rollups or SQL. All instants are ms since 1970, UTC.
 */

export interface OracleEvent {
  id: string;
  type: string;
  organization: string;
  reseller: string;
  partner: string;
  timeMs: number;
  agent: string;
  user: string;
  session: string;
  room: string;
  interval: string;
  startedMs: number | undefined;
  /** Its amount in sixtieths, in units of 1e-9: seconds where the amount is minutes. */
  sixtieths: bigint | undefined;
  properties: Readonly<Record<string, string>>;
}

export interface OracleSpan {
  organization: string;
  reseller: string;
  partner: string;
  level: string;
  session: string;
  room: string;
  user: string;
  agent: string;
  properties: Readonly<Record<string, string>>;
  startMs: number;
  /** Infinity while it is open. */
  endMs: number;
  /** When its session began; Infinity where that is known elsewhere. */
  sessionBeganMs?: number;
}

const actions: Record<string, readonly [level: string, action: "start" | "alive" | "end"]> = {
  "participant.joined": ["participants", "start"],
  "participant.alive": ["participants", "alive"],
  "participant.left": ["participants", "end"],
  "recording.started": ["recordings", "start"],
  "recording.alive": ["recordings", "alive"],
  "recording.stopped": ["recordings", "end"],
  "broadcast.started": ["broadcast", "start"],
  "broadcast.alive": ["broadcast", "alive"],
  "broadcast.stopped": ["broadcast", "end"],
  "consumption.started": ["consumption", "start"],
  "consumption.alive": ["consumption", "alive"],
  "consumption.stopped": ["consumption", "end"],
};
const halfDayMs = 12 * 60 * 60 * 1000;

/** The intervals that count, from all events of the organizations in question. */
export function oracleSpans(events: readonly OracleEvent[], nowMs: number): OracleSpan[] {
  const intervals = new Map<string, OracleEvent[]>();
  for (const event of events) {
    const [level] = actions[event.type] ?? [];
    if (level === undefined) continue;
    const key = intervalKey(event, level);
    intervals.set(key, [...(intervals.get(key) ?? []), event]);
  }
  const roomOf = new Map<string, string>();
  for (const event of events)
    if (event.room !== "" && (actions[event.type] || event.type === "session.ended"))
      roomOf.set(`${event.organization} ${event.session}`, event.room);

  const spans: OracleSpan[] = [];
  for (const own of intervals.values()) {
    const [first] = own as [OracleEvent];
    const level = actions[first.type]?.[0] ?? "";
    const session = homeOf(own) ?? `interval:${first.interval}`;
    const { organization, reseller, partner } = first;
    const closings = events
      .filter((one) => one.type === "session.ended" && one.organization === organization && one.session === session)
      .map((one) => one.timeMs);
    const placed = { organization, reseller, partner, level, session };
    const common = {
      ...placed,
      room: roomOf.get(`${organization} ${session}`) ?? "",
      user: largest(own.map((one) => one.user)),
      agent: largest(own.map((one) => one.agent)),
    };
    const found = first.interval === "" ? pairUp(own, closings, nowMs) : named(own, closings, nowMs);
    for (const { startMs, endMs } of found) {
      const within = own
        .filter((one) => first.interval !== "" || (one.timeMs >= startMs && one.timeMs <= endMs))
        .filter((one) => dimensionsOf(one) !== "{}")
        .sort((a, b) => a.timeMs - b.timeMs || (dimensionsOf(a) < dimensionsOf(b) ? 1 : -1));
      if (endMs >= startMs) spans.push({ ...common, properties: within[0]?.properties ?? {}, startMs, endMs });
    }
  }
  return spans;
}

const largest = (texts: readonly string[]) => [...texts].sort().at(-1) ?? "";

/** What the event says that its interval is split by; of events of one instant the largest counts. */
const dimensionsOf = ({ properties: { medium, device } }: OracleEvent) => JSON.stringify({ medium, device });

function intervalKey(event: OracleEvent, level: string): string {
  const { organization, interval, session, user } = event;
  return JSON.stringify(interval === "" ? [organization, level, session, user] : [organization, level, interval]);
}

/** The `alive_within` of the latest event that gave one; of those of one instant the longest. */
function timeoutOf(own: readonly OracleEvent[]): number {
  const given = own.map(({ timeMs, properties }) => ({ timeMs, ms: Number(properties.alive_within ?? 0) * 1000 }));
  const silences = given.filter(({ ms }) => ms > 0).sort((a, b) => a.timeMs - b.timeMs || a.ms - b.ms);
  return silences.at(-1)?.ms ?? halfDayMs;
}

const actionOf = (event: OracleEvent) => actions[event.type]?.[1];
const startsOf = (event: OracleEvent) => [
  ...(actionOf(event) === "start" ? [event.timeMs] : []),
  ...(event.startedMs === undefined ? [] : [event.startedMs]),
];

/** Of the sessions that its events name the one that has it begin first; of several the first by name. */
function homeOf(own: readonly OracleEvent[]): string | undefined {
  const [home] = own
    .filter(({ session }) => session !== "")
    .map((event) => ({ name: event.session, ms: Math.min(Number.POSITIVE_INFINITY, ...startsOf(event)) }))
    .sort((a, b) => (a.ms === b.ms ? (a.name < b.name ? -1 : 1) : a.ms - b.ms));
  return home?.name;
}

function named(own: readonly OracleEvent[], closings: readonly number[], nowMs: number) {
  const starts = own.flatMap(startsOf);
  if (starts.length === 0) return [];
  const startMs = Math.min(...starts);
  const ends = own.filter((one) => actionOf(one) === "end").map((one) => one.timeMs);
  if (ends.length > 0) return [{ startMs, endMs: Math.max(...ends) }];
  const seenMs = Math.max(...own.map((one) => one.timeMs));
  const timesOutMs = seenMs + timeoutOf(own);
  const closedMs = Math.min(...closings.filter((atMs) => atMs > startMs));
  if (closedMs <= timesOutMs) return [{ startMs, endMs: closedMs }];
  return [{ startMs, endMs: nowMs > timesOutMs ? seenMs : Number.POSITIVE_INFINITY }];
}

function pairUp(own: readonly OracleEvent[], closings: readonly number[], nowMs: number) {
  const others = own.filter((one) => actions[one.type]?.[1] !== "end");
  const signs = new Map<string, { atMs: number; order: number }>();
  const sign = (atMs: number, order: number) => signs.set(`${atMs} ${order}`, { atMs, order });
  for (const event of own) {
    const action = actions[event.type]?.[1];
    if (action === "end") sign(event.timeMs, 0);
    if (action === "start") sign(event.timeMs, 3);
    if (action === "alive") sign(event.timeMs, 1);
    if (event.startedMs !== undefined) sign(event.startedMs, 3);
  }
  for (const atMs of closings) sign(atMs, 2);
  const ordered = [...signs.values()].sort((a, b) => a.atMs - b.atMs || a.order - b.order);
  const spans: { startMs: number; endMs: number }[] = [];
  let open: number | undefined;
  let seenMs = Number.NEGATIVE_INFINITY;
  const timeoutMs = () => timeoutOf(others.filter((one) => one.timeMs >= (open ?? 0) && one.timeMs <= seenMs));
  for (const { atMs, order } of ordered) {
    // Own ends and signs of life say that it went on.
    if (open !== undefined && order >= 2 && atMs > seenMs + timeoutMs()) {
      spans.push({ startMs: open, endMs: seenMs });
      open = undefined;
    }
    if ((order === 0 || order === 2) && open !== undefined) {
      spans.push({ startMs: open, endMs: atMs });
      open = undefined;
    } else if (order === 3 && open === undefined) open = atMs;
    seenMs = atMs;
  }
  if (open !== undefined)
    spans.push({ startMs: open, endMs: nowMs > seenMs + timeoutMs() ? seenMs : Number.POSITIVE_INFINITY });
  return spans;
}

export interface OracleFigure {
  /** Decimals in units of 1e-9, counts as they are; undefined: there is nothing to average. */
  value: bigint | undefined;
  atMs?: number | undefined;
  session?: string | undefined;
  average?: bigint | undefined;
  peak?: bigint;
  hasData: boolean;
}

export interface OracleFacts {
  spans: readonly OracleSpan[];
  events: readonly OracleEvent[];
}

type Rule = (facts: OracleFacts, startMs: number, endMs: number) => OracleFigure;

const nano = 1_000_000_000n;

const levelAt = (spans: readonly OracleSpan[], atMs: number) =>
  spans.filter((one) => one.startMs <= atMs && atMs < one.endMs).length;

const sessionKey = (one: OracleSpan) => JSON.stringify([one.organization, one.session]);

function touches(one: OracleSpan, startMs: number, endMs: number): boolean {
  return one.endMs > one.startMs && one.startMs < endMs && one.endMs > startMs;
}

/** The instants of a window at which something may have risen. */
function instants(spans: readonly OracleSpan[], startMs: number, endMs: number): number[] {
  const starts = spans.map((one) => one.startMs).filter((atMs) => atMs > startMs && atMs < endMs);
  return [startMs, ...new Set(starts)].sort((a, b) => a - b);
}

function highest(at: readonly number[], count: (atMs: number) => number): { value: number; atMs: number | undefined } {
  let best: { value: number; atMs: number | undefined } = { value: 0, atMs: undefined };
  for (const atMs of at) if (count(atMs) > best.value) best = { value: count(atMs), atMs };
  return best;
}

const ofLevel = (facts: OracleFacts, level: string) => facts.spans.filter((one) => one.level === level);
const activeSessions = (spans: readonly OracleSpan[], atMs: number) =>
  new Set(spans.filter((one) => one.startMs <= atMs && atMs < one.endMs).map(sessionKey)).size;

const minutes =
  (level: string): Rule =>
  (facts, startMs, endMs) => {
    const ms = ofLevel(facts, level)
      .filter((one) => touches(one, startMs, endMs))
      .reduce((sum, one) => sum + Math.min(one.endMs, endMs) - Math.max(one.startMs, startMs), 0);
    // Minutes have 6 decimals, rounded half up.
    const micros = Math.floor((ms * 1000) / 60 + 0.5);
    return { value: BigInt(micros) * 1000n, hasData: ms > 0 };
  };
const peak =
  (level: string): Rule =>
  (facts, startMs, endMs) => {
    const spans = ofLevel(facts, level).filter((one) => touches(one, startMs, endMs));
    const top = highest(instants(spans, startMs, endMs), (atMs) => levelAt(spans, atMs));
    return { value: BigInt(top.value), atMs: top.atMs, hasData: top.value > 0 };
  };
const level =
  (name: string): Rule =>
  (facts, _, endMs) => ({ value: BigInt(levelAt(ofLevel(facts, name), endMs - 1)), hasData: true });
const distinct =
  (of: "user" | "room", anyLevel: boolean): Rule =>
  (facts, startMs, endMs) => {
    const spans = (anyLevel ? facts.spans : ofLevel(facts, "participants")).filter((one) =>
      touches(one, startMs, endMs),
    );
    const events = anyLevel
      ? facts.events.filter((one) => !isOfLevel(one) && one.timeMs >= startMs && one.timeMs < endMs)
      : [];
    const found = new Set([...spans, ...events].map((one) => one[of]).filter((id) => id !== ""));
    return { value: BigInt(found.size), hasData: found.size > 0 };
  };
const isOfLevel = (event: OracleEvent) => actions[event.type] !== undefined || event.type === "session.ended";
const among = (facts: OracleFacts, types: readonly string[], startMs: number, endMs: number) =>
  facts.events.filter((one) => types.includes(one.type) && one.timeMs >= startMs && one.timeMs < endMs);
const count =
  (...types: string[]): Rule =>
  (facts, startMs, endMs) => {
    const found = among(facts, types, startMs, endMs).length;
    return { value: BigInt(found), hasData: found > 0 };
  };
const sum =
  (type: string, sixtiethsOf: (event: OracleEvent) => bigint | undefined): Rule =>
  (facts, startMs, endMs) => {
    const amounts = among(facts, [type], startMs, endMs).flatMap((one) => sixtiethsOf(one) ?? []);
    const total = amounts.reduce((all, one) => all + one, 0n);
    const average = amounts.length === 0 ? undefined : divide(total, 60n * BigInt(amounts.length));
    return { value: divide(total, 60n), average, hasData: amounts.length > 0 };
  };
const nanosOf = (text: string | undefined) => (text === undefined ? undefined : BigInt(Math.round(Number(text) * 1e9)));
const sixtyTimes = (units: bigint | undefined) => (units === undefined ? undefined : 60n * units);

/** Rounded half away from zero. */
function divide(a: bigint, b: bigint): bigint {
  const size = (2n * (a < 0n ? -a : a) + b) / (2n * b);
  return a < 0n ? -size : size;
}

const valueLevel =
  (raises: string, lowers: string, counts: boolean): Rule =>
  (facts, startMs, endMs) => {
    const deltas = facts.events.flatMap((one) => {
      const sign = one.type === raises ? 1n : one.type === lowers ? -1n : 0n;
      return sign === 0n ? [] : [{ atMs: one.timeMs, delta: sign * (counts ? 60n * nano : (one.sixtieths ?? 0n)) }];
    });
    const at = (atMs: number) => deltas.reduce((all, one) => (one.atMs <= atMs ? all + one.delta : all), 0n);
    const turns = [startMs, ...deltas.map((one) => one.atMs).filter((t) => t > startMs && t < endMs)].sort(
      (a, b) => a - b,
    );
    let area = 0n;
    let top: { value: bigint; atMs: number } | undefined;
    turns.forEach((turn, index) => {
      area += at(turn) * BigInt((turns[index + 1] ?? endMs) - turn);
      if (!top || at(turn) > top.value) top = { value: at(turn), atMs: turn };
    });
    const isFlat = turns.every((turn) => at(turn) === 0n);
    const scale = counts ? 60n * nano : 60n;
    return {
      value: divide(at(endMs - 1), scale),
      average: divide(area, 60n * BigInt(endMs - startMs)),
      peak: divide(top?.value ?? 0n, scale),
      atMs: top?.atMs,
      hasData: !isFlat,
    };
  };

/** By meter. Counts are whole numbers, everything else is in units of 1e-9. */
export const oracleRules: Readonly<Record<string, Rule>> = {
  participation_minutes: minutes("participants"),
  recorded_minutes: minutes("recordings"),
  broadcast_minutes: minutes("broadcast"),
  consumed_minutes: minutes("consumption"),
  max_concurrent_participants: peak("participants"),
  max_concurrent_recordings: peak("recordings"),
  max_concurrent_sessions(facts, startMs, endMs) {
    const spans = ofLevel(facts, "participants").filter((one) => touches(one, startMs, endMs));
    const top = highest(instants(spans, startMs, endMs), (atMs) => activeSessions(spans, atMs));
    return { value: BigInt(top.value), atMs: top.atMs, hasData: top.value > 0 };
  },
  max_participants_per_session(facts, startMs, endMs) {
    const spans = ofLevel(facts, "participants").filter((one) => touches(one, startMs, endMs));
    let best: OracleFigure = { value: 0n, hasData: false };
    for (const key of [...new Set(spans.map(sessionKey))].sort()) {
      const own = spans.filter((one) => sessionKey(one) === key);
      const top = highest(instants(own, startMs, endMs), (atMs) => levelAt(own, atMs));
      const isBetter =
        BigInt(top.value) > (best.value ?? 0n) ||
        (BigInt(top.value) === best.value && (top.atMs ?? 0) < (best.atMs ?? 0));
      if (isBetter) best = { value: BigInt(top.value), atMs: top.atMs, session: own[0]?.session, hasData: true };
    }
    return best;
  },
  live_participants: level("participants"),
  active_recordings: level("recordings"),
  live_sessions: (facts, _, endMs) => ({
    value: BigInt(activeSessions(ofLevel(facts, "participants"), endMs - 1)),
    hasData: true,
  }),
  sessions(facts, startMs, endMs) {
    const first = new Map<string, number>();
    for (const one of ofLevel(facts, "participants"))
      first.set(
        sessionKey(one),
        Math.min(first.get(sessionKey(one)) ?? Number.POSITIVE_INFINITY, one.sessionBeganMs ?? one.startMs),
      );
    const found = [...first.values()].filter((atMs) => atMs >= startMs && atMs < endMs).length;
    return { value: BigInt(found), hasData: found > 0 };
  },
  active_participants: distinct("user", false),
  active_rooms: distinct("room", false),
  active_users: distinct("user", true),
  chat_posts: count("chat.posted"),
  qa_posts: count("question.posted", "answer.posted"),
  documents: count("transcription.completed"),
  feature_uses: count("translation.completed", "glossary.used", "custom_model.used"),
  transcribed_minutes: sum("transcription.completed", (one) => one.sixtieths ?? 0n),
  call_minutes: sum("call.completed", (one) => one.sixtieths ?? 0n),
  document_length: sum("transcription.completed", (one) => sixtyTimes(nanosOf(one.properties.length))),
  transcription_accuracy(facts, startMs, endMs) {
    const rated = among(facts, ["transcription.completed"], startMs, endMs).flatMap((one) => {
      const accuracy = nanosOf(one.properties.accuracy);
      return accuracy === undefined || one.sixtieths === undefined ? [] : [{ accuracy, weight: one.sixtieths }];
    });
    const weights = rated.reduce((all, one) => all + one.weight, 0n);
    const weighted = rated.reduce((all, one) => all + one.accuracy * one.weight, 0n);
    return { value: weights === 0n ? undefined : divide(weighted, weights), hasData: weights !== 0n };
  },
  recording_storage: valueLevel("recording.stored", "recording.deleted", false),
  sip_trunks: valueLevel("sip.installed", "sip.removed", true),
};

const fixed: Record<string, Readonly<Record<string, string>>> = {
  "question.posted": { kind: "question" },
  "answer.posted": { kind: "answer" },
  "translation.completed": { feature: "translation" },
  "glossary.used": { feature: "glossary" },
  "custom_model.used": { feature: "custom_model" },
};

/** The value by which something is grouped or filtered; '' for none. */
export function oracleDimension(one: OracleSpan | OracleEvent, dimension: string): string {
  switch (dimension) {
    case "organization":
    case "reseller":
    case "partner":
    case "user":
    case "agent":
    case "room":
    case "session":
      return one[dimension];
    default:
      return ("type" in one ? fixed[one.type]?.[dimension] : undefined) ?? one.properties[dimension] ?? "";
  }
}

export function factsWhere(facts: OracleFacts, test: (one: OracleSpan | OracleEvent) => boolean): OracleFacts {
  return { spans: facts.spans.filter(test), events: facts.events.filter(test) };
}
