/** What callers see while Postgres is away, and that everything is as it was when it is back. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, expect, test } from "vitest";
import { startEmbeddedPostgres } from "../../server/embedded/embedded-postgres.ts";
import { type Accounts, startAccounts } from "../support/accounts.ts";
import { openBreakableConnection } from "../support/breakable-connection.ts";
import { patienceMs } from "../support/patience.ts";
import { ownPostgres } from "../support/stores.ts";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function startOn(url: string): Promise<Accounts> {
  const accounts = await startAccounts(url);
  cleanups.push(() => accounts.close());
  return accounts;
}

test("while Postgres is away requests are told to come back, and when it is back they are served and the tree caught up", async () => {
  const database = await ownPostgres();
  cleanups.push(database.drop);
  const elsewhere = await startOn(database.url);
  const connection = await openBreakableConnection(database.url);
  cleanups.push(() => connection.close());
  const accounts = await startOn(connection.url);
  const { key } = await accounts.makeKey("all");
  expect((await accounts.ask("GET", "/readyz")).body).toEqual({
    status: "ready",
    checks: { postgres: { ok: true, detail: "ok" } },
  });

  await connection.cut();
  for (const [method, path, body] of [
    ["GET", "/v1/me", undefined],
    ["POST", "/v1/session", { email: "admin@example.com", password: "x" }],
  ] as const) {
    const answer = await accounts.ask(method, path, { key, body });
    expect([answer.status, answer.body.code]).toEqual([503, "store_unavailable"]);
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(JSON.stringify(answer.body)).not.toMatch(/ECONN|127\.0\.0\.1|postgres/i);
  }
  const ready = await accounts.ask("GET", "/readyz");
  expect([ready.status, ready.body]).toEqual([
    503,
    { status: "not_ready", checks: { postgres: { ok: false, detail: "cannot be reached" } } },
  ]);
  expect((await accounts.ask("GET", "/livez")).status).toBe(200);
  await elsewhere.tree.ensureOrganizations(["made-meanwhile"], "all");

  await connection.mend();
  expect((await accounts.ask("GET", "/v1/me", { key })).status).toBe(200);
  expect((await accounts.ask("GET", "/readyz")).status).toBe(200);
  await expect.poll(() => accounts.tree.get("organization:made-meanwhile")?.parent, { interval: 20 }).toBe("all");
  // And what is made from now on is noticed as before.
  await elsewhere.tree.ensureOrganizations(["made-afterwards"], "all");
  await expect.poll(() => accounts.tree.get("organization:made-afterwards")?.parent).toBe("all");
});

test("after kill -9 of Postgres no request fails in another way than 503, and none does once it is back", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "tidemark-accounts-"));
  cleanups.push(() => rm(dataDir, { recursive: true, force: true }));
  const postgres = await startEmbeddedPostgres({ dataDir, log: pino({ level: "silent" }) });
  cleanups.push(() => postgres.stop());
  const accounts = await startOn(postgres.url);
  const ask = () => accounts.ask("GET", "/v1/keys", { key: accounts.rootKey });
  expect((await ask()).status).toBe(200);
  const pid = postgres.pid() ?? 0;
  expect(pid).toBeGreaterThan(0);

  process.kill(pid, "SIGKILL");
  await expect
    .poll(
      async () => {
        const statuses = (await Promise.all(Array.from({ length: 20 }, ask))).map(({ status }) => status);
        for (const status of statuses) expect([200, 503]).toContain(status);
        return postgres.pid() !== pid && statuses.every((status) => status === 200);
      },
      { timeout: patienceMs, interval: 20 },
    )
    .toBe(true);
});
