import { ClickHouseError } from "@clickhouse/client";
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { type ClickHouse, StatementRefusedError } from "../../../server/clickhouse/client.ts";
import type { DerivationListener } from "../../../server/rollups/derived-change.ts";
import { type Ingesting, startIngesting } from "../../support/ingesting.ts";
import { eventually } from "../../support/service.ts";
import { wrongDerivations } from "../../support/wrong-derivations.ts";

let ingesting: Ingesting;
/** What was reported of sessions, in its order. */
let reported: string[] = [];
const listener: DerivationListener = {
  onSessionsDerived: (changes) => reported.push(...changes.map(({ session }) => session)),
  onInvalidated: () => reported.push("all is taken back"),
};

/** Where the next write into the table waits; then it goes on, or fails. */
let held: { table: string; hasCome: boolean; hasEnded: boolean; ended: Promise<void>; reads: number } | undefined;
/** What events storage refuses, by a text that is in their lines. */
let refused: string | undefined;

function holdNextWrite(table = "sessions") {
  let release = () => {};
  let cut = () => {};
  const ended = new Promise<void>((resolve, reject) => {
    release = resolve;
    cut = () => reject(new Error("cut off"));
  });
  ended.catch(() => undefined);
  const write = { table, hasCome: false, hasEnded: false, ended, reads: 0 };
  held = write;
  const end = (how: () => void) => () => {
    write.hasEnded = true;
    how();
  };
  // A test that fails leaves nothing that the end would wait for.
  onTestFinished(end(release));
  return {
    release: end(release),
    cut: end(cut),
    come: () => eventually(`${table} to be written`, async () => write.hasCome || undefined),
    /** How much was read meanwhile of what is stored of sessions. */
    reads: () => write.reads,
  };
}

const through = (clickhouse: ClickHouse): ClickHouse => ({
  ...clickhouse,
  async insertBytes(sql, body, params) {
    if (held && !held.hasCome && new RegExp(`INSERT INTO ${held.table}\\b`).test(sql)) {
      held.hasCome = true;
      await held.ended;
    }
    if (refused && sql.includes("INSERT INTO usage_events") && Buffer.concat([...body]).includes(refused))
      throw new StatementRefusedError(new ClickHouseError({ code: "27", message: "refused", type: "PARSE" }));
    return await clickhouse.insertBytes(sql, body, params);
  },
  async selectColumns(sql, params) {
    if (held?.hasCome && !held.hasEnded) held.reads++;
    return await clickhouse.selectColumns(sql, params);
  },
});

beforeAll(async () => {
  ingesting = await startIngesting({ listener, through });
  // It is known of sessions that they are new once what storage has was read.
  await eventually("new sessions to be told from others", async () => {
    await ingesting.send([join("first", "s")]);
    return ingesting.materializer.held().sessions > 0 || undefined;
  });
});
afterAll(() => ingesting.close());
beforeEach(() => {
  reported = [];
  held = undefined;
  refused = undefined;
});

let sent = 0;
const join = (organization: string, session: string) => ({
  id: `${++sent}`,
  type: "participant.joined",
  organization,
  session,
  interval: `${sent}`,
  user: `u${sent}`,
  time: new Date(Date.now() - 100_000 + sent * 1_000).toISOString(),
});

const untilReported = (session: string) =>
  eventually(`${session} to be reported`, async () => reported.includes(session) || undefined);

test("what a batch changed is seen while it is still being stored, and nothing of it is written before", async () => {
  const organization = "being stored";
  const write = holdNextWrite("usage_events");
  const first = ingesting.send([join(organization, "one")]);
  await write.come();
  await untilReported("one");
  const { clickhouse } = ingesting.store;
  const edges = () =>
    clickhouse.select("SELECT session FROM level_edges WHERE organization = {organization:String}", { organization });
  expect(await edges()).toEqual([]);
  write.release();
  await first;
  expect(await edges()).not.toEqual([]);
  expect(await wrongDerivations(ingesting, organization, Date.now())).toEqual([]);
});

test("an event that storage refuses is taken back with all that was reported with it, and what is stored is derived without it", async () => {
  const organization = "refused";
  await ingesting.send([join(organization, "one")]);
  refused = "poison";
  reported = [];
  const write = holdNextWrite("usage_events");
  const sent = ingesting.send([join(organization, "one"), { ...join(organization, "one"), interval: "poison" }]);
  await write.come();
  await untilReported("one");
  expect(reported).not.toContain("all is taken back");
  write.release();
  await sent;
  expect(reported).toContain("all is taken back");
  expect(await wrongDerivations(ingesting, organization, Date.now())).toEqual([]);
  const [row] = await ingesting.store.clickhouse.select(
    "SELECT length(span_start_ms) AS spans FROM sessions FINAL WHERE organization = {organization:String}",
    { organization },
  );
  expect(row).toEqual({ spans: 2 });
});

const sessions = ["the same session", "another session"];

test.each(sessions)(
  "while what one batch changed is written, what the next one changed is seen, also of %s",
  async (name) => {
    const organization = `seen: ${name}`;
    const write = holdNextWrite();
    const first = ingesting.send([join(organization, "one")]);
    await write.come();
    const session = name === "the same session" ? "one" : "two";
    reported = [];
    const second = ingesting.send([join(organization, session)]);
    await untilReported(session);
    expect(reported).not.toContain("all is taken back");
    write.release();
    await Promise.all([first, second]);
    expect(await wrongDerivations(ingesting, organization, Date.now())).toEqual([]);
  },
);

test.each(sessions)(
  "what could not be written is taken back with what the next batch changed meanwhile, also of %s, and storage has both in the end",
  async (name) => {
    const organization = `taken back: ${name}`;
    const write = holdNextWrite();
    const first = ingesting.send([join(organization, "one")]);
    await write.come();
    const session = name === "the same session" ? "one" : "two";
    reported = [];
    const second = ingesting.send([join(organization, session)]);
    await untilReported(session);
    write.cut();
    await Promise.all([first, second]);
    expect(reported).toContain("all is taken back");
    expect(await wrongDerivations(ingesting, organization, Date.now())).toEqual([]);
    await ingesting.send([join(organization, "one"), join(organization, session)]);
    expect(await wrongDerivations(ingesting, organization, Date.now())).toEqual([]);
  },
);

test("a session that memory does not hold is read when storage has what was derived of it before", async () => {
  const organization = "let go";
  await ingesting.send([join(organization, "one")]);
  const write = holdNextWrite();
  // Ended, it is held no more.
  const ended = ingesting.send([{ ...join(organization, "one"), type: "session.ended", interval: undefined }]);
  await write.come();
  const late = { ...join(organization, "one"), time: new Date(Date.now() - 200_000).toISOString() };
  const second = ingesting.send([late, join(organization, "two")]);
  // What memory has of the batch is reported before the rest is read.
  await untilReported("two");
  const { clickhouse } = ingesting.store;
  const stored = "SELECT 1 FROM usage_events WHERE organization = {organization:String} AND session = 'two'";
  await eventually("the batch to be stored", async () => (await clickhouse.select(stored, { organization }))[0]);
  // A read that waits for nothing else would have begun by the time that others have been answered.
  for (let times = 0; times < 5; times++) await clickhouse.select(stored, { organization });
  expect(write.reads()).toBe(0);
  write.release();
  await Promise.all([ended, second]);
  expect(await wrongDerivations(ingesting, organization, Date.now())).toEqual([]);
});
