/** Corrections beside each other: of several tenants, of which one cannot be applied, and beside events that are being stored. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { system } from "../../server/audit/record-change.ts";
import { type ClickHouse, StoreUnavailableError } from "../../server/clickhouse/client.ts";
import { type Corrections, createCorrections } from "../../server/corrections/corrections.ts";
import { describeCorrection } from "../../server/http/routes/corrections.ts";
import { type Ingesting, startIngesting } from "../support/ingesting.ts";
import { type OwnTree, ownTree } from "../support/own-tree.ts";
import { patienceMs } from "../support/patience.ts";

let ingesting: Ingesting;
let own: OwnTree;
/** Records and applies nothing. */
let recording: Corrections;
let applying: Corrections;
/** What was told in the log. */
const told: { correction: string; err: Error }[] = [];
/** undefined: now. */
let atMs: number | undefined;
/** What happens before a statement reaches ClickHouse. */
let before: (sql: string, params: Record<string, unknown>, body: string) => Promise<void>;

beforeAll(async () => {
  own = await ownTree();
  await own.tree.ensureOrganizations(["acme", "globex"], "all");
  ingesting = await startIngesting();
  const { store, tree } = ingesting;
  const clickhouse: ClickHouse = {
    ...store.clickhouse,
    command: async (sql, params = {}, settings) => {
      await before(sql, params, "");
      return await store.clickhouse.command(sql, params, settings);
    },
    insertBytes: async (sql, body, params) => {
      await before(sql, params, Buffer.concat(body).toString());
      return await store.clickhouse.insertBytes(sql, body, params);
    },
  };
  const log = { error: (about: (typeof told)[number]) => void told.push(about) };
  const deps = { postgres: own.postgres, tree, clickhouse, log };
  recording = createCorrections({ ...deps, ingest: undefined, patienceMs: 0 });
  applying = createCorrections({ ...deps, ingest: ingesting, patienceMs, now: () => atMs ?? Date.now() });
});
beforeEach(() => {
  told.length = 0;
  atMs = undefined;
  before = async () => undefined;
});
afterAll(async () => {
  await ingesting.close();
  await own.close();
});

const asked = (organization: string, id: string) => ({
  organization,
  id,
  timeMs: undefined,
  reason: "it was wrong",
  changes: undefined,
  by: system,
  mayMoveTo: () => undefined,
  mayChange: () => undefined,
  check: () => undefined,
});
const stateOf = async (organization: string, id: string) => {
  const [one] = await applying.history(organization, { id });
  if (!one) throw new Error(`${id} was not corrected`);
  const shown = () => true;
  return describeCorrection(one, shown, shown).state;
};
const total = async (organization: string, meter: string, day: string) => {
  const next = new Date(Date.parse(day) + 86_400_000).toISOString().slice(0, 10);
  const [found] = await ingesting.usage({ meter, node: `organization:${organization}`, from: day, to: next });
  return found?.total;
};
const stay = (organization: string, day: string, name: string) => [
  { id: `${name} in`, type: "participant.joined", organization, session: name, user: name, time: `${day}T09:00:00Z` },
  { id: `${name} out`, type: "participant.left", organization, session: name, user: name, time: `${day}T09:10:00Z` },
  {
    id: `${name} out late`,
    type: "participant.left",
    organization,
    session: name,
    user: name,
    time: `${day}T09:30:00Z`,
  },
];

test("one that cannot be applied is set aside and shown as that, and the others are applied, in turns of their tenants", async () => {
  const day = "2026-03-05";
  const post = (organization: string, id: string) => ({
    id,
    type: "chat.posted",
    organization,
    time: `${day}T10:00:00Z`,
  });
  const acme = ["bad", "a1", "a2", "a3"];
  await ingesting.send([...acme.map((id) => post("acme", id)), post("globex", "g1")]);
  for (const id of acme) await recording.correct(asked("acme", id));
  await recording.correct(asked("globex", "g1"));
  const stored: string[] = [];
  before = async (_, __, body) => {
    if (body === "") return;
    const { id } = JSON.parse(body);
    stored.push(id);
    if (id === "bad") throw new Error("it cannot be stored");
  };
  atMs = Date.now();
  await expect(applying.applyPending()).rejects.toThrow("set aside");
  expect(stored).toEqual(["bad", "g1", "a1", "a2", "a3"]);
  expect(told.map(({ err }) => err.message)).toEqual(["it cannot be stored"]);
  expect([await total("acme", "chat_posts", day), await total("globex", "chat_posts", day)]).toEqual([1, 0]);
  expect([await stateOf("acme", "bad"), await stateOf("acme", "a1")]).toEqual(["set_aside", "applied"]);
  // It is not tried at each call, and its event cannot be corrected otherwise meanwhile.
  await expect(applying.applyPending()).rejects.toThrow("set aside");
  expect(stored.length).toBe(5);
  before = async () => undefined;
  atMs += 3_000;
  await applying.applyPending();
  expect(await total("acme", "chat_posts", day)).toBe(0);
  expect(await stateOf("acme", "bad")).toBe("applied");
});

test("a rebuild that timed out is not begun beside itself, nor another in its organization, until ClickHouse has ended it", async () => {
  const day = "2026-03-06";
  await ingesting.send([...stay("acme", day, "s1"), ...stay("acme", day, "s2"), ...stay("globex", day, "s3")]);
  for (const [organization, name] of [
    ["acme", "s1"],
    ["acme", "s2"],
    ["globex", "s3"],
  ] as const)
    await recording.correct(asked(organization, `${name} out`));
  /** Of which sessions intervals were rebuilt, in order. */
  const rebuilt: string[] = [];
  let marked = "";
  let firstMs = 0;
  before = async (sql, { sessions }) => {
    if (sql.includes("INSERT INTO touched_sessions") && Array.isArray(sessions)) marked = sessions.join();
    if (!sql.includes("INSERT INTO level_events")) return;
    rebuilt.push(marked);
    if (marked !== "s1" || firstMs > 0) return;
    firstMs = Date.now();
    throw new StoreUnavailableError(new Error("Timeout error."));
  };
  await expect(applying.applyPending()).rejects.toThrow("set aside");
  expect(told.map(({ err }) => err.message)).toEqual([expect.stringContaining("Timeout error.")]);
  expect(rebuilt.sort()).toEqual(["s1", "s3"]);
  expect([await stateOf("acme", "s2 out"), await stateOf("globex", "s3 out")]).toEqual(["waiting", "applied"]);
  atMs = firstMs + 55_000;
  await expect(applying.applyPending()).rejects.toThrow("set aside");
  expect(rebuilt.length).toBe(2);
  atMs = firstMs + 61_000;
  await applying.applyPending();
  expect(rebuilt.slice(2)).toEqual(["s1", "s2"]);
  const minutes = async (organization: string) => await total(organization, "participation_minutes", day);
  expect([await minutes("acme"), await minutes("globex")]).toEqual(["60", "30"]);
});

test("while the events of a session are looked for others are stored, and those of the session count as well", async () => {
  const day = "2026-03-07";
  await ingesting.send(stay("acme", day, "s4"));
  const [, , late] = stay("acme", day, "s4");
  await recording.correct(asked("acme", "s4 out late"));
  const looked: number[] = [];
  before = async (sql, { after }) => {
    if (!sql.includes("INSERT INTO gathered_events")) return;
    looked.push(Number(after));
    if (looked.length === 1) await ingesting.send([{ ...late, id: "meanwhile", time: `${day}T09:00:30Z` }]);
  };
  await applying.applyPending();
  expect(looked).toEqual([0, expect.any(Number)]);
  // In its turn it looks through what was stored since alone.
  expect(looked[1]).toBeGreaterThan(0);
  expect(await total("acme", "participation_minutes", day)).toBe("0.5");
});
