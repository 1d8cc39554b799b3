/** Saved reports, and runs: made once, in turn, bounded, cancelled and expired; in the world of reports.test.ts. */
import { and, eq, sql } from "drizzle-orm";
import { expect, test } from "vitest";
import { system } from "../../../server/audit/record-change.ts";
import { meterByName } from "../../../server/catalog/catalog.ts";
import { StoreUnavailableError } from "../../../server/clickhouse/client.ts";
import { OrganizationFigures } from "../../../server/overview/organization-figures.ts";
import { reportFiles, reportRuns, reports } from "../../../server/postgres/schema/reports.ts";
import { createReportMaker } from "../../../server/reports/make-runs.ts";
import { keptBytes, storeFile } from "../../../server/reports/run-files.ts";
import {
  claimRun,
  createRun,
  createRunInTurn,
  readRun,
  releaseAbandoned,
  type Turns,
  unfinishedRuns,
} from "../../../server/reports/runs.ts";
import { createReport } from "../../../server/reports/saved-reports.ts";
import { type ReportsWorld, range, reseller } from "../../support/reports-world.ts";

/** The world's own maker makes nothing any more, and takes nothing until it is woken. */
async function othersAreOver({ deps: { postgres, reportMaker } }: ReportsWorld): Promise<void> {
  const unfinished = async () => (await unfinishedRuns(postgres.db)).length;
  await expect.poll(unfinished).toBe(0);
  await reportMaker?.tick();
}

export function runsInTheirTurn(worldOf: () => ReportsWorld): void {
  test("however often a maker is woken at once, it makes no more of a tenant's runs than it may", async () => {
    const world = worldOf();
    const { postgres, tree, clickhouse, watermark, settledBatch, log } = world.deps;
    await othersAreOver(world);
    const asked = { report: "activity", name: "x", kind: "activity" as const, options: {}, node: reseller };
    const own = { tz: "Etc/GMT", fromMs: 0, toMs: 1, formats: ["json"] as const, keptDays: 90, reportNode: null };
    for (let n = 0; n < 8; n++)
      await createRun(postgres.db, { ...asked, ...own, requestedBy: { id: `key ${n}`, name: "k" } }, Date.now());
    let release: (error: Error) => void = () => undefined;
    const held = new Promise<never>((_, reject) => {
      release = reject;
    });
    held.catch(() => undefined);
    const base = { postgres, tree, watermark, settledBatch, meterOf: meterByName, log };
    const source = { ...base, clickhouse: { ...clickhouse, select: () => held } };
    const maker = createReportMaker({ ...source, figures: new OrganizationFigures(source) }, log);
    // With a connection for each, claims that are made at once are at once.
    await Promise.all(Array.from({ length: 10 }, () => postgres.db.execute(sql`SELECT pg_sleep(0.1)`)));
    await Promise.all(Array.from({ length: 6 }, () => maker.tick()));
    const isOwn = eq(reportRuns.tz, "Etc/GMT");
    const running = await postgres.db
      .select()
      .from(reportRuns)
      .where(and(isOwn, eq(reportRuns.state, "running")));
    expect(running).toHaveLength(3);
    await postgres.db.update(reportRuns).set({ state: "cancelled" }).where(isOwn);
    release(new Error("released"));
    await maker.stop();
  });

  test("a run that meets a store which is away says so, and is made when that is back", async () => {
    const world = worldOf();
    const { postgres, tree, clickhouse, watermark, settledBatch, log } = world.deps;
    await othersAreOver(world);
    let isAway = true;
    const select: typeof clickhouse.select = async (...asked) => {
      if (isAway) throw new StoreUnavailableError(new Error("nothing listens there"));
      return await clickhouse.select(...asked);
    };
    const base = { postgres, tree, watermark, settledBatch, meterOf: meterByName, log };
    const source = { ...base, clickhouse: { ...clickhouse, select } };
    let nowMs = Date.now();
    const maker = createReportMaker({ ...source, figures: new OrganizationFigures(source) }, log, { now: () => nowMs });
    const asked = { report: "activity", name: "x", kind: "activity" as const, options: {}, node: reseller };
    const own = { tz: "Etc/Zulu", fromMs: 0, toMs: 1, formats: ["json"] as const, keptDays: 90, reportNode: null };
    const wanted = { ...asked, ...own, requestedBy: { id: "key away", name: "k" } };
    const { id } = await createRun(postgres.db, wanted, nowMs);
    const seen = async () => (await world.ask("GET", `/v1/report-runs/${id}`, { key: world.key })).body;
    await maker.tick();
    await expect.poll(async () => (await seen()).error).toMatch(/a store is away/);
    isAway = false;
    await maker.tick();
    expect((await seen()).state, "not at once").toBe("running");
    nowMs += 60_000;
    await maker.tick();
    await expect.poll(async () => (await seen()).state).toBe("done");
    expect((await seen()).error).toBeNull();
    await maker.stop();
  });

  test("a run whose tenant would keep more files than it may fails, says why and leaves nothing", async () => {
    const world = worldOf();
    const { postgres, tree, clickhouse, watermark, settledBatch, log } = world.deps;
    await othersAreOver(world);
    const source = { clickhouse, postgres, tree, watermark, settledBatch, meterOf: meterByName, log };
    const kept = await keptBytes(postgres.db, tree, reseller);
    expect(kept).toBeGreaterThan(0);
    expect(await keptBytes(postgres.db, tree, "reseller:beside")).toBe(0);
    const made = async (maxBytes: number) => {
      const asked = { report: "activity", name: "x", kind: "activity" as const, options: {}, node: reseller };
      const own = { tz: "Etc/UCT", formats: ["json"] as const, keptDays: 90, reportNode: null };
      const range = { fromMs: Date.UTC(2026, 0), toMs: Date.UTC(2026, 1) };
      const requestedBy = { id: "key full", name: "k" };
      return await endOf(
        (await createRun(postgres.db, { ...asked, ...own, ...range, requestedBy }, Date.now())).id,
        maxBytes,
      );
    };
    const endOf = async (id: string, maxBytes: number) => {
      const maker = createReportMaker({ ...source, figures: new OrganizationFigures(source) }, log, { maxBytes });
      await maker.tick();
      const ended = async () => (await world.ask("GET", `/v1/report-runs/${id}`, { key: world.key })).body;
      await expect.poll(async () => (await ended()).state).toMatch(/^(?:done|failed)$/);
      await maker.stop();
      const files = await postgres.db.select().from(reportFiles).where(eq(reportFiles.run, id));
      return { ...(await ended()), stored: files.length };
    };
    for (const room of [10, 1_500]) {
      const refused = await made(kept + room);
      expect(refused).toMatchObject({
        state: "failed",
        stored: 0,
        error: expect.stringContaining("Space is freed as runs expire"),
      });
      expect(refused.error, "neither who is above its reader nor how the installation is set").not.toMatch(
        /:|TIDEMARK/,
      );
    }
    expect(await keptBytes(postgres.db, tree, reseller)).toBe(kept);
    const full = await made(kept + 1_000_000);
    expect(full).toMatchObject({ state: "done", stored: 2 });
    const again = async (run: string, maxBytes: number) => {
      await postgres.db.update(reportRuns).set({ state: "queued" }).where(eq(reportRuns.id, run));
      return await endOf(run, maxBytes);
    };
    const most = (await keptBytes(postgres.db, tree, reseller)) + 100;
    expect(await again(full.id, most), "its own files do not count").toMatchObject({ state: "done", stored: 2 });
  });

  test("a report is saved once, edited as it was seen, and leaves its runs when it is removed", async () => {
    const world = worldOf();
    const body = { name: "Mine", kind: "usage", node: reseller };
    const made = await world.ask("POST", "/v1/reports", { key: world.key, body });
    expect((await world.ask("POST", "/v1/reports", { key: world.key, body })).status).toBe(409);
    const path = `/v1/reports/${made.body.id}`;
    const run = await world.run(made.body.id);
    const tag = made.headers.get("etag") ?? "";
    const edit = (name: string) =>
      world.ask("PATCH", path, { key: world.key, body: { name }, headers: { "if-match": tag } });
    expect((await edit("Ours")).body).toMatchObject({ name: "Ours", kind: "usage" });
    expect((await edit("Theirs")).status).toBe(412);
    expect((await world.ask("DELETE", path, { key: world.key })).status).toBe(204);
    expect((await world.ask("GET", path, { key: world.key })).status).toBe(404);
    expect((await world.ask("GET", `/v1/report-runs/${run.id}`, { key: world.key })).body).toMatchObject({
      name: "Mine",
    });
  });

  test("a run is made once for a key, and one whose process died is made by another, or given up and leaves no files", async () => {
    const world = worldOf();
    const { db } = world.deps.postgres;
    const nowMs = Date.now();
    const wanted = {
      report: "usage",
      name: "x",
      kind: "usage" as const,
      options: {},
      node: reseller,
      tz: "UTC",
      onceKey: "slot-1",
      fromMs: 0,
      toMs: 1,
      formats: ["csv"] as const,
      requestedBy: { id: "test", name: "test" },
      keptDays: 90,
      reportNode: null,
    };
    const [a, b] = await Promise.all([createRun(db, wanted, nowMs), createRun(db, wanted, nowMs)]);
    expect(a.id).toBe(b.id);
    // Nothing claims it meanwhile: makers are woken by routes alone here.
    expect((await claimRun(db, "one", nowMs))?.id).toBe(a.id);
    expect(await claimRun(db, "two", nowMs)).toBeUndefined();
    await releaseAbandoned(db, nowMs + 10_000);
    expect(await claimRun(db, "two", nowMs)).toBeUndefined();
    await releaseAbandoned(db, nowMs + 60_000);
    expect((await claimRun(db, "two", nowMs))?.id).toBe(a.id);
    await storeFile(db, { run: a.id, format: "csv", section: "" }, 0, [Buffer.from("begun")]);
    await db.update(reportRuns).set({ attempts: 3 }).where(eq(reportRuns.id, a.id));
    await releaseAbandoned(db, nowMs + 60_000);
    expect((await readRun(db, a.id))?.state).toBe("failed");
    expect(await db.select().from(reportFiles).where(eq(reportFiles.run, a.id))).toEqual([]);
  });

  test("runs are made in turn between tenants, then between callers: whoever asks for many, by many keys, holds up their own", async () => {
    const world = worldOf();
    const { db } = world.deps.postgres;
    const [tenantOf, mayRun] = [(node: string) => node.split("/")[0] ?? node, () => true];
    const asked = {
      keptDays: 90,
      reportNode: null,
      report: "usage",
      name: "x",
      kind: "usage" as const,
      options: {},
      tz: "UTC",
      fromMs: 0,
      toMs: 1,
    };
    const queue = async (node: string, caller: string, atMs: number) =>
      (await createRun(db, { ...asked, node, formats: ["csv"], requestedBy: { id: caller, name: caller } }, atMs)).id;
    const nowMs = Date.UTC(2099, 0, 1);
    const loud: string[] = [];
    for (let n = 0; n < 30; n++) loud.push(await queue(`loud/${n}`, `key ${n % 10}`, nowMs + n));
    const colleague = await queue("loud/0", "colleague", nowMs + 100);
    const quiet = await queue("quiet", "other", nowMs + 200);
    const claim = async (turns: Partial<Turns> = {}) =>
      (await claimRun(db, "in turn", nowMs, { tenantOf, mayRun, ...turns }))?.id;
    expect(await claim()).toBe(loud[0]);
    expect(await claim()).toBe(quiet);
    expect(await claim({ mayRun: (tenant) => tenant !== "loud" })).toBeUndefined();
    const next: (string | undefined)[] = [];
    for (let n = 0; n < 10; n++) next.push(await claim());
    expect(next).toContain(colleague);
    // Processes that claim at once get one each.
    next.push(...(await Promise.all(Array.from({ length: 8 }, () => claim()))));
    expect(new Set(next).size).toBe(18);
    await db.update(reportRuns).set({ state: "cancelled" }).where(eq(reportRuns.tz, "UTC"));
  });

  test("a tenant has a hundred runs that are not over at most, by however many keys", async () => {
    const world = worldOf();
    const body = { report: "activity", ...range, formats: ["json"] };
    const { db } = world.deps.postgres;
    const asked = {
      keptDays: 90,
      reportNode: null,
      report: "usage",
      name: "x",
      kind: "usage" as const,
      options: {},
      tz: "Etc/UTC",
      fromMs: 0,
      toMs: 1,
    };
    for (let n = 0; n < 100; n++) {
      const requestedBy = { id: `key ${n}`, name: "k" };
      const run = await createRun(db, { ...asked, node: reseller, formats: ["csv"], requestedBy }, Date.now());
      await db
        .update(reportRuns)
        .set({ state: "running", leasedUntil: new Date(Date.UTC(2100)) })
        .where(eq(reportRuns.id, run.id));
    }
    const refused = await world.ask("POST", "/v1/report-runs", { key: world.key, body });
    expect([refused.status, refused.body.code]).toEqual([429, "too_fast"]);
    await db.update(reportRuns).set({ state: "cancelled" }).where(eq(reportRuns.tz, "Etc/UTC"));
    expect((await world.ask("POST", "/v1/report-runs", { key: world.key, body })).status).toBe(202);
  });

  test("requests that come at once overrun neither the limit of runs nor that of reports", async () => {
    const world = worldOf();
    const { postgres, tree } = world.deps;
    const { db } = postgres;
    await othersAreOver(world);
    const about = { report: "usage", name: "x", kind: "usage" as const, options: {}, node: reseller };
    const asked = { ...about, fromMs: 0, toMs: 1, tz: "Etc/UCT", formats: ["csv"] as const };
    const wanted = { ...asked, keptDays: 90, reportNode: null, requestedBy: { id: "key at once", name: "k" } };
    const outcomes = async (times: number, work: (index: number) => Promise<unknown>) => {
      const settled = await Promise.allSettled(Array.from({ length: times }, (_, index) => work(index)));
      const codes = settled.map((one) => (one.status === "rejected" ? one.reason.code : "made"));
      return { made: codes.filter((code) => code === "made").length, codes: new Set(codes) };
    };
    const runs = await outcomes(30, () => createRunInTurn(postgres, tree, wanted, Date.now()));
    expect(runs).toEqual({ made: 20, codes: new Set(["made", "too_fast"]) });
    await db.delete(reportRuns).where(eq(reportRuns.tz, "Etc/UCT"));

    const node = "organization:told-0";
    const report = { node, kind: "usage" as const, options: {}, createdBy: "test" };
    const own = Array.from({ length: 997 }, (_, index) => ({ ...report, id: `at once ${index}`, name: `${index}` }));
    await db.insert(reports).values(own);
    const made = await outcomes(12, (index) =>
      createReport(postgres, tree, { ...report, name: `at once ${index}` }, system),
    );
    expect(made).toEqual({ made: 3, codes: new Set(["made", "conflict"]) });
    await db.delete(reports).where(eq(reports.node, node));
  });

  test("a reader cancels a run of their own and no other", async () => {
    const world = worldOf();
    const { id, key } = await world.makeKey(["read"], reseller);
    /** Leased for good: nobody makes it meanwhile. */
    const unfinished = (requester: string) =>
      world.deps.postgres.transaction(async (tx) => {
        const question = {
          report: "activity",
          name: "Activity",
          kind: "activity" as const,
          options: {},
          node: reseller,
        };
        const asked = { ...question, fromMs: 0, toMs: 1, tz: "UTC", formats: ["json"] as const };
        const run = await createRun(
          tx,
          { ...asked, requestedBy: { id: requester, name: "test" }, keptDays: 90, reportNode: null },
          Date.now(),
        );
        const leased = { state: "running" as const, lease: "test", leasedUntil: new Date(Date.UTC(2100)) };
        await tx.update(reportRuns).set(leased).where(eq(reportRuns.id, run.id));
        return `/v1/report-runs/${run.id}/cancel`;
      });
    expect((await world.ask("POST", await unfinished("usr_other"), { key })).status).toBe(403);
    const cancel = await unfinished(id);
    const etag = (await world.ask("GET", cancel.replace("/cancel", ""), { key })).headers.get("etag") ?? "";
    const cancelSeen = (seen: string) => world.ask("POST", cancel, { key, headers: { "if-match": seen } });
    expect((await cancelSeen('"of before"')).status).toBe(412);
    expect((await cancelSeen(etag)).body).toMatchObject({ state: "cancelled" });
    expect((await world.ask("POST", await unfinished(id), { key })).body).toMatchObject({ state: "cancelled" });
    const byOther = await world.ask("POST", await unfinished(id), { key: world.key });
    expect(byOther.body).toMatchObject({ state: "cancelled" });
  });

  test("a cancelled run is not made, and one that has expired is gone with its files", async () => {
    const world = worldOf();
    const { db } = world.deps.postgres;
    const run = await world.run("activity");
    const cancel = `/v1/report-runs/${run.id}/cancel`;
    expect((await world.ask("POST", cancel, { key: world.key })).body).toMatchObject({ state: "done" });
    await db.update(reportRuns).set({ state: "queued" }).where(eq(reportRuns.id, run.id));
    expect((await world.ask("POST", cancel, { key: world.key })).body).toMatchObject({ state: "cancelled", files: [] });
    const url = run.files[0]?.url ?? "";
    expect((await fetch(`${world.url}${url}`)).status).toBe(404);
    await db
      .update(reportRuns)
      .set({ state: "done", expiresAt: new Date(0) })
      .where(eq(reportRuns.id, run.id));
    expect((await fetch(`${world.url}${url}`)).status).toBe(404);
    expect((await world.ask("GET", `/v1/report-runs/${run.id}`, { key: world.key })).status).toBe(404);
    await world.deps.reportMaker?.tick();
    expect(await db.select().from(reportRuns).where(eq(reportRuns.id, run.id))).toEqual([]);
  });
}
