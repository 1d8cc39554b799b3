/** A reseller with two organizations, their plan, closed statements, usage and an audit, whose names are as hostile as names get. */
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import type { ReportDocument, ReportRun } from "../../server/contract/reports.ts";
import type { StatementLine } from "../../server/contract/statements.ts";
import { newId } from "../../server/identity/actor.ts";
import { statements } from "../../server/postgres/schema/statements.ts";
import type { Answer } from "./accounts.ts";
import { createWorld, type World } from "./isolation-world.ts";

export const reseller = "reseller:told";
export const range = { from: "2026-01-01", to: "2026-02-01", tz: "Europe/Amsterdam" };
/** Formulas, markup of documents and pages, both directions, and characters beyond the first plane. */
export const hostileNames = [
  `=cmd|'/c calc'!A1 <script>alert(1)</script> {{7*7}} #panic("x") *bold* \\ $ @x`,
  "+SUM(1,2) שלום مرحبا 漢字 かな 한글 😀 𐍈 Ωμέγα Привет ‮abc",
];

export interface ReportsWorld extends World {
  key: string;
  root: string;
  /** As JSON unless the answer is of another type; `bytes` of a file. */
  run(report: string, more?: object): Promise<ReportRun>;
  bytes(url: string): Promise<Buffer>;
  document(run: ReportRun): Promise<ReportDocument>;
}

export async function createReportsWorld(): Promise<ReportsWorld> {
  const world = await createWorld();
  const root = (await world.makeKey(["ingest", "read", "admin"], "all")).key;
  const post = async (path: string, body: unknown): Promise<Answer> => {
    const answer = await world.ask("POST", path, { key: root, body });
    expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
    return answer;
  };
  await post("/v1/nodes", { kind: "reseller", id: "told", name: "Told & Söhne", parent: "all" });
  for (const [index, name] of hostileNames.entries())
    await post("/v1/nodes", { kind: "organization", id: `told-${index}`, name, parent: reseller });
  await storeStatements(world);
  await post("/v1/events?ack=stored", usageEvents());
  const key = (await world.makeKey(["ingest", "read", "admin"], reseller)).key;

  async function bytes(url: string): Promise<Buffer> {
    const answer = await fetch(`${world.url}${url}`);
    expect(answer.status, url).toBe(200);
    return Buffer.from(await answer.arrayBuffer());
  }
  async function finished(id: string): Promise<ReportRun> {
    for (;;) {
      const { body } = await world.ask("GET", `/v1/report-runs/${id}`, { key });
      if (!["queued", "running"].includes(body.state)) return body;
      await delay(20);
    }
  }
  return {
    ...world,
    key,
    root,
    bytes,
    async run(report, more) {
      const asked = await world.ask("POST", "/v1/report-runs", {
        key,
        body: { report, ...range, formats: ["json", "csv"], ...more },
      });
      expect(asked.status, JSON.stringify(asked.body)).toBe(202);
      const run = await finished(asked.body.id);
      expect(run, JSON.stringify(run)).toMatchObject({ state: "done", progress: 100, error: null });
      return run;
    },
    async document(run) {
      const url = run.files.find(({ format }) => format === "json")?.url ?? "";
      return JSON.parse((await bytes(url)).toString("utf8"));
    },
  };
}

function usageEvents(): object[] {
  const done = (id: string, organization: string, time: string, value: string, properties = {}) => ({
    id,
    type: "transcription.completed",
    organization,
    time,
    value,
    user: "ann",
    properties: { language: "en", model: "m-1", kind: "transcript", ...properties },
  });
  return [
    done("e1", "told-0", "2026-01-03T10:00:00Z", "12.123456789"),
    // The first minutes of February in Amsterdam.
    done("e2", "told-1", "2026-01-31T23:30:00Z", "99"),
    done("e3", "told-1", "2026-01-20T10:00:00Z", "7.5", { language: "nl", kind: "caption" }),
    done("e4", "told-0", "2025-12-11T10:00:00Z", "5"),
    done("e5", "told-0", "2025-01-11T10:00:00Z", "3"),
    { id: "e6", type: "api.called", organization: "told-0", time: "2026-01-05T00:00:00Z" },
    { id: "e7", type: "user.signed_up", organization: "told-1", time: "2026-01-06T00:00:00Z", user: "new" },
    { id: "e8", type: "translation.completed", organization: "told-1", time: "2026-01-07T00:00:00Z" },
  ];
}

/** Statements of January, one in each currency. */
async function storeStatements({ deps: { postgres, tree } }: World): Promise<void> {
  const [from, to] = [new Date("2026-01-01T00:00:00Z"), new Date("2026-01-31T00:00:00Z")];
  const line = (node: string, kind: StatementLine["kind"], amount: string): StatementLine => ({
    kind,
    node,
    statement: null,
    feature: null,
    meter: null,
    plan: null,
    version: null,
    tier: null,
    from: from.toISOString(),
    to: to.toISOString(),
    quantity: "1",
    unit_price: amount,
    flat_fee: "0",
    amount,
  });
  for (const [index, currency] of ["EUR", "USD"].entries()) {
    const [id, node] = [newId("stm"), `organization:told-${index}`];
    const charges = [
      {
        level: "organization" as const,
        payer: node,
        total: "61.10",
        margin: null,
        lines: [line(node, "fixed_fee", "49.90"), line(node, "usage", "12.20"), line(node, "adjustment", "-1.00")],
      },
      {
        level: "reseller" as const,
        payer: reseller,
        total: "30.00",
        margin: "31.10",
        lines: [line(node, "fixed_fee", "30.00")],
      },
    ];
    const times = {
      cycleStart: from,
      cycleEnd: to,
      partFrom: from,
      partTo: to,
      closedAt: to,
      paymentAt: to,
      tz: "UTC",
    };
    const about = { id, kind: "subscription" as const, node, path: tree.ancestors(node), subscriptionId: id };
    const money = { currency, total: "61.10", incomeTotal: null, charges };
    const paymentStatus = index === 0 ? ("paid" as const) : ("open" as const);
    const nothing = { segments: [], chargedSegments: [], usage: [] };
    await postgres.db.insert(statements).values({ ...about, ...money, ...times, ...nothing, paymentStatus });
  }
}
