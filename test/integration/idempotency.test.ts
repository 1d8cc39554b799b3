/** `Idempotency-Key`: a write that is repeated is carried out once. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Accounts, startAccounts } from "../support/accounts.ts";
import { ownPostgres } from "../support/stores.ts";

const dayMs = 24 * 60 * 60 * 1000;
let accounts: Accounts;
let drop: () => Promise<void>;
let aheadMs = 0;

beforeAll(async () => {
  const database = await ownPostgres();
  drop = database.drop;
  accounts = await startAccounts(database.url, { now: () => Date.now() + aheadMs });
});
afterAll(async () => {
  await accounts.close();
  await drop();
});

const wanted = { name: "once", scopes: ["read"] };
const makeKey = (idempotencyKey: string, body: unknown = wanted, key = accounts.rootKey) =>
  accounts.ask("POST", "/v1/keys", { key, body, headers: { "idempotency-key": idempotencyKey } });
const countKeys = async () =>
  (await accounts.keys.list(["all"], accounts.tree, { after: undefined, limit: 1_000 })).length;

test("the same request again changes nothing and gets the same answer, new secrets included", async () => {
  const first = await makeKey("k-1");
  const before = await countKeys();
  const second = await makeKey("k-1");
  expect([first.status, second.status]).toEqual([201, 201]);
  expect(second.body).toEqual(first.body);
  expect(second.headers.get("idempotency-replayed")).toBe("true");
  for (const name of ["cache-control", "content-type", "content-security-policy"])
    expect(second.headers.get(name)).toBe(first.headers.get(name));
  expect(await countKeys()).toBe(before);
});

test("a stored answer shows neither the key nor a secret", async () => {
  const { body } = await makeKey("k-secret-1");
  const { rows } = await accounts.postgres.pool.query(
    "SELECT k::text || encode(body, 'escape') AS row FROM idempotency_keys k",
  );
  const stored = rows.map(({ row }: { row: string }) => row).join("\n");
  expect(stored).not.toContain(body.key);
  expect(stored).not.toContain("k-secret-1");
});

test("the same key with another body, or for another route, is refused", async () => {
  await makeKey("k-2");
  const other = await makeKey("k-2", { ...wanted, name: "another" });
  expect([other.status, other.body.code, other.body.field]).toEqual([422, "idempotency_key_reused", "Idempotency-Key"]);
  const route = await accounts.ask("POST", "/v1/nodes", {
    key: accounts.rootKey,
    body: wanted,
    headers: { "idempotency-key": "k-2" },
  });
  expect(route.status).toBe(422);
});

test("callers do not share keys", async () => {
  const [one, other] = [await accounts.makeKey("all"), await accounts.makeKey("all")];
  const answers = [await makeKey("k-3", wanted, one.key), await makeKey("k-3", wanted, other.key)];
  expect(answers[0]?.body.id).not.toBe(answers[1]?.body.id);
});

test("of simultaneous requests one is carried out; the others get its answer or are told to ask again", async () => {
  const before = await countKeys();
  const answers = await Promise.all(Array.from({ length: 8 }, () => makeKey("k-4")));
  expect(await countKeys()).toBe(before + 1);
  for (const { status, headers } of answers)
    if (status === 409) expect(headers.get("retry-after")).toBe("1");
    else expect(status).toBe(201);
  expect((await makeKey("k-4")).status).toBe(201);
  expect(await countKeys()).toBe(before + 1);
});

test("a refused request leaves its key free, and a key means nothing after a day", async () => {
  expect((await makeKey("k-5", { name: "" })).status).toBe(400);
  const first = await makeKey("k-5");
  expect(first.status).toBe(201);
  aheadMs = dayMs + 1_000;
  expect((await makeKey("k-5")).body.id).not.toBe(first.body.id);
  aheadMs = 0;
  expect((await makeKey("not printable: é".normalize("NFD").replace(/[^\x20-\x7e]/g, ""))).status).toBe(400);
});
