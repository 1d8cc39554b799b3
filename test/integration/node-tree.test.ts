/** The account tree in memory beside the rows in Postgres that it stands for. */
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { definitionLimits } from "../../server/contract/definition-limits.ts";
import { connectPostgres, type Postgres } from "../../server/postgres/client.ts";
import { migratePostgres } from "../../server/postgres/migrate.ts";
import { NodeTree } from "../../server/tree/node-tree.ts";
import { eventually } from "../support/service.ts";
import { ownPostgres } from "../support/stores.ts";

const log = pino({ level: "silent" });
let database: Awaited<ReturnType<typeof ownPostgres>>;
let opened: { postgres: Postgres; tree: NodeTree }[];
let tree: NodeTree;
beforeEach(async () => {
  database = await ownPostgres();
  opened = [];
  tree = (await openTree()).tree;
});
afterEach(async () => {
  for (const { postgres, tree } of opened) {
    await tree.close();
    await postgres.close();
  }
  await database.drop();
});

/** The tree of one process. */
async function openTree() {
  const postgres = connectPostgres(database.url);
  await migratePostgres(postgres);
  const process = { postgres, tree: await NodeTree.load(postgres, log) };
  opened.push(process);
  return process;
}

/** A move, as it is written: from that instant on the node stands below another parent. */
async function move(node: string, parent: string, at: string): Promise<void> {
  const { postgres } = opened[0] as { postgres: Postgres };
  await postgres.pool.query("INSERT INTO node_parents (node, parent, valid_from) VALUES ($1, $2, $3)", [
    node,
    parent,
    at,
  ]);
  await postgres.pool.query("SELECT pg_notify('tidemark_nodes', $1)", [JSON.stringify([node])]);
}

const atMs = (instant: string) => Date.parse(instant);

test("an organization's path is the one it had at the time of the event, to the millisecond", async () => {
  await tree.createNode({ kind: "partner", id: "p1", name: "P1", parent: "all" });
  await tree.createNode({ kind: "reseller", id: "r1", name: "R1", parent: "partner:p1" });
  await tree.createNode({ kind: "reseller", id: "r2", name: "R2", parent: "all" });
  await tree.ensureOrganizations(["acme"], "reseller:r1");
  await move("organization:acme", "reseller:r2", "2026-05-01T00:00:00Z");
  await move("organization:acme", "partner:p1", "2026-07-01T00:00:00Z");
  await move("reseller:r2", "partner:p1", "2026-06-01T00:00:00Z");
  await eventually("the moves to be known", () => tree.get("organization:acme")?.parent === "partner:p1" || undefined);
  await eventually("the last move to be known", () => tree.get("reseller:r2")?.parent === "partner:p1" || undefined);

  expect(tree.pathAt("acme", atMs("2000-01-01T00:00:00Z"))).toEqual({ partner: "p1", reseller: "r1" });
  expect(tree.pathAt("acme", atMs("2026-04-30T23:59:59.999Z"))).toEqual({ partner: "p1", reseller: "r1" });
  expect(tree.pathAt("acme", atMs("2026-05-01T00:00:00.000Z"))).toEqual({ partner: "", reseller: "r2" });
  expect(tree.pathAt("acme", atMs("2026-06-15T00:00:00Z"))).toEqual({ partner: "p1", reseller: "r2" });
  expect(tree.pathAt("acme", atMs("2026-07-01T00:00:00Z"))).toEqual({ partner: "p1", reseller: "" });
  expect(tree.pathAt("ghost", 0)).toBeUndefined();
});

test("rights follow the present parents: who lost a node does not see it any more", async () => {
  await tree.createNode({ kind: "reseller", id: "r1", name: "R1", parent: "all" });
  await tree.createNode({ kind: "reseller", id: "r2", name: "R2", parent: "all" });
  await tree.ensureOrganizations(["acme"], "reseller:r1");
  expect(tree.isWithin("organization:acme", "reseller:r1")).toBe(true);
  await move("organization:acme", "reseller:r2", "2026-05-01T00:00:00Z");
  await eventually("the move to be known", () => tree.isWithin("organization:acme", "reseller:r2") || undefined);
  expect(tree.isWithin("organization:acme", "reseller:r1")).toBe(false);
  expect(tree.children("reseller:r1")).toEqual([]);
  expect(tree.children("reseller:r2").map(({ node }) => node)).toEqual(["organization:acme"]);
});

test("agents stand within their organization and all above it, and in no other with a like name", async () => {
  await tree.createNode({ kind: "reseller", id: "r1", name: "R1", parent: "all" });
  await tree.ensureOrganizations(["acme", "acm"], "reseller:r1");
  for (const above of ["agent:acme/a1", "organization:acme", "reseller:r1", "all"])
    expect(tree.isWithin("agent:acme/a1", above)).toBe(true);
  for (const other of ["organization:acm", "agent:acme/a", "agent:acm/a1", "reseller:r2"])
    expect(tree.isWithin("agent:acme/a1", other)).toBe(false);
  expect(tree.isWithin("organization:acme", "agent:acme/a1")).toBe(false);
  expect(tree.get("agent:acme/a1")).toMatchObject({ kind: "agent", name: "a1", parent: "organization:acme" });
  expect(tree.get("agent:ghost/a1")).toBeUndefined();
});

test("organizations that two processes make at once are made once, and the first parent stands", async () => {
  const other = (await openTree()).tree;
  await tree.createNode({ kind: "reseller", id: "r1", name: "R1", parent: "all" });
  const ids = Array.from({ length: 2_000 }, (_, index) => `o${index}`);
  await Promise.all([
    tree.ensureOrganizations(ids, "reseller:r1"),
    other.ensureOrganizations([...ids].reverse(), "all"),
    tree.ensureOrganizations(ids.slice(500, 1_500), "all"),
  ]);
  const parents = ids.map((id) => tree.get(`organization:${id}`)?.parent);
  expect(parents.filter((parent) => parent !== "reseller:r1" && parent !== "all")).toEqual([]);
  expect(ids.map((id) => other.get(`organization:${id}`)?.parent)).toEqual(parents);
  const { rows } = await (opened[0] as { postgres: Postgres }).postgres.pool.query(
    "SELECT count(*)::int AS n FROM node_parents",
  );
  expect(rows).toEqual([{ n: ids.length + 1 }]);
});

test("what one process makes, the others know soon, also after their connection was cut", async () => {
  const { tree: other, postgres } = await openTree();
  await tree.ensureOrganizations(["first"], "all");
  await eventually("the other process to know it", () => other.get("organization:first"));
  await postgres.pool.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
  );
  await eventually("a node to be made after the cut", () =>
    tree.ensureOrganizations(["second"], "all").then(
      () => true,
      () => undefined,
    ),
  );
  await eventually("the other process to know it", () => other.get("organization:second"));
});

test("ids that Postgres cannot hold are passed over, and the others of the request are made", async () => {
  await tree.ensureOrganizations(["fine", "not\0fine", "ünï/çødé ∞ 'quoted' \\"], "all");
  expect(tree.get("organization:fine")).toBeDefined();
  expect(tree.get("organization:ünï%2Fçødé ∞ 'quoted' \\")).toBeDefined();
  expect(tree.get("organization:not\0fine")).toBeUndefined();
});

test("each of 100,000 nodes is loaded with its parent, and is listed below it", async () => {
  const { postgres } = opened[0] as { postgres: Postgres };
  await postgres.pool.query(
    "INSERT INTO nodes (node, kind, id, name) SELECT 'reseller:' || n, 'reseller', n, n FROM generate_series(1, 100) AS n",
  );
  await postgres.pool.query(
    "INSERT INTO nodes (node, kind, id, name) SELECT 'organization:' || n, 'organization', n, n FROM generate_series(1, 100000) AS n",
  );
  await postgres.pool.query(
    `INSERT INTO node_parents (node, parent, valid_from)
     SELECT 'reseller:' || n, 'all', 'epoch'::timestamptz FROM generate_series(1, 100) AS n
     UNION ALL SELECT 'organization:' || n, 'reseller:' || (n % 100 + 1), 'epoch'::timestamptz FROM generate_series(1, 100000) AS n`,
  );
  const { tree: loaded } = await openTree();
  expect(loaded.size).toBe(100_101);
  for (let id = 1; id <= 100_000; id++) {
    if (loaded.pathAt(String(id), 0)?.reseller !== String((id % 100) + 1)) throw new Error(`wrong path of ${id}`);
    if (!loaded.isWithin(`organization:${id}`, `reseller:${(id % 100) + 1}`)) throw new Error(`${id} is not within`);
  }
  expect(loaded.list(["reseller:7"], { limit: 5, after: "organization:5" }).map(({ node }) => node)).toEqual([
    "organization:50006",
    "organization:5006",
    "organization:50106",
    "organization:50206",
    "organization:50306",
  ]);
});

test("a tenant has a number of nodes and no more, however they come; others are not concerned", async () => {
  const { ofTenant } = definitionLimits.nodes;
  await tree.createNode({ kind: "reseller", id: "r1", name: "R1", parent: "all" });
  await tree.createNode({ kind: "reseller", id: "r2", name: "R2", parent: "all" });
  const { postgres } = opened[0] as { postgres: Postgres };
  const numbers = `generate_series(1, ${ofTenant - 3}) AS n`;
  await postgres.pool.query(
    `INSERT INTO nodes (node, kind, id, name) SELECT 'organization:' || n, 'organization', n, n FROM ${numbers}`,
  );
  await postgres.pool.query(
    `INSERT INTO node_parents (node, parent, valid_from) SELECT 'organization:' || n, 'reseller:r1', 'epoch'::timestamptz FROM ${numbers}`,
  );
  const { tree: full } = await openTree();
  await full.ensureOrganizations(["last-1", "last-2", "too-many"], "reseller:r1");
  expect([full.get("organization:last-2")?.parent, full.get("organization:too-many")]).toEqual([
    "reseller:r1",
    undefined,
  ]);
  const one = { kind: "organization", id: "more", name: "More", parent: "reseller:r1" } as const;
  const user = { kind: "user", id: "usr_1", name: "u@example.com", address: null } as const;
  await expect(full.createNode(one, user)).rejects.toMatchObject({ code: "conflict", field: "parent" });
  await expect(full.importNodes([one], user)).rejects.toMatchObject({ code: "conflict", field: "parent" });
  expect((await full.createNode({ ...one, parent: "reseller:r2" }, user)).isNew).toBe(true);
  const listed = full.list(["all"], { limit: Number.POSITIVE_INFINITY }).map(({ node }) => node);
  expect(listed).toEqual([...listed].sort());
});
