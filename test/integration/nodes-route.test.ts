/** /v1/nodes: making nodes, and lists of them page by page. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectPostgres } from "../../server/postgres/client.ts";
import { migratePostgres } from "../../server/postgres/migrate.ts";
import { type Accounts, startAccounts } from "../support/accounts.ts";
import { ownPostgres } from "../support/stores.ts";

let accounts: Accounts;
let drop: () => Promise<void>;

beforeAll(async () => {
  const database = await ownPostgres();
  drop = database.drop;
  // Two processes that start at once bring an empty database to the schema together.
  const both = [connectPostgres(database.url), connectPostgres(database.url)];
  await Promise.all(both.map(migratePostgres));
  await Promise.all(both.map((postgres) => postgres.close()));
  accounts = await startAccounts(database.url);
  const { tree } = accounts;
  await tree.createNode({ kind: "partner", id: "p1", name: "Partner one", parent: "all" });
  await tree.createNode({ kind: "reseller", id: "r1", name: "Reseller one", parent: "partner:p1" });
  await tree.createNode({ kind: "reseller", id: "r2", name: "Reseller two", parent: "all" });
  await tree.ensureOrganizations(["deep"], "reseller:r1");
  await tree.ensureOrganizations(["flat", "Reseller's own"], "all");
});
afterAll(async () => {
  await accounts.close();
  await drop();
});

test("the same node again changes nothing, another under its address is a conflict", async () => {
  const post = (body: unknown) => accounts.ask("POST", "/v1/nodes", { key: accounts.rootKey, body });
  const about = { external_id: "P-1", status: "trial", fields: { region: "north" } };
  const node = { kind: "organization", id: "posted", name: "Posted", parent: "reseller:r1", ...about };
  const first = await post(node);
  expect([first.status, first.body.node, first.body.parent]).toEqual([201, "organization:posted", "reseller:r1"]);
  expect((await post(node)).status).toBe(200);
  for (const change of [
    { name: "Other" },
    { parent: "reseller:r2" },
    { external_id: "P-2" },
    { status: "active" },
    { fields: { region: "south" } },
    { fields: {} },
  ]) {
    const refused = await post({ ...node, ...change });
    expect([refused.status, refused.body.code]).toEqual([409, "conflict"]);
  }
  const { kind, id, parent } = node;
  expect((await post({ kind, id, parent })).status).toBe(200);
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
