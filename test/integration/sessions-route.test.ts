/** GET /v1/sessions and /v1/orphans: what the intervals of a session came to, and what counts nowhere. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { UsageEvent } from "../../server/contract/events.ts";
import { orphanListSchema } from "../../server/contract/orphans.ts";
import { type SessionSummary, sessionAnswerSchema, sessionListSchema } from "../../server/contract/sessions.ts";
import { allPages } from "../support/all-pages.ts";
import { askedAbout, createWorld, type World } from "../support/isolation-world.ts";

let world: World;
let root: { id: string; key: string };
beforeAll(async () => {
  world = await createWorld();
  root = await world.makeKey(["ingest", "read"], "all");
});
afterAll(() => world.close());

const organization = "inside-9f3c";
let sent = 0;

async function send(events: (Partial<UsageEvent> & { type: string; time: string })[]): Promise<void> {
  const body = events.map((event) => ({ id: `e${sent++}`, organization, ...event }));
  const answer = await world.ask("POST", "/v1/events?ack=stored", { key: root.key, body });
  expect([answer.status, answer.body.rejected]).toEqual([200, []]);
}

async function sessions(query: string, key = root.key) {
  const { status, body } = await world.ask("GET", `/v1/sessions?${query}`, { key });
  expect(status, JSON.stringify(body)).toBe(200);
  return sessionListSchema.parse(body);
}

async function orphans(query: string, key = root.key) {
  const { status, body } = await world.ask("GET", `/v1/orphans?${query}`, { key });
  expect(status, JSON.stringify(body)).toBe(200);
  return orphanListSchema.parse(body);
}

const session = (own: string, name: string, key = root.key) =>
  world.ask("GET", `/v1/sessions/${encodeURIComponent(own)}/${encodeURIComponent(name)}`, { key });

const joined = (user: string, time: string, more: Partial<UsageEvent> = {}) => ({
  type: "participant.joined",
  user,
  time,
  ...more,
});
const left = (user: string, time: string, more: Partial<UsageEvent> = {}) => ({
  type: "participant.left",
  user,
  time,
  ...more,
});
const names = (found: readonly SessionSummary[]) => found.map((one) => one.session);

test("a session shows its intervals with their levels, its peak, and what in it counts nowhere", async () => {
  const day = "2026-01-10";
  const own = { session: "whole", room: "daily" };
  const phone = { properties: { device: "phone" } };
  await send([
    joined("u1", `${day}T10:00:00Z`, { ...own, agent: "a1", ...phone }),
    left("u1", `${day}T10:30:00Z`, own),
    joined("u2", `${day}T10:20:00Z`, { ...own, agent: "a2" }),
    left("u2", `${day}T11:00:00.5Z`, own),
    { type: "recording.started", interval: "rec", time: `${day}T10:10:00Z`, ...own },
    { type: "recording.stopped", interval: "rec", time: `${day}T10:40:00Z`, ...own },
    left("nobody", `${day}T10:00:00Z`, own),
    { type: "captions.disabled", interval: "cap", time: `${day}T10:00:00Z`, ...own },
    { type: "captions.enabled", interval: "cap", time: `${day}T10:05:00Z`, ...own },
  ]);
  const { status, body } = await session(organization, "whole");
  expect(status).toBe(200);
  const { intervals, watermark, next_cursor, ...summary } = sessionAnswerSchema.parse(body);
  expect(Date.parse(watermark)).toBeGreaterThan(0);
  expect(summary).toEqual({
    organization,
    session: "whole",
    room: "daily",
    partner: "above-9f3c",
    reseller: "asked-about-9f3c",
    state: "ended",
    started_at: `${day}T10:00:00.000Z`,
    ended_at: `${day}T11:00:00.500Z`,
    duration_ms: 3_600_500,
    participants: 2,
    peak_participants: 2,
    peak_at: `${day}T10:20:00.000Z`,
    open_intervals: 0,
    timed_out: 0,
    orphans: 1,
    inverted: 1,
  });
  expect(intervals).toEqual([
    {
      level: "participants",
      interval: null,
      user: "u1",
      agent: "a1",
      dimensions: { device: "phone" },
      start: `${day}T10:00:00.000Z`,
      end: `${day}T10:30:00.000Z`,
      open: false,
      timed_out: false,
      duration_ms: 1_800_000,
    },
    expect.objectContaining({ level: "recordings", interval: "rec", user: null, duration_ms: 1_800_000 }),
    expect.objectContaining({ level: "participants", user: "u2", agent: "a2", duration_ms: 2_400_500 }),
  ]);
  expect((await sessions("from=2026-01-10&to=2026-01-11")).sessions).toEqual([summary]);
  const { orphans: found } = await orphans("from=2026-01-10&to=2026-01-11");
  expect(found.map(({ kind, level, interval, user }) => [kind, level, interval, user])).toEqual([
    ["inverted", "captions", "cap", null],
    ["orphan", "participants", null, "nobody"],
  ]);
  expect((await sessions("from=2026-01-10&to=2026-01-11&filter[user][not]=u1")).sessions).toEqual([]);
  const listed = async () => (await orphans("from=2026-01-10&to=2026-01-11&kind=orphan")).orphans;
  // Whoever comes later was there before without a start, and leaving twice is leaving.
  await send([joined("nobody", `${day}T10:10:00Z`, own), left("nobody", `${day}T10:20:00Z`, own)]);
  await send([left("nobody", `${day}T10:21:00Z`, own)]);
  expect(await listed()).toMatchObject([
    { user: "nobody", started_at: null, ended_at: `${day}T10:00:00.000Z`, seen_at: `${day}T10:00:00.000Z` },
  ]);
  expect((await session(organization, "whole")).body.orphans).toBe(1);
  await send([joined("nobody", `${day}T09:59:00Z`, own)]);
  expect(await listed()).toEqual([]);
  expect((await session(organization, "whole")).body.orphans).toBe(0);
});

test("an agent sees its own intervals of a session alone, its peak and users those of these", async () => {
  const day = "2026-01-12";
  await send(
    ["a1", "a2"].flatMap((agent, index) => [
      joined(`${agent}-x`, `${day}T10:0${index}:00Z`, { session: "shared", agent }),
      joined(`${agent}-y`, `${day}T10:0${index}:30Z`, { session: "shared", agent }),
      left(`${agent}-x`, `${day}T11:00:00Z`, { session: "shared", agent }),
      left(`${agent}-y`, `${day}T11:00:00Z`, { session: "shared", agent }),
    ]),
  );
  const { key } = await world.makeKey(["read"], `agent:${organization}/a2`);
  const { body } = await session(organization, "shared", key);
  const answer = sessionAnswerSchema.parse(body);
  expect(answer.intervals.map(({ user }) => user)).toEqual(["a2-x", "a2-y"]);
  expect(answer).toMatchObject({ started_at: `${day}T10:01:00.000Z`, participants: 2, peak_participants: 2 });
  expect(answer).toMatchObject({ peak_at: `${day}T10:01:30.000Z`, orphans: null });
  const { intervals, watermark, next_cursor, ...summary } = answer;
  expect((await sessions("from=2026-01-12&to=2026-01-13", key)).sessions).toEqual([summary]);
  const { key: another } = await world.makeKey(["read"], `agent:${organization}/a3`);
  expect((await session(organization, "shared", another)).status).toBe(404);
});

test("sessions of any name are listed newest first, paged one by one, filtered, and found under their encoded path", async () => {
  const hostile = ["a/b", 'it\'s "quoted"', "back\\slash\\'", "漢字🌊", "per%25cent&x=1#y", "..%2f", "tab\there"];
  const day = "2026-02-01";
  await send(
    hostile.flatMap((name, index) => [
      joined(name, `${day}T0${index}:00:00Z`, { session: name, room: name }),
      left(name, `${day}T0${index}:30:00Z`, { session: name }),
    ]),
  );
  const found = await allPages(sessions, `from=${day}&to=2026-02-02&limit=2`, (page) => names(page.sessions));
  expect(found).toEqual([...hostile].reverse());
  for (const name of hostile) {
    const { status, body } = await session(organization, name);
    expect([status, body.session, body.intervals?.length]).toEqual([200, name, 1]);
    for (const dimension of ["user", "room", "session"]) {
      const filter = `filter[${dimension}][eq]=${encodeURIComponent(name)}`;
      expect(names((await sessions(`from=${day}&to=2026-02-02&${filter}`)).sessions)).toEqual([name]);
    }
  }
  expect(names((await sessions(`from=${day}&to=2026-02-02&filter[user][not]=a/b`)).sessions)).not.toContain("a/b");
});

test("a range holds the sessions that overlap it, an open one up to now, and only those of the asked state", async () => {
  const hours = (n: number) => new Date(Date.now() + n * 3_600_000).toISOString();
  await send([
    joined("u", hours(-2), { session: "still open", room: "states" }),
    joined("u", hours(-3), { session: "over", room: "states" }),
    left("u", hours(-1), { session: "over" }),
    joined("u", hours(-2.5), { session: "ends ahead", room: "states" }),
    left("u", hours(0.5), { session: "ends ahead" }),
    joined("u", hours(-20), { session: "silent", room: "states" }),
  ]);
  const states = async (query: string) => names((await sessions(`filter[room]=states&${query}`)).sessions);
  expect(await states("")).toEqual(["still open", "ends ahead", "over", "silent"]);
  expect(await states("state=open")).toEqual(["still open", "ends ahead"]);
  expect(await states("state=ended")).toEqual(["over", "silent"]);
  expect(await states(`from=${hours(-0.5)}`)).toEqual(["still open", "ends ahead"]);
  expect(await states(`to=${hours(-2.8)}`)).toEqual(["over", "silent"]);
  const { body } = await session(organization, "still open");
  expect(body).toMatchObject({ state: "open", ended_at: null, open_intervals: 1 });
  expect(body.intervals[0]).toMatchObject({ open: true, end: null });
  expect(body.intervals[0].duration_ms).toBeGreaterThan(7_190_000);
  const { orphans: silent } = await orphans("kind=timed_out&filter[room]=states");
  expect(silent).toMatchObject([{ kind: "timed_out", session: "silent", user: "u", interval: null }]);
});

test("orphans are paged without gaps, those of no session among them", async () => {
  const at = (n: number) => `2026-02-10T00:00:0${n}Z`;
  await send([
    ...[0, 1, 2].map((n) => ({ type: "recording.stopped", interval: `lost-${n}`, time: at(n) })),
    ...[3, 4].map((n) => left(`ghost-${n}`, at(n), { session: "haunted" })),
  ]);
  const found = await allPages(orphans, "from=2026-02-10&to=2026-02-11&limit=1", (page) =>
    page.orphans.map((one) => (one.session === null ? one.interval : `${one.session} ${one.user}`)),
  );
  expect(found).toEqual(["haunted ghost-4", "haunted ghost-3", "lost-2", "lost-1", "lost-0"]);
  const { orphans: named } = await orphans("from=2026-02-10&to=2026-02-11&filter[interval][prefix]=lost-");
  expect(named).toHaveLength(3);
});

test("nobody sees sessions or orphans of other nodes, whatever they ask for", async () => {
  const time = "2026-03-01T00:00:00Z";
  await send([
    joined("u", time, { session: "theirs", organization: "elsewhere-9f3c" }),
    left("ghost", time, { session: "theirs", organization: "elsewhere-9f3c" }),
  ]);
  const { key } = await world.makeKey(["read"], askedAbout);
  const filter = "from=2026-03-01&to=2026-03-02&filter[organization]=elsewhere-9f3c";
  expect((await sessions(filter, key)).sessions).toEqual([]);
  expect((await orphans(filter, key)).orphans).toEqual([]);
  const hidden = await session("elsewhere-9f3c", "theirs", key);
  const missing = await session("elsewhere-9f3c", "there is none", key);
  expect([hidden.status, hidden.body.detail]).toEqual([404, missing.body.detail]);
  expect((await session("elsewhere-9f3c", "theirs")).status).toBe(200);
  const { orphans: all } = await orphans(filter);
  expect(all.map(({ user, reason }) => [user, reason]).sort()).toEqual([
    ["ghost", "no_start"],
    ["u", "no_sign_of_life"],
  ]);
});

test("a question that cannot be answered is refused by the name of its parameter", async () => {
  for (const [path, field] of [
    ["sessions?state=asleep", "state"],
    ["sessions?from=never", "from"],
    ["sessions?filter[language]=en", "filter[language]"],
    ["sessions?cursor=WzFd", "cursor"],
    ["sessions?node=agent:x", "node"],
    ["orphans?kind=orphan,strange", "kind"],
    ["orphans?limit=none", "limit"],
    ["orphans?filter[language]=en", "filter[language]"],
    ["orphans?colour=red", "colour"],
  ] as const) {
    const { status, body } = await world.ask("GET", `/v1/${path}`, { key: root.key });
    expect([status, body.field], path).toEqual([400, field]);
  }
});

test("a session's intervals are paged in the order of their starts, each once, also where many start at once and earlier ones come late", async () => {
  const day = "2026-03-03";
  const own = { session: "paged" };
  const at = (minute: number) => `${day}T10:${String(minute).padStart(2, "0")}:00Z`;
  const minutes = [1, 1, 1, 1, 1, 2, 3, 3, 4];
  await send(
    minutes.flatMap((minute, index) => [
      joined(`u${index}`, at(minute), { ...own, agent: index % 2 ? "odd" : "even" }),
      left(`u${index}`, at(30), own),
    ]),
  );
  const page = async (cursor: string, key = root.key) => {
    const query = `limit=2${cursor && `&cursor=${cursor}`}`;
    const { status, body } = await world.ask("GET", `/v1/sessions/${organization}/paged?${query}`, { key });
    expect(status, JSON.stringify(body)).toBe(200);
    return sessionAnswerSchema.parse(body);
  };
  const whole = sessionAnswerSchema.parse((await session(organization, "paged")).body);
  expect([whole.intervals.length, whole.next_cursor]).toEqual([9, null]);
  const found: (string | null)[] = [];
  let cursor = "";
  do {
    const { intervals, next_cursor, participants, peak_participants } = await page(cursor);
    expect(intervals.length).toBeLessThanOrEqual(2);
    if (found.length === 0) await send([joined("early", at(0), own), left("early", at(30), own)]);
    else expect([participants, peak_participants]).toEqual([10, 10]);
    found.push(...intervals.map(({ user }) => user));
    cursor = next_cursor ?? "";
  } while (cursor);
  expect(found).toEqual(whole.intervals.map(({ user }) => user));
  const { key } = await world.makeKey(["read"], `agent:${organization}/odd`);
  const first = await page("", key);
  const second = await page(first.next_cursor ?? "", key);
  expect([...first.intervals, ...second.intervals].map(({ user }) => user)).toEqual(["u1", "u3", "u5", "u7"]);
  expect(second.next_cursor).toBeNull();
  const forged = await world.ask("GET", `/v1/sessions/${organization}/whole?cursor=${first.next_cursor}`, {
    key: root.key,
  });
  expect([forged.status, forged.body.field]).toEqual([400, "cursor"]);
});

test("an agent's peak is that of its own intervals: an end frees before a start at the same time, and what has no length counts nowhere", async () => {
  const day = "2026-03-04";
  const own = { session: "own peak", agent: "peaks" };
  const at = (minute: number) => `${day}T10:${String(minute).padStart(2, "0")}:00Z`;
  const lives = [
    [0, 10],
    [10, 20],
    [10, 15],
    [12, 12],
    [15, 18],
    [16, 25],
  ] as const;
  await send([
    ...lives.flatMap(([from, to], index) => [
      joined(`u${index}`, at(from), { ...own, interval: `i${index}` }),
      left(`u${index}`, at(to), { ...own, interval: `i${index}` }),
    ]),
    joined("other", at(0), { session: "own peak", agent: "another", interval: "other" }),
  ]);
  const { key } = await world.makeKey(["read"], `agent:${organization}/peaks`);
  const rows = (await sessions(`from=${day}&to=2026-03-05`, key)).sessions;
  expect(rows).toMatchObject([{ session: "own peak", peak_participants: 3, peak_at: `${day}T10:16:00.000Z` }]);
  const { body } = await session(organization, "own peak", key);
  expect(body).toMatchObject({ peak_participants: 3, peak_at: `${day}T10:16:00.000Z` });
});
