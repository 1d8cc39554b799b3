/** `Idempotency-Key`: a write that is repeated is carried out once. */
import { eq, sql } from "drizzle-orm";
import pino from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { definitionLimits } from "../../server/contract/definition-limits.ts";
import type { NodeAddress } from "../../server/contract/nodes.ts";
import { applyFoundation, changesNothing, createRouter } from "../../server/http/app-pieces.ts";
import { idempotent } from "../../server/http/idempotency.ts";
import { KeptAnswers, pruneKeptAnswers } from "../../server/http/kept-answers.ts";
import type { Actor } from "../../server/identity/actor.ts";
import type { Postgres } from "../../server/postgres/client.ts";
import { idempotencyKeys } from "../../server/postgres/schema/idempotency.ts";
import { ProblemError } from "../../server/problem.ts";
import { type Accounts, ownAccounts } from "../support/accounts.ts";

const dayMs = 24 * 60 * 60 * 1000;
let accounts: Accounts;
let aheadMs = 0;

beforeAll(async () => {
  accounts = await ownAccounts({ now: () => Date.now() + aheadMs });
});
afterAll(() => accounts.close());

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

interface Writing {
  renewEveryMs?: number;
  postgres?: Postgres;
  node?: NodeAddress;
}

/** Routes of its own, as a caller at `reseller:r` or another node; `work` is what a write does, and gives its answer. */
function writesOf(work: () => Promise<string>, { renewEveryMs, ...given }: Writing = {}) {
  const { postgres = accounts.postgres, node = "reseller:r" } = given;
  const actor = { kind: "key", id: crypto.randomUUID(), node, grants: [], reach: [node] };
  const app = createRouter();
  applyFoundation(app, { log: pino({ level: "silent" }) });
  app.use(async (c, next) => {
    c.set("actor", actor as unknown as Actor);
    c.set("identify", async () => actor as unknown as Actor);
    await next();
  });
  const tree = { ancestors: (address: NodeAddress) => [...new Set<NodeAddress>([address, "all"])] };
  const renewal = renewEveryMs === undefined ? {} : { renewEveryMs };
  app.use(idempotent({ postgres, tree, now: () => Date.now() + aheadMs, ...renewal }));
  const answers = { 200: { description: "It was done" } };
  const answered = async () => new Response(await work(), { headers: { "content-type": "text/plain" } }) as never;
  app.openapi({ method: "post", path: "/writes", responses: answers }, answered);
  app.openapi({ method: "post", path: "/asks", [changesNothing]: true, responses: answers }, answered);
  return {
    caller: `${actor.kind} ${actor.id}`,
    post: async (key: string, path = "/writes") =>
      await app.request(path, { method: "POST", headers: { "idempotency-key": key } }),
  };
}

const rowsOf = (caller: string) =>
  accounts.postgres.db.select().from(idempotencyKeys).where(eq(idempotencyKeys.caller, caller));

test("a request that is carried out longer than its claim holds is not carried out beside itself", async () => {
  let end = () => {};
  const mayEnd = new Promise<void>((resolve) => {
    end = resolve;
  });
  let begun = 0;
  const { post, caller } = writesOf(
    async () => {
      begun++;
      await mayEnd;
      return "done";
    },
    { renewEveryMs: 20 },
  );
  const first = post("long");
  await expect.poll(() => begun).toBe(1);
  const claimedAtMs = async () => (await rowsOf(caller))[0]?.claimedAt.getTime() ?? 0;
  for (const aheadOf of [50_000, 100_000]) {
    aheadMs = aheadOf;
    const nowMs = Date.now() + aheadMs - 1_000;
    await expect.poll(claimedAtMs).toBeGreaterThan(nowMs);
    const again = await post("long");
    expect([again.status, begun]).toEqual([409, 1]);
  }
  end();
  expect(await (await first).text()).toBe("done");
  expect([(await post("long")).headers.get("idempotency-replayed"), begun]).toEqual(["true", 1]);
  aheadMs = 0;
});

test("what was carried out is answered, though its answer cannot be kept at once, and a repeat never carries it out again", async () => {
  let isAway = false;
  const postgres = Object.create(accounts.postgres, {
    db: {
      get: () => {
        if (isAway) throw new Error("Postgres is away");
        return accounts.postgres.db;
      },
    },
  }) as Postgres;
  let done = 0;
  const work = async () => {
    isAway = true;
    return `done ${++done}`;
  };
  const { post, caller } = writesOf(work, { postgres, renewEveryMs: 20 });
  const first = await post("kept-late");
  expect([first.status, await first.text()]).toEqual([200, "done 1"]);
  // Longer than a claim lasts: to any other process it is a dead one's, and the job that removes those comes by.
  aheadMs = 61_000;
  await pruneKeptAnswers(accounts.postgres, Date.now() + aheadMs);
  expect(await rowsOf(caller)).toEqual([]);
  isAway = false;
  const again = await post("kept-late");
  if (again.status === 409) expect(again.headers.get("retry-after")).toBe("1");
  await expect.poll(() => rowsOf(caller)).toMatchObject([{ status: 200 }]);
  const repeated = await post("kept-late");
  expect([await repeated.text(), repeated.headers.get("idempotency-replayed"), done]).toEqual(["done 1", "true", 1]);
  aheadMs = 0;
});

test("a key whose request was refused does not count, and the operator's own callers have no bound together", async () => {
  const { ofCaller, ofTenant } = definitionLimits.idempotencyKeys;
  const refuse = async (): Promise<string> => {
    throw new ProblemError("conflict", "not now");
  };
  const { post, caller } = writesOf(refuse, { node: "reseller:refused" });
  const fill = (keys: number, maker: string, tenant: string) =>
    accounts.postgres.db.execute(sql`INSERT INTO idempotency_keys (key_hash, request_hash, claimed_at, caller, tenant, status)
      SELECT ${tenant} || ${maker} || n, '', now(), ${maker}, ${tenant}, 200 FROM generate_series(1, ${keys}::int) AS n`);
  await fill(ofCaller - 1, caller, "reseller:refused");
  for (let times = 0; times < 3; times++) expect((await post("refused")).status).toBe(409);
  await fill(ofTenant, "key others", "all");
  expect((await writesOf(async () => "done", { node: "all" }).post("of-the-operator")).status).toBe(200);
  await accounts.postgres.db.delete(idempotencyKeys).where(eq(idempotencyKeys.status, 200));
});

test("a large answer is not kept, and its request is carried out once all the same", async () => {
  let done = 0;
  const { post, caller } = writesOf(async () => "x".repeat(definitionLimits.idempotencyKeys.bytes + ++done));
  expect((await post("large")).status).toBe(200);
  const again = await post("large");
  expect([again.status, done]).toEqual([409, 1]);
  expect(await rowsOf(caller)).toMatchObject([{ status: 200, body: null, bytes: 0 }]);
});

test("of what changes nothing no answer is kept", async () => {
  let asked = 0;
  const { post, caller } = writesOf(async () => `${++asked}`);
  expect([await (await post("ask", "/asks")).text(), await (await post("ask", "/asks")).text()]).toEqual(["1", "2"]);
  expect((await post("ask", "/writes?dry_run=true")).status).toBe(400);
  expect(await rowsOf(caller)).toEqual([]);
});

test("a caller has so many keys a day, those that were used answer on, and an old or abandoned one is removed", async () => {
  const { db } = accounts.postgres;
  const { caller, post } = writesOf(async () => "done");
  expect((await post("first")).status).toBe(200);
  const { ofCaller } = definitionLimits.idempotencyKeys;
  const many = sql`INSERT INTO idempotency_keys (key_hash, request_hash, claimed_at, caller, tenant, status)
    SELECT ${caller} || n, '', now(), ${caller}, 'reseller:r', 200 FROM generate_series(2, ${ofCaller}::int) AS n`;
  await db.execute(many);
  aheadMs = 61_000;
  const refused = await post("one-more");
  expect([refused.status, await refused.json()]).toMatchObject([429, { code: "too_fast", field: "Idempotency-Key" }]);
  expect(refused.headers.get("retry-after")).toBe("3600");
  expect((await post("first")).headers.get("idempotency-replayed")).toBe("true");
  expect(await new KeptAnswers(accounts.postgres, Date.now).mayUse("key other", "reseller:other")).toBe(true);
  aheadMs = 0;
  await db.insert(idempotencyKeys).values([
    { keyHash: "abandoned", requestHash: "", caller, claimedAt: new Date(Date.now() - 61_000) },
    { keyHash: "running", requestHash: "", caller, claimedAt: new Date() },
  ]);
  await pruneKeptAnswers(accounts.postgres, Date.now());
  const left = (await rowsOf(caller)).map(({ keyHash }) => keyHash);
  expect([left.includes("abandoned"), left.includes("running"), left.length]).toEqual([false, true, ofCaller + 1]);
  await pruneKeptAnswers(accounts.postgres, Date.now() + dayMs + 1_000);
  expect(await rowsOf(caller)).toEqual([]);
});
