/** /v1/nodes: making nodes, and lists of them page by page. */
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { definitionLimits } from "../../server/contract/definition-limits.ts";
import { connectPostgres } from "../../server/postgres/client.ts";
import { migratePostgres } from "../../server/postgres/migrate.ts";
import { nodes } from "../../server/postgres/schema/accounts.ts";
import { type Accounts, startAccounts } from "../support/accounts.ts";
import { allPages } from "../support/all-pages.ts";
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

test("agents of more than one organization are refused by the name of what would choose one", async () => {
  for (const query of ["kind=agent", "kind=agent&parent=reseller:r1"]) {
    const asked = await accounts.ask("GET", `/v1/nodes?${query}`, { key: accounts.rootKey });
    expect(asked).toMatchObject({ status: 400, body: { field: "parent" } });
  }
});

test("pages of a list hold every node once, in order, whatever their size", async () => {
  const ask = (query: string) => accounts.ask("GET", `/v1/nodes?${query}`, { key: accounts.rootKey });
  const whole = await ask("limit=1000");
  type Page = { nodes: { node: string }[]; next_cursor: string | null };
  const addressesOf = ({ nodes }: Page) => nodes.map(({ node }) => node);
  const found = await allPages<Page, string>(async (query) => (await ask(query)).body, "limit=7", addressesOf);
  expect(found).toEqual(addressesOf(whole.body));
  expect(found).toEqual([...found].sort());
  expect(whole.body.next_cursor).toBeNull();
  const searched = await ask("search=RESELLER&kind=reseller");
  expect(searched.body.nodes.map(({ node }: { node: string }) => node)).toEqual(["reseller:r1", "reseller:r2"]);
  const below = await ask("parent=partner:p1");
  expect(below.body.nodes.map(({ node }: { node: string }) => node)).toEqual(["reseller:r1"]);
  const tooMany = await ask("limit=1001");
  expect([tooMany.status, tooMany.body.field]).toEqual([400, "limit"]);
});

test("custom fields that take too much are refused by their name, of a node and of a tenant, and what is there stays and may shrink", async () => {
  const { tree, postgres, rootKey: key } = accounts;
  const { bytes, bytesOfTenant } = definitionLimits.fields;
  const large = (size: number) =>
    Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`field-${n}`, "x".repeat(size / 40)]));
  await tree.createNode({ kind: "reseller", id: "full", name: "Full", parent: "all" });
  const post = (id: string, fields: object, parent = "reseller:full") =>
    accounts.ask("POST", "/v1/nodes", { key, body: { kind: "organization", id, parent, fields } });
  const patch = (id: string, body: object) => accounts.ask("PATCH", `/v1/nodes/organization:${id}`, { key, body });
  const tooLarge = { status: 400, body: { code: "invalid_request", field: "fields" } };
  expect(await post("large", large(bytes))).toMatchObject(tooLarge);
  const headers = { "content-type": "text/csv" };
  const names = Array.from({ length: 10 }, (_, n) => `fields.${n}`);
  const cells = names.map(() => "é".repeat(1_000));
  const body = `kind,id,parent,${names.join()}\norganization,large,reseller:full,${cells.join()}`;
  const imported = await accounts.ask("POST", "/v1/nodes/import", { key, body, headers });
  expect(imported).toMatchObject({ status: 422, body: { errors: [{ line: 2, field: "fields" }] } });

  expect((await post("old", {})).status).toBe(201);
  const asBefore = async (fields: Record<string, string>) => {
    await postgres.db.update(nodes).set({ fields }).where(eq(nodes.node, "organization:old"));
    await tree.reread(["organization:old"]);
  };
  await asBefore(large(3 * bytes));
  expect(await patch("old", { name: "Renamed" })).toMatchObject({ status: 200, body: { fields: large(3 * bytes) } });
  expect(await patch("old", { fields: large(4 * bytes) })).toMatchObject(tooLarge);
  expect((await patch("old", { fields: large(2 * bytes) })).status).toBe(200);

  await asBefore({ all: "x".repeat(bytesOfTenant) });
  const tenantIsFull = { status: 409, body: { code: "conflict", field: "fields" } };
  expect(await post("more", { region: "north" })).toMatchObject(tenantIsFull);
  expect((await post("more", {})).status).toBe(201);
  expect(await patch("more", { fields: { region: "north" } })).toMatchObject(tenantIsFull);
  expect((await post("elsewhere", { region: "north" }, "reseller:r2")).status).toBe(201);
  expect((await patch("old", { fields: {} })).status).toBe(200);
  expect((await patch("more", { fields: { region: "north" } })).status).toBe(200);
});
