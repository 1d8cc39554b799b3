/** PATCH /v1/nodes/{node} and the import of a table: what is said about nodes, and who may say it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { verifyAudit } from "../../server/audit/verify-audit.ts";
import { definitionLimits } from "../../server/contract/definition-limits.ts";
import { nodeParents } from "../../server/postgres/schema/accounts.ts";
import { type Accounts, ownAccounts, startAccounts } from "../support/accounts.ts";

let accounts: Accounts;

beforeAll(async () => {
  accounts = await ownAccounts();
  const { tree } = accounts;
  await tree.createNode({ kind: "partner", id: "p1", name: "p1", parent: "all" });
  for (const id of ["r1", "r2"]) await tree.createNode({ kind: "reseller", id, name: id, parent: "partner:p1" });
  await tree.ensureOrganizations(["a1", "b1"], "reseller:r1");
});
afterAll(() => accounts.close());

const patch = (node: string, body: unknown, key = accounts.rootKey, headers: Record<string, string> = {}) =>
  accounts.ask("PATCH", `/v1/nodes/${node}`, { key, body, headers });
const get = (node: string) => accounts.ask("GET", `/v1/nodes/${node}`, { key: accounts.rootKey });
const importTable = (body: string, query = "", key = accounts.rootKey) =>
  accounts.ask("POST", `/v1/nodes/import${query}`, { key, body, headers: { "content-type": "text/csv" } });

test("an edit changes what it names and leaves the rest, and can be found by its external id", async () => {
  const first = await patch("organization:a1", { external_id: "CRM-77", fields: { region: "north", seats: 5 } });
  expect(first.body).toMatchObject({ name: "a1", external_id: "CRM-77", status: "active" });
  const second = await patch("organization:a1", { name: "Acme", status: "suspended" });
  expect(second.body).toMatchObject({ name: "Acme", external_id: "CRM-77", fields: { region: "north", seats: 5 } });
  expect((await get("organization:a1")).body).toEqual(second.body);
  const found = await accounts.ask("GET", "/v1/nodes?search=crm-7&status=suspended", { key: accounts.rootKey });
  expect(found.body.nodes.map(({ node }: { node: string }) => node)).toEqual(["organization:a1"]);
  for (const [body, field] of [
    [{ status: "gone" }, "status"],
    [{ fields: { a: { b: 1 } } }, "fields.a"],
    [{ id: "x" }, "id"],
    [{ effective_from: "2030-01-01T00:00:00Z" }, "effective_from"],
    [{ parent: "reseller:r2", effective_from: "1999-12-31T23:59:59Z" }, "effective_from"],
    [{ parent: "organization:b1" }, "parent"],
    [{ parent: "reseller:nowhere" }, "parent"],
  ] as const) {
    const refused = await patch("organization:a1", body);
    expect([refused.status >= 400, refused.body.field]).toEqual([true, field]);
  }
});

test("the second of two edits on the same state is refused and changes nothing", async () => {
  const etag = (await get("organization:b1")).headers.get("etag") ?? "";
  const [one, other] = await Promise.all([
    patch("organization:b1", { name: "One" }, accounts.rootKey, { "if-match": etag }),
    patch("organization:b1", { name: "Other" }, accounts.rootKey, { "if-match": etag }),
  ]);
  expect([one.status, other.status].sort()).toEqual([200, 412]);
  const winner = one.status === 200 ? one : other;
  const now = await get("organization:b1");
  expect(now.body.name).toBe(winner.body.name);
  expect(now.headers.get("etag")).toBe(winner.headers.get("etag"));
  expect((await patch("organization:b1", { name: "Third" }, accounts.rootKey, { "if-match": "*" })).status).toBe(200);
});

test("a node's own people name it; its status, external id, fields and place are decided above it", async () => {
  // While it is suspended its own people change nothing.
  expect((await patch("organization:a1", { status: "active" })).status).toBe(200);
  const own = (await accounts.makeKey("organization:a1")).key;
  expect((await patch("organization:a1", { name: "Ours" }, own)).status).toBe(200);
  for (const body of [{ status: "active" }, { external_id: "x" }, { fields: {} }, { parent: "reseller:r2" }])
    expect((await patch("organization:a1", body, own)).status).toBe(403);
  const reseller = (await accounts.makeKey("reseller:r1")).key;
  expect((await patch("organization:a1", { status: "active" }, reseller)).status).toBe(200);
  expect((await patch("organization:a1", { parent: "reseller:r2" }, reseller)).status).toBe(403);
});

test("a move reaches every process, and what a time before it asks for is the old parent", async () => {
  const other = await startAccounts(accounts.databaseUrl);
  try {
    const beforeMs = Date.now();
    expect((await patch("organization:b1", { parent: "reseller:r2" })).body.parent).toBe("reseller:r2");
    await expect.poll(() => other.tree.get("organization:b1")?.parent, { interval: 10 }).toBe("reseller:r2");
    for (const { tree } of [accounts, other]) {
      expect(tree.pathAt("b1", beforeMs - 1_000)).toEqual({ partner: "p1", reseller: "r1" });
      expect(tree.pathAt("b1", Date.now())).toEqual({ partner: "p1", reseller: "r2" });
      expect([
        tree.isWithin("organization:b1", "reseller:r1"),
        tree.isWithin("organization:b1", "reseller:r2"),
      ]).toEqual([false, true]);
    }
  } finally {
    await other.close();
  }
});

test("a move that lies ahead takes effect at its instant, in every process, and a later decision replaces it", async () => {
  const other = await startAccounts(accounts.databaseUrl);
  try {
    const at = (ms: number) => new Date(Date.now() + ms).toISOString();
    await patch("organization:a1", { parent: "partner:p1", effective_from: at(3_600_000) });
    const planned = await patch("organization:a1", { parent: "reseller:r2", effective_from: at(4_000) });
    expect(planned.body.parent).toBe("reseller:r1");
    const rows = await accounts.postgres.pool.query("SELECT parent FROM node_parents WHERE node = 'organization:a1'");
    expect(rows.rows.map(({ parent }) => parent).sort()).toEqual(["reseller:r1", "reseller:r2"]);
    for (const { tree } of [accounts, other])
      await expect.poll(() => tree.get("organization:a1")?.parent, { interval: 10 }).toBe("reseller:r2");
  } finally {
    await other.close();
  }
});

test("a node stands in so many places, past and planned, and no more: what replaces later ones is taken all the same", async () => {
  const { tree, postgres } = accounts;
  const { placements: most } = definitionLimits.nodes;
  await tree.ensureOrganizations(["mover"], "reseller:r1");
  const node = "organization:mover";
  const from = (place: number) => new Date(Date.UTC(2024, 0, 1) + place * 60_000);
  const parentOf = (place: number) => `reseller:r${1 + (place % 2)}`;
  const stood = Array.from({ length: most - 2 }, (_, place) => ({
    node,
    parent: parentOf(place),
    validFrom: from(place),
  }));
  await postgres.db.insert(nodeParents).values(stood);
  expect((await patch(node, { parent: "reseller:r1" })).status).toBe(200);
  const refused = await patch(node, { parent: "reseller:r2" });
  expect([refused.status, refused.body.code, refused.body.field]).toEqual([409, "conflict", "parent"]);
  expect((await get(node)).body.parent).toBe("reseller:r1");
  const anew = { parent: "reseller:r1", effective_from: from(10).toISOString() };
  expect((await patch(node, anew)).status).toBe(200);
  expect((await patch(node, { parent: "reseller:r2" })).status).toBe(200);
});

test("every edit and move is in the audit with what was before, and the chain is whole", async () => {
  const { body } = await accounts.ask("GET", "/v1/audit?subject=organization:a1", { key: accounts.rootKey });
  expect(body.entries[0]).toMatchObject({
    action: "node.moved",
    before: { parent: "reseller:r1" },
    after: { parent: "reseller:r2" },
  });
  expect(body.entries.at(-1)).toMatchObject({ action: "node.changed", before: { externalId: null } });
  expect((await verifyAudit(accounts.postgres)).fault).toBeUndefined();
});

test("a table is imported whole or not at all, a dry run says what would happen, and again changes nothing", async () => {
  const table = [
    "kind,id,name,parent,external_id,status,fields.region",
    'organization,i1,"Import, ""one""",reseller:i,E-1,trial,north',
    "organization,i2,,reseller:i,,,",
    "reseller,i,Imported,partner:p1,,,",
  ].join("\r\n");
  const dry = await importTable(table, "?dry_run=true");
  expect([dry.status, dry.body]).toEqual([200, { dry_run: true, created: 3, unchanged: 0, errors: [] }]);
  expect((await get("reseller:i")).status).toBe(404);
  expect((await importTable(table)).body).toEqual({ dry_run: false, created: 3, unchanged: 0, errors: [] });
  expect((await get("organization:i1")).body).toMatchObject({
    name: 'Import, "one"',
    parent: "reseller:i",
    external_id: "E-1",
    status: "trial",
    fields: { region: "north" },
  });
  expect((await importTable(table)).body).toEqual({ dry_run: false, created: 0, unchanged: 3, errors: [] });
  const other = await importTable(table.replace("trial,north", "trial,south"));
  expect([other.status, other.body.errors]).toMatchObject([422, [{ line: 2, field: "id" }]]);
  await patch("organization:i1", { status: "active", fields: { region: "north", seats: 5 } });
  const later = table
    .replace("fields.region", "fields.region,fields.seats")
    .replace("trial,north", "trial,north,5")
    .replaceAll(/,,,$/gm, ",,,,");
  expect((await importTable(later)).body).toMatchObject({ unchanged: 3, errors: [] });

  const wrong = [
    "kind,id,parent",
    "organization,n1,reseller:i",
    "organization,n2,reseller:none",
    "agent,n3,all",
    "organization,n1,all",
  ];
  const refused = await importTable(wrong.join("\n"));
  expect([refused.status, refused.body.code, refused.body.created]).toEqual([422, "batch_rejected", 0]);
  expect(refused.body.errors.map(({ line, field }: { line: number; field: string }) => [line, field])).toEqual([
    [4, "kind"],
    [5, "id"],
    [3, "parent"],
  ]);
  expect((await get("organization:n1")).status).toBe(404);
  const reseller = (await accounts.makeKey("reseller:r1")).key;
  const outside = await importTable("kind,id,parent\norganization,n4,reseller:r2", "?dry_run=true", reseller);
  expect(outside.body.errors).toEqual([{ line: 2, field: "parent", message: expect.stringMatching(/not within/) }]);
  const unknown = await importTable("kind,id,colour\norganization,n5,red");
  expect(unknown.body.errors[0]).toMatchObject({ line: 1, field: "colour" });
  expect((await importTable('kind,id\norganization,"n6')).status).toBe(400);
});
