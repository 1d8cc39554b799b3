/** GET /v1/jobs: the state of a job follows from the set of its events, and from nothing else. */
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { UsageEvent } from "../../server/contract/events.ts";
import { type Job, jobListSchema, jobSteps } from "../../server/contract/jobs.ts";
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

async function send(events: Partial<UsageEvent>[]): Promise<void> {
  const body = events.map((event) => ({ organization, ...event }));
  const answer = await world.ask("POST", "/v1/events?ack=stored", { key: root.key, body });
  expect([answer.status, answer.body.rejected]).toEqual([200, []]);
}

async function list(query: string, key = root.key) {
  const { status, body } = await world.ask("GET", `/v1/jobs?${query}`, { key });
  expect(status, JSON.stringify(body)).toBe(200);
  return jobListSchema.parse(body);
}

const pages = (query: string, between?: () => Promise<void>) => allPages(list, query, (page) => page.jobs, between);

const names = (jobs: readonly Job[]) => jobs.map(({ job }) => job);

test("a job shows its state, its duration and what its events say about it", async () => {
  const day = "2026-01-10";
  const step = (name: string, time: string, more: Partial<UsageEvent> = {}) => ({
    id: `j1-${name}`,
    type: `transcription.${name}`,
    job: "j1",
    time: `${day}T${time}Z`,
    ...more,
  });
  await send([
    step("completed", "10:02:00.5", { value: "12.345678901", properties: { language: "de", format: "vtt" } }),
    step("started", "10:00:30"),
    step("requested", "10:00:00", {
      user: "u1",
      agent: "a1",
      session: "s",
      room: "r",
      properties: { language: "en", model: "standard", kind: "caption", mode: "batch" },
    }),
    { id: "other", type: "chat.posted", job: "j1", time: `${day}T11:00:00Z` },
  ]);
  expect((await list("from=2026-01-10&to=2026-01-11")).jobs).toEqual([
    {
      organization,
      job: "j1",
      status: "completed",
      changed_at: `${day}T10:02:00.500Z`,
      requested_at: `${day}T10:00:00.000Z`,
      started_at: `${day}T10:00:30.000Z`,
      completed_at: `${day}T10:02:00.500Z`,
      failed_at: null,
      duration_ms: 90_500,
      minutes: "12.345678901",
      model: "standard",
      language: "de",
      kind: "caption",
      format: "vtt",
      mode: "batch",
      user: "u1",
      agent: "a1",
      session: "s",
      room: "r",
      partner: "above-9f3c",
      reseller: "asked-about-9f3c",
    },
  ]);
});

interface Sign {
  job: string;
  step: (typeof jobSteps)[number];
  second: number;
  model: string;
}

/** The least final first. */
const finality = ["requested", "started", "failed", "completed"];

/** What the signs of one job come to, said another way: by walking them in order. */
function expected(signs: readonly Sign[]) {
  const ordered = [...signs].sort((a, b) => a.second - b.second || finality.indexOf(a.step) - finality.indexOf(b.step));
  const seen = new Map<string, number>();
  let first: number | undefined;
  for (const { step, second } of ordered) {
    if (step === "requested") first ??= second;
    seen.set(step, second);
  }
  const last = ordered.at(-1) as Sign;
  const since = seen.get("started") ?? first;
  const isOver = last.step === "completed" || last.step === "failed";
  return {
    status: last.step,
    second: last.second,
    duration_ms: isOver && since !== undefined ? (last.second - since) * 1000 : null,
  };
}

test("the order in which events arrive, repeats and batches change no job (PROPERTY_RUNS sets how many cases)", async () => {
  let run = 0;
  const sign = fc.record({
    job: fc.constantFrom("a", "b", "c"),
    step: fc.constantFrom(...jobSteps),
    second: fc.integer({ min: 0, max: 5 }),
    model: fc.constantFrom("", "fast", "exact"),
  });
  const arrivals = fc
    .uniqueArray(sign, {
      minLength: 1,
      maxLength: 14,
      selector: (one) => JSON.stringify([one.job, one.step, one.second]),
    })
    .chain((signs) =>
      fc.record({
        signs: fc.constant(signs),
        shuffled: fc.shuffledSubarray(signs, { minLength: signs.length }),
        cut: fc.nat(signs.length),
      }),
    );
  await fc.assert(
    fc.asyncProperty(arrivals, async ({ signs, shuffled, cut }) => {
      const start = Date.UTC(2026, 2, 1) + run * 60_000;
      const prefix = `run${run++}-`;
      const eventsOf = (some: readonly Sign[], own: string) =>
        some.map(({ job, step, second, model }) => ({
          id: `${prefix}${job}-${step}-${second}`,
          organization: own,
          job: prefix + job,
          type: `transcription.${step}`,
          time: new Date(start + second * 1000).toISOString(),
          ...(model && { properties: { model } }),
        }));
      await send(eventsOf(signs, organization));
      await send(eventsOf(shuffled.slice(cut), "beside-9f3c"));
      await send(eventsOf([...shuffled, ...signs], "beside-9f3c"));
      const read = async (own: string) =>
        (await list(`filter[job][prefix]=${prefix}&node=organization:${own}`)).jobs.map((job) => ({
          ...job,
          organization: "",
        }));
      const found = await read(organization);
      expect(await read("beside-9f3c")).toEqual(found);
      expect(found).toHaveLength(new Set(signs.map(({ job }) => job)).size);
      for (const job of found) {
        const { second, ...state } = expected(signs.filter((one) => prefix + one.job === job.job));
        expect(job).toMatchObject({ ...state, changed_at: new Date(start + second * 1000).toISOString() });
      }
    }),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 8) },
  );
});

test("jobs are filtered by what their latest events say, and by when they last changed", async () => {
  const at = (hour: number) => `2026-04-01T0${hour}:00:00Z`;
  const step = (job: string, name: string, hour: number, more: Partial<UsageEvent> = {}) => ({
    id: `${job}-${name}`,
    type: `transcription.${name}`,
    job,
    time: at(hour),
    ...more,
  });
  await send([
    step("x", "requested", 1, { user: "u1", properties: { language: "en" } }),
    step("y", "requested", 1, { user: "u2", properties: { language: "de", model: "fast" } }),
    step("y", "failed", 3),
    step("z", "requested", 2, { user: "u1", properties: { language: "en" } }),
    step("z", "completed", 5, { properties: { language: "fr" } }),
  ]);
  const found = async (query: string) => names((await list(`from=2026-04-01&to=2026-04-02&${query}`)).jobs);
  expect(await found("")).toEqual(["z", "y", "x"]);
  expect(await found("filter[status]=failed,requested")).toEqual(["y", "x"]);
  expect(await found("filter[language]=en")).toEqual(["x"]);
  expect(await found("filter[user]=u1&filter[status][not]=completed")).toEqual(["x"]);
  expect(await found("filter[model]=fast")).toEqual(["y"]);
  expect(names((await list(`from=${at(1)}&to=${at(2)}`)).jobs)).toEqual(["x"]);
  expect(names((await list(`from=${at(3)}&to=${at(6)}&limit=1`)).jobs)).toEqual(["z"]);
});

test("a job that changes between two pages stays where it was, once, in the list that had begun", async () => {
  const step = (n: number, name: string, second: number) => ({
    id: `p${n}-${name}`,
    type: `transcription.${name}`,
    job: `p/${n} 'ü"`,
    time: `2026-05-01T00:00:0${second}Z`,
  });
  await send([0, 1, 2, 3, 4].map((n) => step(n, "requested", n)));
  const range = "from=2026-05-01&to=2026-05-02&limit=2";
  const changed = await pages(range, () =>
    send([step(0, "started", 9), step(4, "completed", 9), step(7, "requested", 1)]),
  );
  expect(changed.map(({ job, status }) => [job, status])).toEqual(
    [4, 3, 2, 1, 0].map((n) => [`p/${n} 'ü"`, "requested"]),
  );
  expect((await pages(range)).map(({ job }) => job)).toEqual([4, 0, 3, 2, 7, 1].map((n) => `p/${n} 'ü"`));
});

test("a voided event takes back what it said of its job", async () => {
  const day = "2026-06-01";
  await send([
    { id: "w1", type: "transcription.requested", job: "w", time: `${day}T00:00:00Z` },
    { id: "w2", type: "transcription.failed", job: "w", time: `${day}T00:00:01Z` },
  ]);
  await world.deps.clickhouse.command(
    `INSERT INTO usage_events SELECT * REPLACE (-1 AS sign, batch + 1 AS batch) FROM usage_events WHERE id = 'w2'`,
  );
  expect((await list(`from=${day}&to=2026-06-02`)).jobs).toMatchObject([
    { job: "w", status: "requested", failed_at: null },
  ]);
});

test("a caller sees the jobs below its own node alone", async () => {
  const day = "2026-07-01";
  const event = { type: "transcription.requested", job: "same id", time: `${day}T00:00:00Z` };
  await send([
    { ...event, id: "o1", agent: "a1" },
    { ...event, id: "o2", organization: "beside-9f3c" },
    { ...event, id: "o3", organization: "elsewhere-9f3c" },
  ]);
  const seen = async (node: string) => {
    const { key } = await world.makeKey(["read"], node);
    return (await list(`from=${day}&to=2026-07-02`, key)).jobs.map((one) => one.organization).sort();
  };
  expect(await seen("all")).toEqual(["beside-9f3c", "elsewhere-9f3c", organization]);
  expect(await seen(askedAbout)).toEqual(["beside-9f3c", organization]);
  expect(await seen(`agent:${organization}/a1`)).toEqual([organization]);
  expect(await seen(`agent:${organization}/a2`)).toEqual([]);
  const { key } = await world.makeKey(["read"], askedAbout);
  expect((await world.ask("GET", "/v1/jobs?node=organization:elsewhere-9f3c", { key })).status).toBe(403);
});

test("a question that cannot be answered is refused by the name of its parameter", async () => {
  for (const [query, field] of [
    ["from=soon", "from"],
    ["filter[type]=x", "filter[type]"],
    ["cursor=%00", "cursor"],
    ["limit=1.5", "limit"],
    ["status=failed", "status"],
  ] as const) {
    const { status, body } = await world.ask("GET", `/v1/jobs?${query}`, { key: root.key });
    expect([status, body.field], query).toEqual([400, field]);
  }
});
