/** The audit: every change leaves an entry that can be neither changed nor removed unseen. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { recordChange, system } from "../../server/audit/record-change.ts";
import { verifyAudit } from "../../server/audit/verify-audit.ts";
import { type Accounts, ownAccounts } from "../support/accounts.ts";

let accounts: Accounts;

beforeAll(async () => {
  accounts = await ownAccounts();
  const { tree } = accounts;
  for (const id of ["r1", "r2"]) await tree.createNode({ kind: "reseller", id, name: id, parent: "all" });
  await tree.createNode({ kind: "organization", id: "a1", name: "a1", parent: "reseller:r1" });
});
afterAll(() => accounts.close());

interface Page {
  entries: { sequence: number }[];
  next_cursor: string | null;
}

const audit = async (query = "", key = accounts.rootKey, headers: Record<string, string> = {}) =>
  accounts.ask("GET", `/v1/audit${query}`, { key, headers });

test("a change leaves who made it, from where, and what was before and after, without any secret", async () => {
  const made = await accounts.ask("POST", "/v1/keys", {
    key: accounts.rootKey,
    body: { name: "seen", node: "organization:a1", scopes: ["read"] },
  });
  await accounts.ask("DELETE", `/v1/keys/${made.body.id}`, { key: accounts.rootKey });
  const { body } = await audit(`?subject=${made.body.id}`);
  expect(body.entries.map(({ action }: { action: string }) => action)).toEqual(["key.revoked", "key.created"]);
  const [revoked, created] = body.entries;
  expect(created).toMatchObject({
    actor: { kind: "key", id: "key_root", name: "root" },
    address: expect.stringMatching(/127\.0\.0\.1/),
    node: "organization:a1",
    before: null,
    after: { name: "seen", scopes: ["read"], revokedAt: null },
  });
  expect([revoked.before.revokedAt, typeof revoked.after.revokedAt]).toEqual([null, "string"]);
  const everything = JSON.stringify((await audit()).body);
  expect(everything).not.toContain(made.body.key);
  expect(everything).not.toContain(accounts.rootKey);
});

test("secrets are replaced wherever they stand in a change, and a change that changes nothing leaves no entry", async () => {
  const { postgres } = accounts;
  const before = { webhook: { url: "https://x", secret: "s3cret" }, tokens: ["s3cret"], hasPassword: true };
  await postgres.transaction(async (tx) => {
    const change = { by: system, node: "reseller:r2", action: "rule.changed", subject: "rule_1" };
    await recordChange(tx, { ...change, before, after: { ...before, enabled: true } });
    await recordChange(tx, { ...change, before, after: Object.fromEntries(Object.entries(before).reverse()) });
  });
  const { body } = await audit("?subject=rule_1");
  expect(body.entries).toHaveLength(1);
  expect(body.entries[0].before).toEqual({
    webhook: { url: "https://x", secret: "[redacted]" },
    tokens: "[redacted]",
    hasPassword: true,
  });
});

test("a change that is rolled back leaves no entry, and the next one follows without a gap", async () => {
  const { postgres } = accounts;
  const change = { by: system, node: "all", action: "rule.created", subject: "rule_2", after: {} };
  await expect(
    postgres.transaction(async (tx) => {
      await recordChange(tx, change);
      throw new Error("undone");
    }),
  ).rejects.toThrow("undone");
  expect((await audit("?subject=rule_2")).body.entries).toEqual([]);
  await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      postgres.transaction((tx) => recordChange(tx, { ...change, subject: "rule_3", after: { index } })),
    ),
  );
  expect((await audit("?subject=rule_3")).body.entries).toHaveLength(20);
  expect((await verifyAudit(postgres)).fault).toBeUndefined();
});

test("each sees what concerned their subtree, in pages that join without a gap, and as CSV and lines", async () => {
  const { makeKey } = accounts;
  const key = (await makeKey("reseller:r2")).key;
  const seen = (await audit("", key)).body.entries as { node: string; sequence: number }[];
  expect([...new Set(seen.map(({ node }) => node))]).toEqual(["reseller:r2"]);
  expect((await audit("?node=reseller:r1", key)).status).toBe(403);
  const all = (await audit("?limit=1000")).body.entries as { sequence: number }[];
  const paged: number[] = [];
  for (let cursor: string | null = null; ; ) {
    const page: Page = (await audit(`?limit=3${cursor === null ? "" : `&cursor=${cursor}`}`)).body;
    paged.push(...page.entries.map(({ sequence }) => sequence));
    cursor = page.next_cursor;
    expect(cursor).toEqual(cursor === null ? null : expect.any(String));
    if (cursor === null) break;
  }
  expect(paged).toEqual(all.map(({ sequence }) => sequence));
  expect((await audit("?node=organization:a1&action=key")).body.entries.length).toBe(2);
  const lines = (await audit("?limit=1", accounts.rootKey, { accept: "application/x-ndjson" })).body.trim().split("\n");
  expect(lines.map((line: string) => JSON.parse(line).sequence)).toEqual(paged);
  const csv = await audit("", accounts.rootKey, { accept: "text/csv" });
  expect(csv.headers.get("content-type")).toMatch(/^text\/csv/);
  expect(csv.body.trim().split("\r\n")).toHaveLength(paged.length + 1);
});

test("entries can be neither changed nor removed, and what is done past the trigger is found", async () => {
  const { postgres } = accounts;
  const run = (statement: string) => postgres.pool.query(statement);
  for (const statement of [
    "UPDATE audit_entries SET actor_name = 'x'",
    "DELETE FROM audit_entries",
    "TRUNCATE audit_entries",
    "DELETE FROM audit_head",
  ])
    await expect(run(statement)).rejects.toThrow("append-only");
  const whole = await verifyAudit(postgres);
  expect(whole.fault).toBeUndefined();
  const head = { sequence: whole.entries, hash: whole.headHash };
  expect((await verifyAudit(postgres, head)).fault).toBeUndefined();
  expect((await verifyAudit(postgres, { ...head, hash: "f".repeat(64) })).fault).toMatch(/written anew/);

  const client = await postgres.pool.connect();
  try {
    const faultOf = async (statement: string) => {
      await client.query("ALTER TABLE audit_entries DISABLE TRIGGER USER; CREATE TABLE kept AS TABLE audit_entries");
      await client.query(statement);
      const { fault } = await verifyAudit(postgres, head);
      await client.query("DELETE FROM audit_entries; INSERT INTO audit_entries SELECT * FROM kept; DROP TABLE kept");
      await client.query("ALTER TABLE audit_entries ENABLE TRIGGER USER");
      return fault;
    };
    expect(await faultOf("UPDATE audit_entries SET after = '{}' WHERE sequence = 4")).toBe("entry 4 was changed");
    expect(await faultOf("UPDATE audit_entries SET path = '{all}' WHERE sequence = 4")).toBe("entry 4 was changed");
    expect(await faultOf("DELETE FROM audit_entries WHERE sequence = 4")).toMatch(/entry 4 is missing/);
    expect(await faultOf(`DELETE FROM audit_entries WHERE sequence = ${head.sequence}`)).toMatch(/are missing/);
  } finally {
    client.release();
  }
  expect((await verifyAudit(postgres)).fault).toBeUndefined();
});

test("pages of large entries end early, join without a gap, and lines hold all of them", async () => {
  const { postgres } = accounts;
  await postgres.transaction(async (tx) => {
    const change = { by: system, node: "reseller:r2", action: "rule.changed", subject: "rule_large" };
    const large = (n: number) => ({ text: `${n}`.padEnd(30_000, "x") });
    for (let n = 0; n < 100; n++) await recordChange(tx, { ...change, before: large(n), after: large(n + 1) });
  });
  const seen: number[] = [];
  let pages = 0;
  for (let cursor = ""; ; pages++) {
    const { body } = await audit(`?subject=rule_large&limit=1000${cursor}`);
    expect(JSON.stringify(body).length).toBeLessThan(5_000_000);
    seen.push(...body.entries.map(({ sequence }: Page["entries"][number]) => sequence));
    if (body.next_cursor === null) break;
    cursor = `&cursor=${body.next_cursor}`;
  }
  expect([seen.length, new Set(seen).size, pages > 0]).toEqual([100, 100, true]);
  const accept = { accept: "application/x-ndjson" };
  const lines = (await audit("?subject=rule_large", accounts.rootKey, accept)).body as string;
  expect(lines.trim().split("\n")).toHaveLength(100);
});

test("a range is asked for as everywhere: by instants, by dates of a zone, and up to now", async () => {
  const countOf = async (range: string) => (await audit(`?limit=1000&${range}`)).body.entries.length;
  const now = new Date();
  const dayOf = (ms: number) => new Date(now.getTime() + ms).toISOString().slice(0, 10);
  const all = await countOf("");
  expect(all).toBeGreaterThan(0);
  const [before, after] = [dayOf(-2 * 86_400_000), dayOf(2 * 86_400_000)];
  expect(await countOf(`from=${before}&to=${after}&tz=Europe/Berlin`)).toBe(all);
  expect(await countOf(`from=${before}T00:00:00Z&to=now`)).toBe(all);
  expect(await countOf(`from=${after}`)).toBe(0);
  const wrong = await audit("?from=yesterday");
  expect([wrong.status, wrong.body.field]).toEqual([400, "from"]);
});
