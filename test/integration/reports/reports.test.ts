/** Reports beside what the other routes say, and who may make, read and fetch them. */
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ReportDocument, ReportKind, ReportRun, ReportSection } from "../../../server/contract/reports.ts";
import type { Statement } from "../../../server/contract/statements.ts";
import { createFileLinks } from "../../../server/reports/file-link.ts";
import { createReportsWorld, hostileNames, type ReportsWorld, range, reseller } from "../../support/reports-world.ts";
import { runsInTheirTurn } from "./runs-in-their-turn.ts";

let world: ReportsWorld;
const documents = new Map<ReportKind, ReportDocument>();
const runs = new Map<ReportKind, ReportRun>();
const kinds = ["usage", "billing", "activity", "organizations", "financial", "audit"] as const;
const custom = {
  name: "Minutes by language",
  kind: "custom",
  node: reseller,
  options: { meters: ["transcribed_minutes", "documents"], group_by: "language", window: "week", compare: "previous" },
};

beforeAll(async () => {
  world = await createReportsWorld();
  const saved = await world.ask("POST", "/v1/reports", { key: world.key, body: custom });
  expect(saved.status, JSON.stringify(saved.body)).toBe(201);
  for (const kind of [...kinds, "custom"] as const) {
    const reference = kind === "custom" ? saved.body.id : kind;
    // The tree and its audit are of now, the usage of January.
    const until = kind === "audit" ? { to: "2050-01-01" } : {};
    const run = await world.run(reference, until);
    runs.set(kind, run);
    documents.set(kind, await world.document(run));
  }
});
afterAll(() => world?.close());

const of = (kind: ReportKind) => documents.get(kind) as ReportDocument;
function sectionOf(kind: ReportKind, id: string): ReportSection {
  const found = of(kind).sections.find((one) => one.id === id);
  if (!found) throw new Error(`${kind} has no section ${id}`);
  return found;
}
/** The rows as objects. */
const rowsOf = (kind: ReportKind, id: string) => {
  const { columns, rows } = sectionOf(kind, id);
  return rows.map((row) => Object.fromEntries(columns.map(({ key }, index) => [key, row[index]])));
};
const usage = async (query: string) =>
  (
    await world.ask("GET", `/v1/usage?node=${reseller}&from=${range.from}&to=${range.to}&tz=${range.tz}&${query}`, {
      key: world.key,
    })
  ).body.meters;

test("who has a link takes turns with all who have one of the same run", async () => {
  const { questions } = world.deps;
  const run = runs.get("usage") as ReportRun;
  const fetched = async () => await fetch(`${world.url}${run.files[0]?.url}`);
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const caller = { tenant: reseller, id: `link ${run.id}` };
  const turns = Array.from({ length: 6 }, () =>
    questions.answer(caller, new AbortController().signal, async () => await held),
  );
  const waiting = fetched();
  await expect.poll(() => questions.waiting).toBe(1);
  expect((await world.ask("GET", `/v1/report-runs/${run.id}`, { key: world.key })).status).toBe(200);
  release();
  await Promise.all(turns);
  const answer = await waiting;
  expect(answer.status).toBe(200);
  expect((await answer.arrayBuffer()).byteLength).toBe(run.files[0]?.bytes);
});

test.each(["preview", "differences"])(
  "%s of a run wait for room, since a whole document is held for them",
  async (of) => {
    const { questions } = world.deps;
    const { id } = runs.get("usage") as ReportRun;
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let isHeld = false;
    const large = questions.answer(
      { tenant: reseller, id: "other" },
      new AbortController().signal,
      async (question) => {
        await question.becomeLarge();
        isHeld = true;
        await held;
      },
    );
    await expect.poll(() => isHeld).toBe(true);
    const waiting = world.ask("GET", `/v1/report-runs/${id}/${of}`, { key: world.key });
    let answered = false;
    void waiting.then(() => {
      answered = true;
    });
    await expect.poll(() => questions.waitingLarge || answered).toBe(1);
    const stranger = (await world.makeKey(["read"])).key;
    expect((await world.ask("GET", `/v1/report-runs/${id}/${of}`, { key: stranger })).status).toBe(404);
    release();
    await large;
    expect((await waiting).status).toBe(200);
  },
);

test("a preview says what the run says, of long sections the first rows, and keeps nothing", async () => {
  const { body: before } = await world.ask("GET", "/v1/report-runs?limit=1000", { key: world.key });
  const preview = (report: string, more = {}, key = world.key) =>
    world.ask("POST", "/v1/reports/preview", { key, body: { report, ...range, ...more } });
  for (const kind of kinds) {
    const { status, body } = await preview(kind, kind === "audit" ? { to: "2050-01-01" } : {});
    expect(status, JSON.stringify(body)).toBe(200);
    // The tree's audit goes on.
    if (kind === "audit") continue;
    const sections = body.sections.map(
      ({ row_count, chart: _, ...section }: ReportSection & { row_count: number; chart: unknown }) => {
        expect(row_count).toBeGreaterThanOrEqual(section.rows.length);
        return section;
      },
    );
    expect(sections).toEqual(of(kind).sections.map((one) => ({ ...one, rows: one.rows.slice(0, 200) })));
  }
  const unsaved = await preview("custom", { options: custom.options, node: reseller });
  expect(unsaved.body.sections.map(({ rows }: ReportSection) => rows)).toEqual(
    of("custom").sections.map(({ rows }) => rows),
  );
  const { key } = await world.makeKey(["read"], reseller);
  expect((await preview("billing", {}, key)).status).toBe(403);
  expect((await preview("custom")).body).toMatchObject({ code: "not_found", field: "report" });
  expect((await preview("custom", { options: { meters: ["nothing"], window: "day" } })).body.field).toBe(
    "options.meters",
  );
  // It is the same for what was made, in whatever formats.
  const made = await world.ask("GET", `/v1/report-runs/${runs.get("billing")?.id}/preview`, { key: world.key });
  expect(made.body.sections.map(({ rows }: ReportSection) => rows)).toEqual(
    of("billing").sections.map(({ rows }) => rows),
  );
  const { body: after } = await world.ask("GET", "/v1/report-runs?limit=1000", { key: world.key });
  expect(after.runs).toHaveLength(before.runs.length);
});

test("every report fits the served schema and carries node, range, zone, watermark and definitions", async () => {
  const { body: schema } = await world.ask("GET", "/v1/report-schema.json");
  const validate = new Ajv2020({ strict: false }).compile(schema);
  for (const [kind, document] of documents) {
    expect(validate(document), JSON.stringify(validate.errors)).toBe(true);
    expect(document).toMatchObject({ kind, node: reseller, tz: range.tz, from: "2026-01-01T00:00:00+01:00" });
    expect(Date.parse(document.watermark)).toBeGreaterThan(0);
    for (const { columns, rows, totals } of document.sections)
      for (const row of totals.length > 0 ? [...rows, totals] : rows) expect(row.length).toBe(columns.length);
  }
  expect(of("usage").definitions[0]).toMatchObject({ meter: "transcribed_minutes", unit: "minutes" });
});

test("the usage summary says what /v1/usage says of the range, the one before and the year before", async () => {
  const [previous] = await usage("meter=transcribed_minutes&window=total&compare=previous");
  const [year] = await usage("meter=transcribed_minutes&window=total&compare=year");
  expect(rowsOf("usage", "totals")[0]).toEqual({
    meter: "transcribed_minutes",
    title: "Transcribed minutes",
    unit: "minutes",
    total: previous.total,
    previous_total: previous.comparison.total,
    change: previous.comparison.delta,
    change_percent: previous.comparison.percent,
    year_total: year.comparison.total,
    year_change: year.comparison.delta,
    year_change_percent: year.comparison.percent,
  });
  const [days] = await usage("meter=transcribed_minutes&window=day&compare=previous");
  expect(rowsOf("usage", "days").map(({ start, value }) => [start, value])).toEqual(
    days.series.map(({ start, value }: { start: string; value: string }) => [start, value]),
  );
  expect(sectionOf("usage", "days").totals[2]).toBe(previous.total);
  expect(rowsOf("usage", "peak_day")).toEqual([{ date: "2026-01-03", value: "12.123456789" }]);
  const [groups] = await usage("meter=transcribed_minutes&window=total&group_by=organization");
  expect(rowsOf("usage", "top_organizations").map(({ key, total }) => [key, total])).toEqual(
    groups.groups.map(({ key, total }: { key: string; total: string }) => [key, total]),
  );
});

test("the activity report says what /v1/usage says of transcriptions, sign-ups, features and calls", async () => {
  const rows = rowsOf("activity", "activity");
  const names = rows.map(({ meter }) => meter);
  expect(names).toEqual(expect.arrayContaining(["documents", "user_signups", "feature_uses", "api_calls"]));
  const meters = await usage(`meter=${names.join(",")}&window=total`);
  expect(rows.map(({ total }) => total)).toEqual(meters.map(({ total }: { total: unknown }) => String(total)));
  expect(rowsOf("activity", "documents_by_kind").map(({ key, total }) => [key, total])).toEqual([
    ["caption", "1"],
    ["transcript", "1"],
  ]);
});

test("the organizations report has every organization, with its usage in the range", async () => {
  const rows = rowsOf("organizations", "organizations");
  expect(rows.map(({ name }) => name).sort()).toEqual([...hostileNames].sort());
  expect(Object.fromEntries(rows.map(({ node, usage }) => [node, usage]))).toEqual({
    "organization:told-0": "12.123456789",
    "organization:told-1": "7.5",
  });
  expect(rows.every(({ parent }) => parent === reseller)).toBe(true);
});

test("billing and finances add up what statements charge, never across currencies", async () => {
  const { body } = await world.ask("GET", `/v1/statements?node=${reseller}`, { key: world.key });
  const rows = rowsOf("billing", "statements");
  expect(rows.map(({ id, total, payment_status }) => [id, total, payment_status])).toEqual(
    body.statements.map(({ id, total, payment }: Statement) => [id, total, payment.status]),
  );
  const amounts = { subscription: "49.90", overage: "12.20", adjustments: "-1.00", total: "61.10" };
  const revenue = { level: "organization", currency: "EUR", statements: 1, ...amounts };
  expect(rowsOf("billing", "revenue")).toContainEqual(revenue);
  expect(rowsOf("billing", "payments")).toEqual(
    expect.arrayContaining([
      { payment_status: "paid", currency: "EUR", statements: 1, total: "61.10" },
      { payment_status: "open", currency: "USD", statements: 1, total: "61.10" },
    ]),
  );
  expect(sectionOf("billing", "payments").totals).toEqual([null, null, 2, null]);
  expect(rowsOf("financial", "sellers")).toContainEqual({
    kind: "reseller",
    node: reseller,
    name: "Told & Söhne",
    currency: "EUR",
    statements: 1,
    cost: "30.00",
    price: "61.10",
    margin: "31.10",
    adjustments: "0.00",
  });
});

test("the activity log holds what /v1/audit says, without what needs other rights", async () => {
  const { body } = await world.ask("GET", `/v1/audit?node=${reseller}&limit=1000`, { key: world.key });
  const rows = rowsOf("audit", "entries");
  const until = body.entries.filter(({ sequence }: { sequence: number }) => sequence <= Number(rows[0]?.sequence));
  expect(rows.map(({ sequence, action }) => [sequence, action])).toEqual(
    until.map(({ sequence, action }: { sequence: number; action: string }) => [sequence, action]),
  );
  expect(rows.length).toBeGreaterThan(2);
});

test("a custom report says what /v1/usage says of its meters, groups, windows and comparison", async () => {
  const meters = await usage("meter=transcribed_minutes,documents&window=week&group_by=language&compare=previous");
  expect(rowsOf("custom", "totals").map(({ total, change }) => [total, change])).toEqual(
    meters.map(({ total, comparison }: { total: unknown; comparison: { delta: unknown } }) => [
      String(total),
      String(comparison.delta),
    ]),
  );
  expect(rowsOf("custom", "groups").filter(({ meter }) => meter === "documents")).toHaveLength(2);
  expect(rowsOf("custom", "series").map((row) => row.transcribed_minutes)).toEqual(
    meters[0].series.map(({ value }: { value: string }) => value),
  );
});

test("CSV has a file for each section, exact, and inert in a spreadsheet", async () => {
  const files = runs.get("organizations")?.files.find(({ format }) => format === "csv");
  expect(files?.sections?.map(({ section }) => section)).toEqual(["organizations", "quotas", "about"]);
  const text = (await world.bytes(files?.url ?? "")).toString("utf8");
  const [head, ...lines] = text.trimEnd().split("\r\n");
  expect(head).toMatch(/^node,name,external_id,/);
  expect(lines).toHaveLength(2);
  for (const line of lines) expect(line).toMatch(/^organization:told-\d,"?'[=+]/);
  expect(text).toContain("12.123456789");
  const about = files?.sections?.find(({ section }) => section === "about");
  expect((await world.bytes(about?.url ?? "")).toString("utf8")).toContain("tz,Europe/Amsterdam");
});

test("a link works without credentials, for its very file, until it expires", async () => {
  const run = runs.get("usage") as ReportRun;
  const [first] = run.files;
  const { pathname, searchParams } = new URL(first?.url ?? "", world.url);
  const status = async (path: string) => (await fetch(`${world.url}${path}`)).status;
  expect(await status(`${pathname}?${searchParams}`)).toBe(200);
  expect(await status(pathname)).toBe(401);
  const other = (runs.get("billing") as ReportRun).id;
  const later = new URLSearchParams({ ...Object.fromEntries(searchParams), expires: "99999999999" });
  const forged = new URLSearchParams({ ...Object.fromEntries(searchParams), signature: "A".repeat(43) });
  for (const path of [
    `${pathname.replace(run.id, other)}?${searchParams}`,
    `${pathname.replace(/[^/]+$/, "pdf")}?${searchParams}`,
    `${pathname}?${searchParams}&section=about`,
    ...[later, forged].map((query) => `${pathname}?${query}`),
  ])
    expect(await status(path), path).toBe(403);
  const links = createFileLinks(world.deps.postgres);
  expect(await status(await links.sign({ run: run.id, format: "csv" }, Date.now() - 1_000))).toBe(403);
  expect(await status(await links.sign({ run: run.id, format: "csv" }, Date.now() + 60_000))).toBe(200);
});

test("without the right to see prices or the audit nobody makes, lists or reads such a report", async () => {
  const viewer = (await world.makeKey(["read"], reseller)).key;
  for (const kind of ["billing", "financial", "audit"]) {
    const made = await world.ask("POST", "/v1/report-runs", { key: viewer, body: { report: kind, ...range } });
    expect(made.status).toBe(403);
    expect(made.body.field).toBe("report");
    const run = runs.get(kind as ReportKind) as ReportRun;
    for (const path of ["", "/files/json", "/differences"])
      expect((await world.ask("GET", `/v1/report-runs/${run.id}${path}`, { key: viewer })).status).toBe(403);
  }
  const listed = await world.ask("GET", "/v1/report-runs", { key: viewer });
  const shown = new Set(listed.body.runs.map(({ kind }: ReportRun) => kind));
  expect([...shown].sort()).toEqual(["activity", "custom", "organizations", "usage"]);
  const reports = await world.ask("GET", "/v1/reports", { key: viewer });
  expect(reports.body.standard.map(({ id }: { id: string }) => id)).toEqual(["usage", "activity", "organizations"]);
});

test("a run stays what was known then, and its differences name each cell that is known otherwise now", async () => {
  const run = await world.run("usage");
  const unchanged = await world.ask("GET", `/v1/report-runs/${run.id}/differences`, { key: world.key });
  expect(unchanged.body).toMatchObject({ run: run.id, differences: [], truncated: false });
  const late = {
    id: "late",
    type: "transcription.completed",
    organization: "told-0",
    time: "2026-01-03T11:00:00Z",
    value: "1",
  };
  expect((await world.ask("POST", "/v1/events?ack=stored", { key: world.root, body: late })).status).toBe(200);
  const { body } = await world.ask("GET", `/v1/report-runs/${run.id}/differences`, { key: world.key });
  expect(body.differences).toContainEqual({
    section: "days",
    row: "2026-01-03T00:00:00+01:00",
    column: "value",
    change: "changed",
    before: "12.123456789",
    now: "13.123456789",
  });
  expect((await world.document(run)).sections[0]?.rows[0]?.[3]).toBe("19.623456789");
});

test("a report that cannot be made is refused with the field that is wrong", async () => {
  const ask = (body: object) =>
    world.ask("POST", "/v1/report-runs", { key: world.key, body: { report: "usage", ...range, ...body } });
  const refused: [object, number, string][] = [
    [{ report: "nothing" }, 404, "report"],
    [{ report: "custom" }, 404, "report"],
    [{ node: "reseller:sibling-9f3c" }, 403, "node"],
    [{ from: "2026-02-01" }, 400, "from"],
    [{ from: "1900-01-01" }, 400, "from"],
    [{ to: "soon" }, 400, "to"],
    [{ tz: "Mars/Olympus" }, 400, "tz"],
    [{ formats: [] }, 400, "formats"],
    [{ formats: ["csv", "csv"] }, 400, "formats"],
    [{ formats: ["docx"] }, 400, "formats.0"],
  ];
  for (const [body, status, field] of refused) {
    const answer = await ask(body);
    expect([answer.status, answer.body.field], JSON.stringify(answer.body)).toEqual([status, field]);
  }
  const save = (body: object) =>
    world.ask("POST", "/v1/reports", { key: world.key, body: { ...custom, name: "x", ...body } });
  const options = custom.options;
  for (const [body, field] of [
    [{ options: { window: "day" } }, "options.meters"],
    [{ options: { ...options, filter: { language: Array(100).fill("x".repeat(200)) } } }, "options"],
    [{ options: { meters: ["documents"] } }, "options.window"],
    [{ options: { ...options, meters: ["nothing"] } }, "options.meters"],
    [{ options: { ...options, group_by: "planet" } }, "options.group_by"],
    [{ options: { ...options, filter: { planet: "mars" } } }, "options.filter"],
    [{ options: { ...options, compare: "sometime" } }, "options.compare"],
    [{ kind: "billing", options: { limit: 3 } }, "options.limit"],
    [{ name: "a\ud800" }, "name"],
  ] as const)
    expect((await save(body)).body.field, JSON.stringify(body)).toBe(field);
});

test("who may see a run and not the report of another node sees nothing of the report's options", async () => {
  const body = { ...custom, name: "What we look at" };
  const { id: report } = (await world.ask("POST", "/v1/reports", { key: world.key, body })).body;
  const node = "organization:told-0";
  const agent = "agent:told-0/ann";
  const below = (await world.makeKey(["read"], node)).key;
  const ids: string[] = [];
  for (const about of [node, agent]) {
    const asked = { report, node: about, formats: ["json"], ...range };
    const made = await world.ask("POST", "/v1/report-runs", { key: world.key, body: asked });
    expect(made.body).toMatchObject({ node: about, options: custom.options });
    ids.push(made.body.id);
    expect((await world.ask("GET", `/v1/report-runs/${made.body.id}`, { key: below })).body.options).toEqual({});
  }
  const listed = async (key: string, query = "") =>
    (await world.ask("GET", `/v1/report-runs?report=${report}${query}`, { key })).body.runs as ReportRun[];
  const seen = async (key: string, query?: string) =>
    (await listed(key, query)).map(({ id, options }) => [id, options]).reverse();
  expect(await seen(below)).toEqual(ids.map((id) => [id, {}]));
  expect(await seen(world.key)).toEqual(ids.map((id) => [id, custom.options]));
  expect(await seen(world.key, `&node=${encodeURIComponent(agent)}`)).toEqual([[ids[1], custom.options]]);
  expect(await seen((await world.makeKey(["read"], "organization:told-1")).key)).toEqual([]);
  const states = async () => new Set((await listed(world.key)).map(({ state }) => state));
  await expect.poll(states).toEqual(new Set(["done"]));
});

runsInTheirTurn(() => world);
