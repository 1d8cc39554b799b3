/** Random usage of a small account tree: what emitters would send, with losses, repeats, late ends and clocks that tie. */
import fc from "fast-check";
import type { UsageEvent } from "../../server/contract/events.ts";
import type { OracleEvent } from "./usage-oracle.ts";

export interface UsageWorld {
  /** Around this instant, ms since 1970, UTC. */
  baseMs: number;
  /** In the order of delivery, repeats among them. */
  deliveries: Partial<UsageEvent>[][];
  /** Each event once. */
  events: OracleEvent[];
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** Instants on which clocks change somewhere, and plain ones; all long ago. */
const longAgo = [
  "2024-03-10T08:00:00Z",
  "2024-03-31T01:00:00Z",
  "2023-11-05T07:00:00Z",
  "2023-10-01T15:00:00Z",
  "2022-12-31T23:30:00Z",
  "2024-02-29T12:00:00Z",
  "2021-06-15T05:45:00Z",
].map((text) => Date.parse(text));

/**
 * Times are on a grid of 10 minutes, or near it: what silence ends is then never decided within the seconds that a test
 * takes. `recentMs` lies between two points of the grid.
 */
const offset = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: -60, max: 0 }).map((step) => step * 10 * minuteMs) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.integer({ min: -300, max: -1 }), fc.integer({ min: -90_000, max: 90_000 }))
      .map(([step, ms]) => step * 10 * minuteMs + ms),
  },
);

const dimension = fc.oneof(
  fc.constantFrom({ device: "mobile" }, { device: "desktop" }),
  fc.constantFrom({ medium: "audio" }, { medium: "video" }),
  fc.constant({ medium: "audio", device: "mobile" }),
);

const interval = fc.record({
  kind: fc.constantFrom("participant", "participant", "participant", "recording", "broadcast", "consumption"),
  organization: fc.integer({ min: 0, max: 4 }),
  session: fc.integer({ min: 0, max: 3 }),
  user: fc.integer({ min: 0, max: 4 }),
  start: offset,
  length: fc.oneof(
    fc.integer({ min: 0, max: 12 }).map((steps) => steps * 10 * minuteMs),
    fc.integer({ min: 0, max: 30 * hourMs }).map((ms) => ms - (ms % 7)),
  ),
  isNamed: fc.boolean(),
  beginning: fc.constantFrom("event", "event", "event", "started_at", "both", "lost"),
  ending: fc.constantFrom("event", "event", "event", "none", "before", "twice"),
  endNamesSession: fc.boolean(),
  /** Where its end and its signs of life say that it is, if elsewhere than its start. */
  endsElsewhere: fc.option(fc.integer({ min: 0, max: 3 }), { freq: 3 }),
  livesElsewhere: fc.option(fc.integer({ min: 0, max: 3 }), { freq: 3 }),
  alives: fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 3 }),
  aliveWithin: fc.option(fc.constantFrom(600, 3_600, 7_200)),
  laterWithin: fc.array(fc.option(fc.constantFrom(600, 3_600, 7_200)), { minLength: 3, maxLength: 3 }),
  dimension: fc.option(dimension),
  /** What its later events say, which may be something else than its start. */
  laterDimensions: fc.array(fc.option(dimension), { minLength: 6, maxLength: 6 }),
});

const properties = {
  "transcription.completed": fc.record(
    {
      language: fc.constantFrom("en", "de", "nl"),
      model: fc.constantFrom("standard", "custom-1"),
      kind: fc.constantFrom("transcript", "caption"),
      accuracy: fc.integer({ min: 0, max: 10_000 }).map((value) => (value / 100).toFixed(2)),
      length: fc.integer({ min: 0, max: 99_999 }).map(String),
    },
    { requiredKeys: [] },
  ),
  "chat.posted": fc.record({ visibility: fc.constantFrom("public", "private") }, { requiredKeys: [] }),
} as Readonly<Record<string, fc.Arbitrary<Record<string, string>>>>;

const single = fc
  .record({
    type: fc.constantFrom(
      "chat.posted",
      // Often enough that several fall into one window, where only weighing tells them apart.
      "transcription.completed",
      "transcription.completed",
      "transcription.completed",
      "transcription.completed",
      "call.completed",
      "recording.stored",
      "recording.deleted",
      "sip.installed",
      "sip.removed",
      "question.posted",
      "answer.posted",
      "glossary.used",
      "translation.completed",
    ),
    organization: fc.integer({ min: 0, max: 4 }),
    session: fc.option(fc.integer({ min: 0, max: 3 })),
    user: fc.option(fc.integer({ min: 0, max: 6 })),
    at: offset,
    value: fc.option(fc.bigInt({ min: 0n, max: 10n ** 13n })),
  })
  .chain((one) => (properties[one.type] ?? fc.constant({})).map((given) => ({ ...one, given })));

const draft = fc.record({
  isRecent: fc.boolean(),
  base: fc.constantFrom(...longAgo),
  // Without a size they are ten at most, and few worlds have an event of a rare type at all.
  intervals: fc.array(interval, { minLength: 1, maxLength: 25, size: "max" }),
  singles: fc.array(single, { maxLength: 60, size: "max" }),
  closings: fc.array(
    fc.record({ organization: fc.integer({ min: 0, max: 4 }), session: fc.integer({ min: 0, max: 3 }), at: offset }),
    { maxLength: 3 },
  ),
  order: fc.infiniteStream(fc.nat()),
});

/** The organizations of a world: two under a reseller of a partner, one under a partner, one under a reseller, one alone. */
export function organizationsOf(world: number): [id: string, path: { partner: string; reseller: string }][] {
  const paths = [
    { partner: `p${world}`, reseller: `r${world}` },
    { partner: `p${world}`, reseller: `r${world}` },
    { partner: `p${world}`, reseller: "" },
    { partner: "", reseller: `q${world}` },
    { partner: "", reseller: "" },
  ];
  return paths.map((path, index) => [`w${world}-${"abcde"[index]}`, path]);
}

/** `recentMs`: where the worlds of today lie; open intervals and signs of life are evaluated against it. */
export function usageWorlds(count: number, seed: number, recentMs: number): UsageWorld[] {
  return fc.sample(draft, { numRuns: count, seed }).map((one, world) => {
    const organizations = organizationsOf(world);
    // Long after the newest base, silence has ended whatever has no end; today it may still be open.
    const baseMs = one.isRecent ? recentMs - 5 * minuteMs : one.base;
    const sent: Partial<UsageEvent>[] = [];
    const send = (event: Partial<UsageEvent>) => sent.push({ id: `${world}-${sent.length}`, ...event });
    const placeOf = (organization: number) => organizations[organization]?.[0] ?? "";
    const time = (ms: number) => new Date(baseMs + ms).toISOString();

    one.intervals.forEach((made, index) => {
      const isMedium = made.kind === "broadcast" || made.kind === "consumption";
      // Recordings declare no dimension, and only what is sent or watched has a medium.
      const declared = (given: (typeof made)["dimension"]) =>
        given === null || made.kind === "recording" || (!isMedium && "medium" in given) ? {} : given;
      const later = made.laterDimensions.map((given) => ({ properties: { ...declared(given) } }));
      const common: Partial<UsageEvent> = {
        organization: placeOf(made.organization),
        // What is no participant may be nobody's.
        ...((made.kind === "participant" || made.user < 4) && { user: `u${made.user}` }),
        ...(made.user < 2 && { agent: `bot-${made.user}` }),
        ...(made.isNamed && { interval: `i${index}` }),
      };
      const placeOfSession = (session: number) => ({ session: `s${session}`, room: `room-${session % 2}` });
      // Without a name it is by its session that the signs of an interval belong together.
      const elsewhere = (session: number | null) => placeOfSession((made.isNamed ? session : null) ?? made.session);
      const inSession = placeOfSession(made.session);
      const endMs = made.ending === "before" ? made.start - 30 * minuteMs : made.start + made.length;
      const silence = (seconds: number | null): Record<string, number> =>
        seconds === null ? {} : { alive_within: seconds };
      const [startType, aliveType, endType] =
        made.kind === "participant"
          ? ["participant.joined", "participant.alive", "participant.left"]
          : [`${made.kind}.started`, `${made.kind}.alive`, `${made.kind}.stopped`];
      const startedAt =
        made.beginning === "started_at" || made.beginning === "both" ? { started_at: time(made.start) } : {};
      const hasStart = made.beginning === "event" || made.beginning === "both";
      if (hasStart)
        send({
          ...common,
          ...inSession,
          type: startType,
          time: time(made.start),
          properties: { ...declared(made.dimension), ...silence(made.aliveWithin) },
        });
      const isEndPlaced = !made.isNamed || made.endNamesSession;
      // Nothing may lie ahead of what the oracle takes as now.
      if (made.ending !== "none" && endMs <= 0)
        send({
          ...common,
          ...(isEndPlaced && elsewhere(made.endsElsewhere)),
          ...startedAt,
          ...later[0],
          type: endType,
          time: time(endMs),
        });
      // The end that came first is not the last word.
      if (made.ending === "twice" && endMs <= 0)
        send({ ...common, ...inSession, ...later[1], type: endType, time: time(endMs - 20 * minuteMs) });
      for (const [place, step] of made.alives.entries()) {
        const atMs = made.start + step * 10 * minuteMs;
        const properties = { ...later[2 + place]?.properties, ...silence(made.laterWithin[place] ?? null) };
        const said = { ...common, ...elsewhere(place === 0 ? made.livesElsewhere : null), ...startedAt, properties };
        if (atMs <= 0) send({ ...said, type: aliveType, time: time(atMs) });
      }
    });
    for (const made of one.singles)
      send({
        type: made.type,
        organization: placeOf(made.organization),
        time: time(made.at),
        ...(made.session !== null && { session: `s${made.session}`, room: `room-${made.session % 2}` }),
        ...(made.user !== null && { user: `u${made.user}` }),
        ...(made.user !== null && made.user < 2 && { agent: `bot-${made.user}` }),
        ...(made.value !== null && amountOf(made.type, made.value)),
        properties: made.given,
      });
    for (const made of one.closings)
      send({
        type: "session.ended",
        organization: placeOf(made.organization),
        session: `s${made.session}`,
        room: `room-${made.session % 2}`,
        time: time(made.at),
      });

    const ordered = [...sent, ...sent.filter((_, index) => index % 5 === 0)]
      .map((event) => ({ event, order: one.order.next().value as number }))
      .sort((a, b) => a.order - b.order)
      .map(({ event }) => event);
    const third = Math.ceil(ordered.length / 3);
    return {
      baseMs,
      deliveries: [ordered.slice(0, third), ordered.slice(third, 2 * third), ordered.slice(2 * third)].filter(
        (delivery) => delivery.length > 0,
      ),
      events: sent.map((event) => asOracle(event, new Map(organizations))),
    };
  });
}

/** Half of the amounts that are minutes are sent in seconds. */
function amountOf(type: string, units: bigint): { value: string } | { seconds: string } {
  return typesOfMinutes.has(type) && units % 2n === 1n ? { seconds: nanos(units) } : { value: nanos(units) };
}

const typesOfMinutes = new Set(["transcription.completed", "call.completed", "recording.stored", "recording.deleted"]);

function nanos(units: bigint): string {
  const digits = String(units).padStart(10, "0");
  return `${digits.slice(0, -9)}.${digits.slice(-9)}`;
}

/** The event as the oracle takes it; its organization is one of the world's. */
export function asOracle(
  event: Partial<UsageEvent>,
  paths: ReadonlyMap<string, { partner: string; reseller: string }>,
): OracleEvent {
  const { organization = "", value, seconds, properties = {} } = event;
  return {
    id: event.id ?? "",
    type: event.type ?? "",
    organization,
    reseller: paths.get(organization)?.reseller ?? "",
    partner: paths.get(organization)?.partner ?? "",
    timeMs: Date.parse(event.time ?? ""),
    agent: event.agent ?? "",
    user: event.user ?? "",
    session: event.session ?? "",
    room: event.room ?? "",
    interval: event.interval ?? "",
    startedMs: event.started_at === undefined ? undefined : Date.parse(event.started_at),
    sixtieths: seconds !== undefined ? unitsOf(seconds) : value === undefined ? undefined : 60n * unitsOf(value),
    properties: Object.fromEntries(Object.entries(properties).map(([name, given]) => [name, String(given)])),
  };
}

function unitsOf(decimal: string | number): bigint {
  const [whole = "", fraction = ""] = String(decimal).split(".");
  return BigInt(whole + fraction.padEnd(9, "0"));
}
