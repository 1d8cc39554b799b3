import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { system } from "../../server/audit/record-change.ts";
import { meters as builtInMeters } from "../../server/catalog/built-in-meters.ts";
import { dimensionsOf, eventType } from "../../server/catalog/catalog.ts";
import type { Meter } from "../../server/catalog/meter.ts";
import { definitionLimits } from "../../server/contract/definition-limits.ts";
import { changeMeterSchema, createMeterSchema } from "../../server/contract/meters.ts";
import type { UsageQuery } from "../../server/contract/usage.ts";
import { CustomMeters } from "../../server/meters/custom-meters.ts";
import type { Postgres } from "../../server/postgres/client.ts";
import { customMeters } from "../../server/postgres/schema/meters.ts";
import type { NodeTree } from "../../server/tree/node-tree.ts";
import { type Ingesting, startIngesting } from "../support/ingesting.ts";
import { type OwnTree, ownTree } from "../support/own-tree.ts";
import { rowsReadBy } from "../support/rows-read.ts";

let ingesting: Ingesting;
let close: OwnTree["close"];
let postgres: Postgres;
let tree: NodeTree;
let own: CustomMeters;
const silent = pino({ level: "silent" });

beforeAll(async () => {
  ({ postgres, tree, close } = await ownTree());
  await tree.ensureOrganizations(["acme", "globex"], "all");
  own = await CustomMeters.load(postgres, tree, silent);
  ingesting = await startIngesting();
  const at = (minute: number) => new Date(Date.UTC(2026, 2, 5, 10, minute)).toISOString();
  const print = (id: string, minute: number, pages: string | number, printer: string, user: string) => ({
    id,
    type: "page.printed",
    organization: "acme",
    user,
    time: at(minute),
    properties: { pages, printer, color: printer === "p1" },
  });
  await ingesting.send([
    print("p1", 0, 3, "p1", "u1"),
    print("p2", 5, "2.5", "p2", "u1"),
    print("p3", 10, 7, "p1", "u2"),
    { ...print("p4", 10, 1, "p1", "u2"), organization: "globex" },
    { id: "p5", type: "page.printed", organization: "acme", time: at(11) },
    { id: "s1", type: "seat.added", organization: "acme", value: "4", time: at(0) },
    { id: "s2", type: "seat.removed", organization: "acme", value: 1, time: at(30) },
  ]);
});
afterAll(async () => {
  await ingesting.close();
  own.close();
  await close();
});

const make = (meter: string, events: object, node = "all") => {
  const { meter: name, node: _, ...definition } = createMeterSchema.parse({ meter, title: meter, events });
  return own.create(name, node as "all", definition, system);
};
const ask = async (meter: string, query: Partial<UsageQuery> = {}) => {
  const found = own.find(meter, "all", Date.UTC(2026, 2, 6));
  if (!found) throw new Error(`no meter ${meter}`);
  const range = { from: "2026-03-05T10:00:00Z", to: "2026-03-05T11:00:00Z", window: "hour" as const };
  const [answer] = await ingesting.usage({ ...range, ...query, meter, meters: [found] });
  if (!answer) throw new Error("no answer");
  return answer;
};
const printed = { types: ["page.printed"], value: "pages", dimensions: ["printer", "color"] };

const unseen = { by: system, check: () => undefined };

test("a meter made after its events knows them all, by every aggregation, and is grouped by their properties", async () => {
  await make("prints", { ...printed, aggregation: "count" });
  await make("pages", { ...printed, aggregation: "sum" });
  await make("pages_each", { ...printed, aggregation: "average" });
  await make("pages_most", { ...printed, aggregation: "max" });
  await make("pages_last", { ...printed, aggregation: "latest" });
  await make("printers", { ...printed, aggregation: "unique", unique_of: "printer" });
  expect((await ask("prints")).total).toBe(5);
  expect(await ask("pages")).toMatchObject({ total: "13.5", average: "3.375" });
  expect((await ask("pages_each")).total).toBe("3.375");
  expect(await ask("pages_most")).toMatchObject({ total: "7", at: "2026-03-05T10:10:00Z" });
  expect((await ask("pages_last", { node: "organization:acme" })).total).toBe("7");
  expect((await ask("printers")).total).toBe(2);
  const { groups } = await ask("pages", { group_by: "printer" });
  expect(groups?.map(({ key, total }) => [key, total])).toEqual([
    ["p1", "11"],
    ["p2", "2.5"],
  ]);
  const colors = await ask("prints", { group_by: "color" });
  expect(colors.groups?.map(({ key, total }) => [key, total])).toEqual([
    ["true", 3],
    ["", 1],
    ["false", 1],
  ]);
});

test("a meter counts only what passes its own filters, and an hour without a number has none", async () => {
  await make("color_pages", {
    ...printed,
    aggregation: "sum",
    filters: [{ dimension: "color", operator: "in", values: ["true"] }],
  });
  expect((await ask("color_pages", { node: "organization:acme" })).total).toBe("10");
  const later = { from: "2026-03-05T12:00:00Z", to: "2026-03-05T13:00:00Z" };
  expect((await ask("pages_last", later)).series[0]?.value).toBeNull();
});

test("a level of an own type rises and falls by its value", async () => {
  await make("seats", { types: ["seat.added"], lowered_by: ["seat.removed"], aggregation: "level" });
  expect(await ask("seats")).toMatchObject({ total: "3", peak: "4", average: "3.5", at: "2026-03-05T10:00:00Z" });
  const { series } = await ask("seats", { from: "2026-03-05T09:00:00Z" });
  expect(series).toMatchObject([{ at: null }, { peak: "4", at: "2026-03-05T10:00:00Z" }]);
});

test("a formula is computed exactly over windows and over totals, and is nothing where it divides by nothing", async () => {
  const {
    meter,
    node: _,
    ...definition
  } = createMeterSchema.parse({
    meter: "pages_per_print",
    title: "Pages per print",
    formula: "pages / (prints - 2) * 1.5",
  });
  await own.create(meter, "all", definition, system);
  expect((await ask("pages_per_print")).total).toBe("6.75");
  const { series } = await ask("pages_per_print", { from: "2026-03-05T09:00:00Z" });
  expect(series.map(({ value }) => value)).toEqual(["0", "6.75"]);
  await expect(own.retire("pages", "all", unseen)).rejects.toMatchObject({ code: "conflict" });
});

test("no formula is made of itself or of formulas, at no time, and one that moves or older data made so still answers", async () => {
  const formulaOf = (formula: string) => changeMeterSchema.parse({ title: formula, formula });
  const counted = { ...printed, aggregation: "count" };
  await make("inner", counted);
  await own.create("outer", "all", formulaOf("inner * 2"), system);
  const refused = { code: "invalid_request", field: "formula" };
  await expect(own.change("inner", "all", formulaOf("inner + 1"), unseen)).rejects.toMatchObject(refused);
  await expect(own.change("inner", "all", formulaOf("prints + 1"), unseen)).rejects.toMatchObject(refused);
  const later = changeMeterSchema.parse({ title: "Later", events: counted, effective_from: "2199-01-01T00:00:00Z" });
  await own.change("outer", "all", later, unseen);
  await expect(own.change("inner", "all", formulaOf("outer"), unseen)).rejects.toMatchObject(refused);
  await expect(own.create("third", "all", formulaOf("outer + 1"), system)).rejects.toMatchObject(refused);
  await expect(own.retire("inner", "all", unseen)).rejects.toMatchObject({ code: "conflict" });
  const row = { node: "all", version: 1, effectiveFrom: null, createdAt: new Date(), createdBy: "test" };
  const rows = { self: "self + 1", there: "back + prints", back: "there + 1" };
  await postgres.db
    .insert(customMeters)
    .values(Object.entries(rows).map(([meter, formula]) => ({ ...row, meter, definition: formulaOf(formula) })));
  const again = await CustomMeters.load(postgres, tree, silent);
  const names = again.listFor("all").map(({ meter }) => meter);
  expect(names).toEqual(expect.arrayContaining(["self", "there", "back"]));
  const range = { from: "2026-03-05T10:00:00Z", to: "2026-03-05T11:00:00Z", window: "hour" as const };
  const found = ["self", "there"].flatMap((name) => again.find(name, "all", Date.UTC(2026, 2, 6)) ?? []);
  const answers = await ingesting.usage({ ...range, meter: "", meters: found });
  expect(answers.map(({ total }) => total)).toEqual(["1", "6"]);
  await again.retire("self", "all", unseen);
  again.close();
});

test("a range that begins where time does, or before, has the totals, windows and groups of one that begins with usage, for every meter", async () => {
  const at = (minute: number) => ({ organization: "old", user: "u1", time: `2026-04-05T10:0${minute}:00Z` });
  const of = { model: "standard", language: "en", accuracy: "95", printer: "p1", pages: 3 };
  await ingesting.send([
    { ...at(0), id: "1", type: "participant.joined", session: "s", room: "r" },
    { ...at(1), id: "2", type: "transcription.requested", job: "j" },
    { ...at(2), id: "3", type: "transcription.completed", job: "j", value: "2", properties: of },
    { ...at(3), id: "4", type: "recording.stored", value: "7" },
    { ...at(4), id: "5", type: "page.printed", properties: of },
    { ...at(9), id: "6", type: "participant.left", session: "s", room: "r" },
  ]);
  const custom = ["prints", "pages", "pages_each", "pages_most", "pages_last", "printers", "pages_per_print"];
  const kinds = new Map(builtInMeters.map((meter) => [`${meter.rule.kind} ${meter.unit}`, meter]));
  const all = [...kinds.values(), ...custom.flatMap((name) => own.find(name, "all", Date.now()) ?? [])];
  const figures = async (from: string, query: Partial<UsageQuery>, asked: readonly Meter[]) => {
    const range = { meter: "", meters: asked, from, to: "2027-01-01", node: "organization:old" };
    const answers = await ingesting.usage({ ...range, ...query }, Date.parse("2026-12-01"));
    return answers.map(({ meter, total, groups, series }) => ({
      meter,
      total,
      groups: groups?.map((group) => [group.key, group.total]),
      // The last window, and whether any other has something.
      last: series.at(-1)?.value,
      earlier: series.slice(0, -1).filter(({ value }) => value !== null && Number(value) !== 0),
    }));
  };
  expect(all).toHaveLength(kinds.size + custom.length);
  const byUser = all.filter((meter) => dimensionsOf(meter).has("user") && meter.rule.kind !== "derived");
  for (const [window, query, asked] of [
    ["total", {}, all],
    ["year", {}, all],
    ["total", { group_by: "user" }, byUser],
  ] as const) {
    const expected = await figures("2026-01-01", { ...query, window }, asked);
    if (window === "total")
      expect(expected.find(({ meter }) => meter === "transcription_accuracy")).toMatchObject({
        total: "95",
        last: "95",
      });
    for (const from of ["1970-01-01", "1950-01-01"])
      expect(await figures(from, { ...query, window }, asked)).toEqual(expected);
  }
});

test("others' meters are neither shown nor in the way: each subtree has its own by a name, and the nearest answers", async () => {
  const named = async (node: string, title: string) => {
    const {
      meter,
      node: _,
      ...definition
    } = createMeterSchema.parse({
      meter: "same_name",
      title,
      events: { types: ["page.printed"], aggregation: "count" },
    });
    await own.create(meter, node, definition, system);
  };
  await named("organization:acme", "Of the one");
  await named("organization:globex", "Of the other");
  const titleFor = (node: string) => own.find("same_name", node, Date.now())?.title;
  expect([titleFor("organization:acme"), titleFor("organization:globex"), titleFor("all")]).toEqual([
    "Of the one",
    "Of the other",
    undefined,
  ]);
  await expect(named("all", "Above both")).rejects.toMatchObject({ code: "conflict" });
  await own.retire("same_name", "organization:globex", unseen);
  expect([titleFor("organization:acme"), titleFor("organization:globex")]).toEqual(["Of the one", undefined]);
});

test("a version answers questions whose range ends after it takes effect, and every version can be asked for by its number", async () => {
  await make("printing", { ...printed, aggregation: "count" });
  const {
    meter: _,
    node: __,
    ...changed
  } = createMeterSchema.parse({
    meter: "printing",
    title: "Pages printed",
    events: { ...printed, aggregation: "sum" },
    effective_from: "2026-03-05T10:30:00Z",
  });
  await own.change("printing", "all", changed, unseen);
  const totalAt = async (name: string, end: string) => {
    const found = own.find(name, "all", Date.parse(end));
    if (!found) throw new Error(`no meter ${name}`);
    const [answer] = await ingesting.usage({ meter: name, meters: [found], from: "2026-03-05", to: end });
    return answer?.total;
  };
  expect(await totalAt("printing", "2026-03-05T10:30:00Z")).toBe(5);
  expect(await totalAt("printing", "2026-03-05T11:00:00Z")).toBe("13.5");
  expect(await totalAt("printing@1", "2026-03-05T11:00:00Z")).toBe(5);
  const both = ["printing@1", "printing@2"].flatMap((name) => own.find(name, "all", Date.UTC(2026, 2, 6)) ?? []);
  const answers = await ingesting.usage({ meter: "", meters: both, from: "2026-03-05", to: "2026-03-06" });
  expect(answers.map(({ meter, total }) => [meter, total])).toEqual([
    ["printing@1", 5],
    ["printing@2", "13.5"],
  ]);
  expect(own.ownerFor("printing@1", "organization:acme")).toBe("all");
});

test("a node's meter answers for that node and below, and what makes no meter is refused by its field", async () => {
  await make("acme_prints", { ...printed, aggregation: "count" }, "organization:acme");
  expect(own.find("acme_prints", "organization:acme", Date.now())).toBeDefined();
  expect(own.find("acme_prints", "organization:globex", Date.now())).toBeUndefined();
  expect(own.find("acme_prints", "all", Date.now())).toBeUndefined();
  await expect(make("sessions", { ...printed, aggregation: "count" })).rejects.toMatchObject({ code: "conflict" });
  await expect(make("none", { ...printed, aggregation: "unique" })).rejects.toMatchObject({
    field: "events.unique_of",
  });
  const strange = createMeterSchema.parse({ meter: "strange", title: "S", formula: "pages / nothing_known" });
  await expect(own.create("strange", "all", strange, system)).rejects.toMatchObject({ field: "formula" });
  const half = createMeterSchema.parse({ meter: "half", title: "S", formula: "pages / (1 +" });
  await expect(own.create("half", "all", half, system)).rejects.toMatchObject({ field: "formula" });
});

test("what one process makes, the others know", async () => {
  const other = await CustomMeters.load(postgres, tree, silent);
  await make("shared", { types: ["fax.sent"], aggregation: "count" });
  await expect.poll(() => other.typeOf("fax.sent")).toBeDefined();
  other.close();
});

test("a text in a property that a meter adds up is a warning, and a number in a text is none", async () => {
  expect(own.typeOf("page.printed")?.properties).toEqual({ pages: {} });
  expect(own.typeOf("chat.posted")).toBe(eventType("chat.posted"));
});

test("what takes too much, or is one too many, is refused by its field, and what is there stays as it is", async () => {
  const filters = [
    { dimension: "printer", operator: "in", values: Array.from({ length: 200 }, (_, n) => `${n}`.repeat(40)) },
  ];
  const wide = { ...printed, aggregation: "count", filters };
  await expect(make("wide", wide)).rejects.toMatchObject({ code: "invalid_request", field: "events" });
  await make("narrow", { ...printed, aggregation: "count" });
  const definition = own.versionsOf("narrow", "all")?.[0]?.definition;
  if (!definition) throw new Error("no definition");
  const row = { definition, effectiveFrom: null, createdAt: new Date(), createdBy: "test" };
  const { versions, ofNode } = definitionLimits.meters;
  await postgres.db
    .insert(customMeters)
    .values(Array.from({ length: versions - 1 }, (_, n) => ({ ...row, meter: "narrow", node: "all", version: n + 2 })));
  const again = await CustomMeters.load(postgres, tree, silent);
  await expect(again.change("narrow", "all", definition, unseen)).rejects.toMatchObject({ code: "conflict" });
  const worse = { title: "narrow", unit: "", description: "", formula: "nothing_by_this_name + 1" };
  // What it says is looked at where there is room for it, and not before.
  await expect(again.change("narrow", "all", worse, unseen)).rejects.toMatchObject({ code: "conflict" });
  const node = "organization:full";
  await tree.ensureOrganizations(["full"], "all");
  const many = Array.from({ length: ofNode - 2 }, (_, n) => ({ ...row, meter: `many_${n}`, node, version: 1 }));
  await postgres.db.insert(customMeters).values(many);
  const atOnce = await Promise.allSettled(
    ["one", "two", "three", "four", "five"].map((name) => again.create(name, node, definition, system)),
  );
  expect(atOnce.filter(({ status }) => status === "fulfilled")).toHaveLength(2);
  again.close();
  const kept = await CustomMeters.load(postgres, tree, silent);
  expect(kept.find("many_0", node, Date.now())?.title).toBe("narrow");
  kept.close();
});

test("a process that is notified of a change reads the changed meter alone, and knows what reading all would", async () => {
  const other = await CustomMeters.load(postgres, tree, silent);
  const rows = await rowsReadBy(async () => {
    await make("told_of", { types: ["page.told"], value: "sheets", aggregation: "sum" }, "organization:acme");
    await expect.poll(() => other.find("told_of", "organization:acme", Date.now())?.title).toBe("told_of");
  });
  const definitions = rows.filter((row) => row.includes('"aggregation"'));
  expect(definitions.length).toBeGreaterThan(1);
  expect(definitions.filter((row) => !row.includes("told_of"))).toEqual([]);
  expect(other.typeOf("page.told")?.properties).toEqual({ sheets: {} });
  await own.retire("told_of", "organization:acme", unseen);
  await expect.poll(() => other.typeOf("page.told")).toBeUndefined();
  const fresh = await CustomMeters.load(postgres, tree, silent);
  for (const node of ["all", "organization:acme", "organization:globex"])
    expect(other.listFor(node)).toEqual(fresh.listFor(node));
  for (const type of ["page.printed", "seat.added", "chat.posted"])
    expect(other.typeOf(type)).toEqual(fresh.typeOf(type));
  other.close();
  fresh.close();
});
