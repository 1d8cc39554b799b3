/** The account tree: paths by time, organizations that appear by themselves, and processes that follow each other. */
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { NodeTree } from "../../server/accounts/node-tree.ts";
import { connectPostgres } from "../../server/postgres/client.ts";
import { migratePostgres } from "../../server/postgres/migrate.ts";
import { type Accounts, startAccounts } from "../support/accounts.ts";
import { ownPostgres } from "../support/stores.ts";

let accounts: Accounts;
let tree: NodeTree;
let url: string;
let drop: () => Promise<void>;

beforeAll(async () => {
  ({ url, drop } = await ownPostgres());
  // Two processes that start at once bring an empty database to the schema together.
  const both = [connectPostgres(url), connectPostgres(url)];
  await Promise.all(both.map(migratePostgres));
  await Promise.all(both.map((postgres) => postgres.close()));
  accounts = await startAccounts(url);
  tree = accounts.tree;
  await tree.createNode({ kind: "partner", id: "p1", name: "Partner one", parent: "all" });
  await tree.createNode({ kind: "reseller", id: "r1", name: "Reseller one", parent: "partner:p1" });
  await tree.createNode({ kind: "reseller", id: "r2", name: "Reseller two", parent: "all" });
});
afterAll(async () => {
  await accounts.close();
  await drop();
});

test("the path of an organization skips the depths that it does not stand under", async () => {
  await tree.ensureOrganizations(["deep"], "reseller:r1");
  await tree.ensureOrganizations(["flat"], "all");
  expect(tree.pathAt("deep", Date.now())).toEqual({ partner: "p1", reseller: "r1" });
  expect(tree.pathAt("flat", Date.now())).toEqual({ partner: "", reseller: "" });
  expect(tree.pathAt("nobody", Date.now())).toBeUndefined();
  expect(tree.ancestors("organization:deep")).toEqual(["organization:deep", "reseller:r1", "partner:p1", "all"]);
});

test("an organization that moved keeps its old path for what happened before, to the millisecond", async () => {
  await tree.ensureOrganizations(["mover"], "reseller:r1");
  const movedAtMs = Date.UTC(2026, 0, 1);
  await accounts.postgres.pool.query("INSERT INTO node_parents VALUES ('organization:mover', 'reseller:r2', $1)", [
    new Date(movedAtMs),
  ]);
  await accounts.postgres.pool.query(`SELECT pg_notify('tidemark_nodes', '["organization:mover"]')`);
  await expect.poll(() => tree.pathAt("mover", movedAtMs)).toEqual({ partner: "", reseller: "r2" });
  expect(tree.pathAt("mover", movedAtMs - 1)).toEqual({ partner: "p1", reseller: "r1" });
  expect(tree.pathAt("mover", 0)).toEqual({ partner: "p1", reseller: "r1" });
  expect(tree.isWithin("organization:mover", "reseller:r2")).toBe(true);
  expect(tree.isWithin("organization:mover", "partner:p1")).toBe(false);
});

test("agents stand within their organization without a row of their own, also where ids hold slashes", () => {
  expect(tree.get("agent:deep/team/a")).toMatchObject({ kind: "agent", parent: "organization:deep", name: "team/a" });
  expect(tree.isWithin("agent:deep/team/a", "reseller:r1")).toBe(true);
  expect(tree.isWithin("agent:deep/team/a", "reseller:r2")).toBe(false);
  expect(tree.get("agent:nobody/a")).toBeUndefined();
});

test("organizations that many requests make at once exist once, below the parent of the first", async () => {
  const ids = Array.from({ length: 50 }, (_, index) => `burst-${index}`);
  const wishes = Array.from({ length: 8 }, (_, index) =>
    tree.ensureOrganizations(index % 2 ? ids : [...ids].reverse(), index % 2 ? "reseller:r1" : "reseller:r2"),
  );
  await Promise.all(wishes);
  await tree.ensureOrganizations(ids, "all");
  const { rows } = await accounts.postgres.pool.query(
    "SELECT count(*)::int AS parents, count(DISTINCT node)::int AS nodes FROM node_parents WHERE node LIKE 'organization:burst-%'",
  );
  expect(rows).toEqual([{ parents: 50, nodes: 50 }]);
  for (const id of ids) expect(tree.pathAt(id, Date.now())?.reseller).toMatch(/^r[12]$/);
});

test("what one process makes, another knows", async () => {
  const other = await startAccounts(url);
  try {
    await other.tree.ensureOrganizations(["from-elsewhere"], "reseller:r2");
    await expect.poll(() => tree.get("organization:from-elsewhere")?.parent).toBe("reseller:r2");
  } finally {
    await other.close();
  }
});

test("the same node again changes nothing, another under its address is a conflict", async () => {
  const post = (body: unknown) => accounts.ask("POST", "/v1/nodes", { key: accounts.rootKey, body });
  const node = { kind: "organization", id: "posted", name: "Posted", parent: "reseller:r1" };
  const first = await post(node);
  expect([first.status, first.body.node, first.body.parent]).toEqual([201, "organization:posted", "reseller:r1"]);
  expect((await post(node)).status).toBe(200);
  for (const change of [{ name: "Other" }, { parent: "reseller:r2" }]) {
    const refused = await post({ ...node, ...change });
    expect([refused.status, refused.body.code]).toEqual([409, "conflict"]);
  }
  expect((await post({ ...node, name: undefined })).status).toBe(200);
});

test("a node stands only below kinds above its own, and below what exists", async () => {
  const post = (body: unknown) => accounts.ask("POST", "/v1/nodes", { key: accounts.rootKey, body });
  for (const [kind, parent] of [
    ["partner", "reseller:r1"],
    ["reseller", "reseller:r1"],
    ["reseller", "organization:deep"],
  ]) {
    const refused = await post({ kind, id: "misplaced", parent });
    expect([refused.status, refused.body.field]).toEqual([400, "parent"]);
  }
  const missing = await post({ kind: "organization", id: "orphan", parent: "reseller:nobody" });
  expect([missing.status, missing.body.field]).toEqual([404, "parent"]);
  const nul = await post({ kind: "organization", id: "nul\u0000", parent: "all" });
  expect([nul.status, nul.body.code]).toEqual([400, "invalid_request"]);
});

test("pages of a list hold every node once, in order, whatever their size", async () => {
  const ask = (query: string) => accounts.ask("GET", `/v1/nodes?${query}`, { key: accounts.rootKey });
  const whole = await ask("limit=1000");
  const found: string[] = [];
  let cursor = "";
  do {
    const page = await ask(`limit=7${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    found.push(...page.body.nodes.map(({ node }: { node: string }) => node));
    cursor = page.body.next_cursor ?? "";
  } while (cursor);
  expect(found).toEqual(whole.body.nodes.map(({ node }: { node: string }) => node));
  expect(found).toEqual([...found].sort());
  expect(whole.body.next_cursor).toBeNull();
  const searched = await ask("search=RESELLER&kind=reseller");
  expect(searched.body.nodes.map(({ node }: { node: string }) => node)).toEqual(["reseller:r1", "reseller:r2"]);
  const below = await ask("parent=partner:p1");
  expect(below.body.nodes.map(({ node }: { node: string }) => node)).toEqual(["reseller:r1"]);
  const tooMany = await ask("limit=1001");
  expect([tooMany.status, tooMany.body.field]).toEqual([400, "limit"]);
});

test("a tree of 100,000 organizations loads within seconds and answers from memory", async () => {
  const big = await ownPostgres();
  const postgres = connectPostgres(big.url);
  try {
    await migratePostgres(postgres);
    await postgres.pool.query(
      "INSERT INTO nodes SELECT 'organization:' || i, 'organization', i::text, 'Organization ' || i FROM generate_series(1, 100000) i",
    );
    await postgres.pool.query(
      "INSERT INTO node_parents SELECT 'organization:' || i, 'all', 'epoch' FROM generate_series(1, 100000) i",
    );
    const startedAtMs = performance.now();
    const bigTree = await NodeTree.load(postgres, pino({ level: "silent" }));
    expect(performance.now() - startedAtMs).toBeLessThan(10_000);
    expect(bigTree.size).toBe(100_001);
    expect(bigTree.pathAt("100000", Date.now())).toEqual({ partner: "", reseller: "" });
    expect(bigTree.list("all", { search: "organization 99999", limit: 2 })).toHaveLength(1);
    await bigTree.close();
  } finally {
    await postgres.close();
    await big.drop();
  }
});
