import fc from "fast-check";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { system } from "../../server/audit/record-change.ts";
import type { UsageEvent } from "../../server/contract/events.ts";
import { type Corrections, createCorrections } from "../../server/corrections/corrections.ts";
import { FollowedLevels } from "../../server/live/followed-levels.ts";
import { loadLiveLevels } from "../../server/live/load-live-levels.ts";
import { readLive } from "../../server/live/read-live.ts";
import type { Postgres } from "../../server/postgres/client.ts";
import { placeOrganizations } from "../../server/rollups/apply-moves.ts";
import type { DerivationListener } from "../../server/rollups/derived-change.ts";
import { expireIntervals } from "../../server/rollups/expire-intervals.ts";
import { type Ingesting, startIngesting } from "../support/ingesting.ts";
import { type OwnTree, ownTree } from "../support/own-tree.ts";
import { patienceMs } from "../support/patience.ts";

const seed = Number(process.env.PROPERTY_SEED ?? 20_261_129);
const lives = Number(process.env.PROPERTY_RUNS ?? 3);
const silent = pino({ level: "silent" });

let ingesting: Ingesting;
let close: OwnTree["close"];
let postgres: Postgres;
let corrections: Corrections;
let followed: FollowedLevels;
/** Each organization is a tenant of its own. */
const alone = { tenantOf: (organization: string) => organization };
/** How far the clock of those who look runs ahead: so time passes without waiting for it. */
let aheadMs = 0;
const nowMs = () => Date.now() + aheadMs;

/** The next derivation fails after it has reported what it is about to write. */
let isFailing = false;
const listener: DerivationListener = {
  onSessionsDerived(changes) {
    followed.onSessionsDerived(changes);
    if (!isFailing) return;
    isFailing = false;
    throw new Error("storage is away");
  },
  onInvalidated: () => followed.onInvalidated(),
};

beforeAll(async () => {
  followed = new FollowedLevels({ ...alone, clickhouse: undefined as never, onChanged: () => undefined, log: silent });
  ({ postgres, close } = await ownTree());
  ingesting = await startIngesting({ listener });
  const { clickhouse } = ingesting.store;
  corrections = createCorrections({ postgres, clickhouse, tree: ingesting.tree, ingest: ingesting, patienceMs });
});
afterAll(async () => {
  followed.close();
  await ingesting.close();
  await close();
});

/** A start of the process: what memory has comes from storage. */
function restart(onChanged: (nodes: ReadonlySet<string>) => void = () => undefined): void {
  followed.close();
  followed = new FollowedLevels({
    ...alone,
    clickhouse: ingesting.store.clickhouse,
    onChanged,
    log: silent,
    now: nowMs,
  });
  followed.follow({
    materializer: ingesting.materializer,
    epoch: () => ingesting.epoch(),
    watermark: () => new Date(),
    onTimedOut: async () => undefined,
  });
}

const organizations = ["north", "south", "east"];
const places = [
  { partner: "p", reseller: "r" },
  { partner: "p", reseller: "q" },
  { partner: "", reseller: "r" },
  { partner: "", reseller: "" },
];
const nodes = [
  "all",
  "partner:p",
  "reseller:r",
  "reseller:q",
  ...organizations.map((id) => `organization:${id}`),
  "agent:bot",
];

/** Waits for memory where it was lost, and finds in it what storage says of the same instant, at every node. */
async function expectSameAsStorage(world: string): Promise<void> {
  await Promise.all(
    nodes.map(async (name) => {
      const held = await vi.waitFor(() => {
        const answer = followed.read(inWorld(world, name));
        if (!answer) throw new Error("memory has no levels yet");
        return answer;
      }, patienceMs);
      const { node, at, watermark } = held;
      expect(held).toEqual(await readLive(ingesting.store.clickhouse, node, new Date(watermark), Date.parse(at)));
    }),
  );
}

const inWorld = (world: string, node: string) =>
  node === "all" ? node : node === "agent:bot" ? `agent:${organizations[0]}-${world}/bot` : `${node}-${world}`;

const offsetMs = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: -4_000, max: 0 }) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 6_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: -900_000, max: -60_000 }) },
);
const event = fc.record({
  kind: fc.constantFrom("participant", "participant", "participant", "recording", "closing"),
  action: fc.constantFrom("start", "start", "start", "end", "alive"),
  organization: fc.nat(organizations.length - 1),
  session: fc.nat(2),
  user: fc.nat(3),
  isNamed: fc.boolean(),
  /** Its interval may be named in other sessions too. */
  isSplit: fc.nat(12).map((chance) => chance === 0),
  atMs: offsetMs,
  aliveWithin: fc.option(fc.constantFrom(1, 2, 600)),
});
type Drawn = typeof event extends fc.Arbitrary<infer One> ? One : never;
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("send" as const),
      events: fc.array(event, { minLength: 1, maxLength: 8 }),
      isFailing: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("correct" as const), pick: fc.nat(), shiftMs: fc.option(offsetMs) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("move" as const),
      organization: fc.nat(2),
      place: fc.nat(3),
      agoMs: fc.nat(8_000),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 3_000 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("expire" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const) }) },
);

/** Organizations where they stand at first, and memory as at a start. */
function begin(world: string): void {
  for (const [place, id] of organizations.entries()) {
    const { partner, reseller } = places[place] as (typeof places)[number];
    const path = { partner: partner && `${partner}-${world}`, reseller: reseller && `${reseller}-${world}` };
    ingesting.tree.organizations.set(`${id}-${world}`, path);
    ingesting.tree.placements.set(`${id}-${world}`, [{ sinceMs: 0, ...path }]);
  }
  restart();
}

let sent = 0;

function eventOf(world: string, drawn: Drawn): UsageEvent {
  const isParticipant = drawn.kind === "participant";
  const ends = { start: isParticipant ? "joined" : "started", end: isParticipant ? "left" : "stopped", alive: "alive" };
  const type = drawn.kind === "closing" ? "session.ended" : `${drawn.kind}.${ends[drawn.action]}`;
  const session = `s${drawn.session}`;
  return {
    id: `live-${++sent}`,
    type,
    time: new Date(Date.now() + drawn.atMs).toISOString(),
    organization: `${organizations[drawn.organization]}-${world}`,
    session,
    room: `room-${drawn.session}`,
    user: `u${drawn.user}`,
    ...(drawn.user < 2 && { agent: "bot" }),
    ...(drawn.isNamed &&
      type !== "session.ended" && {
        interval: `${drawn.kind}-${drawn.isSplit ? "" : session}-${drawn.user}`,
      }),
    ...(drawn.aliveWithin !== null && type !== "session.ended" && { properties: { alive_within: drawn.aliveWithin } }),
  } as UsageEvent;
}

async function move(id: string, place: { partner: string; reseller: string }, sinceMs: number): Promise<void> {
  const { store, materializer, flush, sequence } = ingesting;
  const earlier = ingesting.tree.placements.get(id) ?? [];
  ingesting.tree.placements.set(id, [
    ...earlier.filter((placement) => placement.sinceMs < sinceMs),
    { sinceMs, ...place },
  ]);
  await placeOrganizations(
    {
      clickhouse: store.clickhouse,
      materializer,
      flush,
      sequence,
      placementsWithin: (organization, fromMs, toMs) => ingesting.tree.placementsWithin(organization, fromMs, toMs),
    },
    { organizations: [id], sinceMs, nowMs: Date.now(), unfinished: [], record: async () => undefined },
  );
}

const asked = (organization: string, id: string, changes?: Record<string, unknown>) => ({
  organization,
  id,
  changes,
  reason: "it was wrong",
  by: system,
  timeMs: undefined,
  mayMoveTo: () => undefined,
  mayChange: () => undefined,
  check: () => undefined,
});

async function take(
  world: string,
  one: typeof step extends fc.Arbitrary<infer Step> ? Step : never,
  known: UsageEvent[],
) {
  if (one.kind === "send") {
    const events = one.events.map((drawn) => eventOf(world, drawn));
    isFailing = one.isFailing;
    expect((await ingesting.send(events)).rejected).toEqual([]);
    isFailing = false;
    known.push(...events);
  }
  if (one.kind === "correct" && known.length > 0) {
    const [picked] = known.splice(one.pick % known.length, 1) as [UsageEvent];
    const time = one.shiftMs === null ? undefined : new Date(Date.now() + one.shiftMs).toISOString();
    await corrections.correct(asked(picked.organization, picked.id, time === undefined ? undefined : { time }));
  }
  if (one.kind === "move") {
    const place = places[one.place] as (typeof places)[number];
    const named = Object.fromEntries(Object.entries(place).map(([kind, id]) => [kind, id && `${id}-${world}`]));
    await move(`${organizations[one.organization]}-${world}`, named as typeof place, Date.now() - one.agoMs);
  }
  if (one.kind === "pass") aheadMs += one.ms;
  if (one.kind === "expire")
    await expireIntervals(ingesting.store.clickhouse, ingesting.materializer.derive, ingesting.sequence, nowMs());
  if (one.kind === "restart") restart();
}

test("what memory would keep is counted in storage as memory counts it, where each session has something; beyond the bound nothing is fetched of who has most, and others are kept", async () => {
  const { clickhouse } = ingesting.store;
  ingesting.tree.organizations.set("most", { partner: "", reseller: "r-most" });
  ingesting.tree.organizations.set("little", { partner: "p-little", reseller: "" });
  const nowMs = Date.now();
  const time = (inMs: number) => new Date(nowMs + inMs).toISOString();
  const sent = await ingesting.send(
    Array.from({ length: 40 }, (_, user) => {
      const organization = user === 0 ? "little" : "most";
      const fields = { organization, session: `s${user % 3}`, room: "r", user: `u${user}`, agent: "bot" };
      return [
        { ...fields, id: `share-${user}`, type: "participant.joined", time: time(-1_000) },
        { ...fields, id: `share-left-${user}`, type: "participant.left", time: time(600_000 + user) },
        { ...fields, id: `share-open-${user}`, type: "recording.started", interval: `i${user}`, time: time(-500) },
        { ...fields, id: `share-captions-${user}`, type: "captions.enabled", interval: `c${user}`, time: time(-500) },
      ];
    }).flat() as UsageEvent[],
  );
  expect(sent.rejected).toEqual([]);
  const selectColumns = vi.fn(clickhouse.selectColumns);
  const load = (most: number) => loadLiveLevels({ ...clickhouse, selectColumns }, nowMs, most, alone.tenantOf);
  const all = await load(10_000);
  const held = all?.heldByOrganization().get("most") ?? 0;
  expect(held).toBeGreaterThan(100);
  expect((await load(all?.held ?? 0))?.isComplete).toBe(true);
  const part = await load((all?.held ?? 0) - 1);
  expect(selectColumns.mock.lastCall?.[1]).toMatchObject({ without: ["most"] });
  expect(part?.held).toBe((all?.held ?? 0) - held);
  for (const node of ["organization:most", "agent:most/bot", "reseller:r-most", "all"])
    expect(part?.read(node, nowMs)).toBeUndefined();
  for (const node of ["organization:little", "agent:little/bot", "partner:p-little"])
    expect(part?.read(node, nowMs)).toMatchObject({ levels: { live_participants: 1, active_recordings: 1 } });
});

test(`after every step of ${lives} random lives, of joins, late and early ends, silence, corrections, moves, failures and restarts, memory has the live levels and rooms that storage has (PROPERTY_SEED=${seed})`, async () => {
  const drawn = fc.sample(fc.array(step, { minLength: 12, maxLength: 12 }), { numRuns: lives, seed });
  for (const [index, steps] of drawn.entries()) {
    const world = `${index}`;
    begin(world);
    const known: UsageEvent[] = [];
    for (const one of steps) {
      await take(world, one, known);
      await expectSameAsStorage(world);
    }
    // What lies ahead comes to pass.
    aheadMs += 10_000;
    await expectSameAsStorage(world);
    aheadMs = 0;
  }
});

/** What happens to what runs, after which memory has to say what storage says. */
const cases: Record<string, (world: string, running: UsageEvent) => Promise<unknown>> = {
  "a crash": async (_, running) => {
    // What the next derivation reports cannot be written, and what is held of sessions goes with the process.
    isFailing = true;
    await ingesting.send([{ ...running, id: `live-${++sent}`, user: "u-late", interval: `live-${sent}` }]);
    await ingesting.materializer.alone(async () => undefined);
    restart();
  },
  "a correction": (_, { organization, id }) => corrections.correct(asked(organization, id)),
  "an amended event": (_, { organization, id }) =>
    corrections.correct(asked(organization, id, { session: "s-amended", time: new Date().toISOString() })),
  "a move": (world, { organization }) =>
    move(organization, { partner: "", reseller: `q-${world}` }, Date.now() - 1_000),
  "a time-out": async (_, running) => {
    const properties = { alive_within: 1 };
    const silent = { ...running, id: `live-${++sent}`, user: "u-silent", interval: `live-${sent}`, properties };
    await ingesting.send([silent]);
    aheadMs += 60_000;
    await expireIntervals(ingesting.store.clickhouse, ingesting.materializer.derive, ingesting.sequence, nowMs());
  },
  "a late end": async (_, running) => {
    const time = new Date(Date.parse(running.time as string) + 500).toISOString();
    await ingesting.send([{ ...running, id: `live-${++sent}`, type: "participant.left", time }]);
  },
};

test.each(Object.entries(cases))(
  `after %s memory has the live levels and rooms that storage has, whatever of ${lives} random lives ran before (PROPERTY_SEED=${seed})`,
  async (name, happen) => {
    const drawn = fc.sample(fc.array(event, { minLength: 6, maxLength: 6 }), { numRuns: lives, seed });
    for (const [index, events] of drawn.entries()) {
      const world = `${name.replaceAll(" ", "-")}-${index}`;
      begin(world);
      const running: UsageEvent = {
        id: `live-${++sent}`,
        type: "participant.joined",
        organization: `${organizations[0]}-${world}`,
        session: "s-running",
        room: "room-0",
        user: "u-running",
        agent: "bot",
        interval: `live-${sent}`,
        time: new Date(Date.now() - 5_000).toISOString(),
      };
      const before = [running, ...events.map((one) => eventOf(world, one))];
      expect((await ingesting.send(before)).rejected).toEqual([]);
      await expectSameAsStorage(world);
      const levels = () => followed.read(inWorld(world, `organization:${organizations[0]}`))?.levels;
      expect(levels()?.live_participants).toBeGreaterThan(0);
      await happen(world, running);
      await expectSameAsStorage(world);
      aheadMs = 0;
    }
  },
);

test("of a tenant with many organizations only those are left out, and what lies between them is fetched once", async () => {
  const { clickhouse } = ingesting.store;
  const name = (index: number) => `many-${String(index).padStart(3, "0")}`;
  const many = Array.from({ length: 600 }, (_, index) => `${name(index)}-${"x".repeat(240)}`);
  const little = Array.from({ length: 10 }, (_, index) => `${name(index * 60)}-between`);
  const everyone = [...many, ...little];
  for (const organization of everyone) ingesting.tree.organizations.set(organization, { partner: "", reseller: "" });
  const time = new Date().toISOString();
  const sent = await ingesting.send(
    everyone.map((organization, index) => {
      const fields = { organization, session: "s", room: "r", user: "u" };
      return { ...fields, id: `many-${index}`, type: "participant.joined", time } as UsageEvent;
    }),
  );
  expect(sent.rejected).toEqual([]);
  const selectColumns = vi.fn(clickhouse.selectColumns);
  const nowMs = Date.now();
  const tenantOf = (organization: string) => (organization.endsWith("xx") ? "many" : organization);
  const all = await loadLiveLevels(clickhouse, nowMs, 10_000, tenantOf);
  const part = await loadLiveLevels({ ...clickhouse, selectColumns }, nowMs, 700, tenantOf);
  expect(selectColumns.mock.calls.length).toBeGreaterThan(1);
  expect(part?.heldByOrganization().size).toBeGreaterThan(little.length);
  for (const [organization, held] of part?.heldByOrganization() ?? [])
    expect(held).toBe(all?.heldByOrganization().get(organization));
  for (const organization of little)
    expect(part?.read(`organization:${organization}`, nowMs)).toMatchObject({ levels: { live_participants: 1 } });
  expect(many.filter((organization) => !part?.read(`organization:${organization}`, nowMs)).length).toBeGreaterThan(250);
});
