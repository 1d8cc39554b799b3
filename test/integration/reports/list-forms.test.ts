/** The lists that are answered as tables, by `Accept`, beside what they say as JSON. */
import readWorkbook from "read-excel-file/node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { statementProgress } from "../../../server/postgres/schema/statements.ts";
import { createReportsWorld, type ReportsWorld, reseller } from "../../support/reports-world.ts";

let world: ReportsWorld;
beforeAll(async () => {
  world = await createReportsWorld();
});
afterAll(() => world?.close());

const xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
const parquet = "application/vnd.apache.parquet";
const range = "from=2026-01-01&to=2026-02-01";
const lists = [
  { path: `/v1/usage?node=${reseller}&meter=transcribed_minutes,documents&${range}&compare=previous`, key: "meters" },
  { path: `/v1/usage?node=${reseller}&meter=documents&${range}&group_by=organization`, key: "meters" },
  { path: `/v1/organizations?node=${reseller}`, key: "organizations" },
  { path: `/v1/records?node=${reseller}`, key: "records" },
  { path: `/v1/statements?node=${reseller}`, key: "statements" },
  { path: `/v1/audit?node=${reseller}`, key: "entries" },
];

async function ask(path: string, accept: string): Promise<Buffer> {
  const answer = await fetch(`${world.url}${path}`, { headers: { authorization: `Bearer ${world.key}`, accept } });
  expect(answer.status, path).toBe(200);
  expect(answer.headers.get("content-type")?.split(";")[0]).toBe(accept);
  return Buffer.from(await answer.arrayBuffer());
}

async function parquetRows(bytes: Buffer): Promise<unknown[][]> {
  const sql = `SELECT * FROM format(Parquet, unhex('${bytes.toString("hex")}')) FORMAT JSONCompactEachRow`;
  const parts: Buffer[] = [];
  for await (const part of world.deps.clickhouse.selectBytes(sql, {})) parts.push(part);
  const lines = Buffer.concat(parts).toString("utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
}

test.each(lists)("$path has the same rows as CSV, lines, Excel and Parquet", async ({ path, key }) => {
  const { body } = await world.ask("GET", path, { key: world.key });
  const csv = (await ask(path, "text/csv")).toString("utf8").trimEnd().split("\r\n");
  const [sheet] = await readWorkbook(await ask(path, xlsx));
  const rows = await parquetRows(await ask(path, parquet));
  const lines = (await ask(path, "application/x-ndjson")).toString("utf8").trimEnd().split("\n");
  const head = csv[0]?.split(",") ?? [];
  expect(sheet?.data[0]).toEqual(head);
  expect(rows).toHaveLength(csv.length - 1);
  expect(sheet?.data).toHaveLength(csv.length);
  if (key !== "meters") {
    expect(csv).toHaveLength(body[key].length + 1);
    expect(lines.map((line) => JSON.parse(line))).toEqual(body[key]);
  }
  // Figures are the same wherever they stand.
  for (const [at, name] of head.entries())
    if (["value", "users", "usage", "total", "documents", "sequence", "transcribed_minutes"].includes(name))
      for (const [index, row] of rows.entries()) {
        const cell = csv[index + 1]?.match(/(?:"(?:[^"]|"")*"|[^,]*)(?:,|$)/g)?.[at]?.replace(/,$/, "") ?? "";
        expect(row[at] === null ? "" : String(Number(row[at])), `${name} ${index}`).toBe(
          cell === "" ? "" : String(Number(cell)),
        );
        expect(sheet?.data[index + 1]?.[at] ?? null).toBe(cell === "" ? null : Number(cell));
      }
});

const made = { node: reseller };
const rule = { condition: { kind: "threshold", meter: "chat_posts", window: "1h", above: "5" } };
const schedule = { report: "usage", every: "day", formats: ["csv"], recipients: ["told@example.org"] };
const run = { report: "usage", from: "2026-01-01", to: "2026-02-01", tz: "UTC", formats: ["csv"] };
/** Each with what puts something on it, by the place of that. */
const smallLists: { path: string; member: string; make?: (place: number) => object }[] = [
  { path: "/v1/alerts", member: "alerts" },
  { path: "/v1/annotations", member: "annotations" },
  {
    path: "/v1/channels",
    member: "channels",
    make: (place) => ({ ...made, kind: "email", name: `+cmd ${place}`, to: ["told@example.org"] }),
  },
  { path: "/v1/deliveries", member: "deliveries" },
  { path: "/v1/jobs", member: "jobs" },
  { path: "/v1/keys", member: "keys" },
  { path: "/v1/meters", member: "meters" },
  {
    path: "/v1/models",
    member: "models",
    make: (place) => ({ ...made, model: `own-${place}`, name: `@cmd ${place}`, tier: "custom" }),
  },
  { path: "/v1/nodes", member: "nodes" },
  { path: "/v1/orphans", member: "orphans" },
  { path: "/v1/period", member: "quotas" },
  { path: "/v1/ingest-health", member: "series" },
  { path: "/v1/plans", member: "plans" },
  { path: "/v1/quarantine", member: "events" },
  { path: "/v1/reconciliations", member: "reconciliations" },
  { path: "/v1/rebuilds", member: "rebuilds" },
  { path: "/v1/report-runs", member: "runs", make: () => run },
  { path: "/v1/reports", member: "reports", make: (place) => ({ ...made, name: `-cmd ${place}`, kind: "usage" }) },
  { path: "/v1/rules", member: "rules", make: (place) => ({ ...made, ...rule, name: `=cmd ${place}` }) },
  { path: "/v1/schedules", member: "schedules", make: () => ({ ...made, ...schedule }) },
  { path: "/v1/sessions", member: "sessions" },
  { path: "/v1/subscriptions", member: "subscriptions" },
  { path: "/v1/users", member: "users" },
];
/** What goes on between two questions, and links, which are signed anew. */
const moving = [
  "state",
  "progress",
  "made_at",
  "watermark",
  "files",
  "url_expires_at",
  "expires_at",
  "error",
  "last_used_at",
  "last_used_address",
];
const still = (row: object) => Object.fromEntries(Object.entries(row).filter(([name]) => !moving.includes(name)));

test.each(smallLists)("$path has the same rows as CSV, lines and Excel", async ({ path, member, make }) => {
  for (let place = 0; make && place < 2; place++)
    expect((await world.ask("POST", path, { key: world.key, body: make(place) })).status).toBeLessThan(300);
  const { body } = await world.ask("GET", path, { key: world.key });
  const rows: object[] = body[member];
  if (make) expect(rows.length).toBeGreaterThan(1);
  // A page of one row: a file has all of them.
  const limited = make && path !== "/v1/models" ? `${path}?limit=1` : path;
  const lines = (await ask(limited, "application/x-ndjson")).toString("utf8").split("\n").slice(0, -1);
  const [sheet] = await readWorkbook(await ask(limited, xlsx));
  const csv = (await ask(limited, "text/csv")).toString("utf8");
  const head = csv.split("\r\n")[0]?.split(",") ?? [];
  expect(lines.map((line) => still(JSON.parse(line)))).toEqual(rows.map(still));
  expect(sheet?.data[0]).toEqual(head);
  expect(sheet?.data).toHaveLength(rows.length + 1);
  for (const row of rows) for (const field of Object.keys(row)) expect(head).toContain(field);
  // What a spreadsheet would run is text.
  expect(csv).not.toMatch(/(?:^|,|\n)"?[-=+@]cmd/);
});

test("what cannot be read is answered as a problem in any form", async () => {
  for (const accept of ["text/csv", xlsx, "application/x-ndjson"])
    for (const [path, status] of [
      ["/v1/sessions/told-0/none", 404],
      ["/v1/rules?cursor=none", 400],
      ["/v1/alerts?node=reseller:elsewhere", 403],
    ] as const) {
      const answer = await fetch(`${world.url}${path}`, { headers: { authorization: `Bearer ${world.key}`, accept } });
      expect(answer.status, path).toBe(status);
      expect(answer.headers.get("content-type")).toContain("application/problem+json");
    }
});

interface Described {
  get?: { responses: { 200?: { headers?: object; content?: Record<string, { schema: object }> } } };
}

test("every form of an answer with figures says in the same header up to when it knows everything", async () => {
  const { paths } = await (await fetch(`${world.url}/openapi.json`)).json();
  const header = "Tidemark-Watermark";
  const said = Object.entries<Described>(paths).flatMap(([path, { get }]) =>
    header in (get?.responses[200]?.headers ?? {}) ? [path] : [],
  );
  expect(said).toEqual(
    expect.arrayContaining(["/v1/usage", "/v1/records", "/v1/organizations", "/v1/statements", "/v1/live", "/v1/jobs"]),
  );
  // As the job leaves it that looks for what changes closed statements.
  const known = { settledBatch: 0, adjustedUntil: new Date() };
  await world.deps.postgres.db.insert(statementProgress).values(known).onConflictDoNothing();
  const { statements } = (await world.ask("GET", `/v1/statements?node=${reseller}`, { key: world.key })).body;
  const month = `node=${reseller}&${range}`;
  const asked = new Map([
    ["/v1/usage", `/v1/usage?meter=documents&${month}`],
    ["/v1/explain", `/v1/explain?meter=documents&${month}`],
    ["/v1/statements/{id}", `/v1/statements/${statements[0].id}`],
    ["/v1/entitlements/{feature}", `/v1/entitlements/documents?node=${reseller}`],
  ]);
  for (const path of said) {
    const url = asked.get(path) ?? path;
    // A session, or a run of a report, that would have to be made first.
    if (url.includes("{")) continue;
    const { status, body } = await world.ask("GET", url, { key: world.key });
    // The root has no subscription, and no charges.
    if (url === "/v1/charges" && status === 404) continue;
    expect(Date.parse(body.watermark), url).toBeGreaterThan(0);
    for (const accept of ["application/json", "text/csv", xlsx, parquet, "application/x-ndjson"]) {
      const headers = { authorization: `Bearer ${world.key}`, accept };
      const answer = await fetch(`${world.url}${url}`, { headers });
      await answer.arrayBuffer();
      expect(answer.status, url).toBe(200);
      const then = Date.parse(answer.headers.get(header) ?? "");
      expect(then, `${url} as ${accept}`).toBeGreaterThanOrEqual(Date.parse(body.watermark));
    }
  }
});

test("a day that a zone skipped is a range without length, in usage and in lists", async () => {
  const day = "from=2011-12-30&to=2011-12-31&tz=Pacific/Apia";
  const usage = `/v1/usage?node=${reseller}&meter=documents,participation_minutes,max_concurrent_participants&${day}`;
  for (const window of ["hour", "day", "total"]) {
    const { status, body } = await world.ask("GET", `${usage}&window=${window}`, { key: world.key });
    expect(status, JSON.stringify(body)).toBe(200);
    expect(body.meters.map(({ total }: { total: unknown }) => Number(total))).toEqual([0, 0, 0]);
  }
  for (const more of ["compare=previous", "compare=year", "group_by=organization", "fill=none"])
    expect((await world.ask("GET", `${usage}&${more}`, { key: world.key })).status, more).toBe(200);
  const records = await world.ask("GET", `/v1/records?node=${reseller}&${day}`, { key: world.key });
  expect([records.status, records.body.records]).toEqual([200, []]);
  const backwards = ["from=2011-12-31&to=2011-12-30", "from=2026-03-01&to=2026-03-01"];
  for (const range of backwards)
    expect((await world.ask("GET", `/v1/records?${range}`, { key: world.key })).status, range).toBe(400);
});

test("every list of the API is one of those that are answered in these forms", async () => {
  const { paths, components } = await (await fetch(`${world.url}/openapi.json`)).json();
  const membersOf = ({ $ref, properties }: { $ref?: string; properties?: object }): string[] =>
    Object.keys(($ref ? components.schemas[$ref.split("/").at(-1) ?? ""].properties : properties) ?? {});
  const known = [...lists, ...smallLists].map(({ path }) => path.split("?")[0]);
  // A person's own bell; and with what they are about in the path, the slots of a schedule and the intervals of a session.
  const others = ["/v1/notifications", "/v1/schedules/{id}/slots", "/v1/sessions/{organization}/{session}"];
  const listed = Object.entries<Described>(paths).flatMap(([path, { get }]) => {
    const schema = get?.responses[200]?.content?.["application/json"]?.schema;
    return schema && membersOf(schema).includes("next_cursor") ? [path] : [];
  });
  expect(listed.length).toBeGreaterThan(15);
  expect(listed.filter((path) => !known.includes(path)).sort()).toEqual(others.sort());
});
