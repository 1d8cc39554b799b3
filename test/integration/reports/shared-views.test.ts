/** Dashboards by links and embeddings: what they show to whoever has a token, and when they end. */
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseAddressRanges } from "../../../server/address-ranges.ts";
import { definitionLimits } from "../../../server/contract/definition-limits.ts";
import { applyFoundation, createRouter } from "../../../server/http/app-pieces.ts";
import { sharedViewsRoutes } from "../../../server/http/routes/shared-views.ts";
import { sharedRates } from "../../../server/http/shared-figures.ts";
import { newId } from "../../../server/identity/actor.ts";
import { userRoles, users } from "../../../server/postgres/schema/accounts.ts";
import { viewLinks } from "../../../server/postgres/schema/view-links.ts";
import { createEmbedTokens } from "../../../server/reports/embed-tokens.ts";
import type { Answer } from "../../support/accounts.ts";
import { createWorld, type World } from "../../support/isolation-world.ts";

const [reseller, acme, beta, other] = [
  "reseller:shown",
  "organization:shown-a",
  "organization:shown-b",
  "organization:other-a",
] as const;

let world: World;
let root: string;
let addresses = 0;
beforeAll(async () => {
  // Each test asks from an address of its own: refusals are counted by it.
  world = await createWorld({ isTrustedProxy: parseAddressRanges("127.0.0.1") ?? (() => false) });
  root = (await world.makeKey(["ingest", "read", "admin"], "all")).key;
  for (const [kind, id, parent] of [
    ["reseller", "shown", "all"],
    ["reseller", "other", "all"],
    ["organization", "shown-a", "reseller:shown"],
    ["organization", "shown-b", "reseller:shown"],
    ["organization", "other-a", "reseller:other"],
  ])
    await done("POST", "/v1/nodes", { kind, id, name: `The ${id}`, parent });
  const posts = Object.entries({ "shown-a": 3, "shown-b": 2, "other-a": 5 }).flatMap(([organization, count]) =>
    Array.from({ length: count }, (_, place) => ({
      id: `p${place}`,
      type: "chat.posted",
      organization,
      time: `2026-01-1${place}T10:00:00Z`,
    })),
  );
  await done("POST", "/v1/events?ack=stored", posts);
});
afterAll(() => world.close());

async function done(method: string, path: string, body?: unknown, asked: { key?: string; session?: string } = {}) {
  const by = asked.session === undefined ? { key: asked.key ?? root } : { session: asked.session, headers: ofPage() };
  const answer = await world.ask(method, path, { ...by, ...(body !== undefined && { body }) });
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  return answer.body;
}

const ofPage = () => ({ origin: world.url });
const panels = [
  { title: "All", query: `meters=chat_posts&node=${reseller}`, width: "full" },
  { title: "One", query: `meters=chat_posts&node=${acme}`, width: "half" },
  { title: "Not theirs", query: `meters=chat_posts&node=${other}`, width: "half" },
  { title: "Above", query: "meters=chat_posts&node=all", width: "half" },
  { title: "Who", query: "meters=chat_posts&by=organization", width: "half" },
];
const january = "range=custom&from=2026-01-01&through=2026-01-31&tz=Europe/Amsterdam&compare=previous&window=day";

const dashboard = async (node: string = reseller): Promise<string> =>
  (await done("POST", "/v1/views", { name: crypto.randomUUID(), node, query: january, panels })).id;

const tokenOf = ({ url }: { url: string }) => url.slice(url.indexOf("#") + 1);

async function link(view: string, body: object = {}, by: { key?: string; session?: string } = {}) {
  const made = await done("POST", `/v1/views/${view}/links`, body, by);
  return { ...made, token: tokenOf(made) };
}

/** As somebody without an account, from an address that nobody else has. */
function stranger() {
  const headers = { "x-forwarded-for": `192.0.2.${++addresses}` };
  const ask = (path: string, body: object) => world.ask("POST", path, { headers, body });
  return {
    open: (token: string) => ask("/v1/shared/view", { token }),
    figures: (token: string, panel: number, more: object = {}) => ask("/v1/shared/figures", { token, panel, ...more }),
  };
}

const totalOf = ({ status, body }: Answer) => [status, body.answer?.node, body.answer?.meters[0].total];

async function person(role: "manager" | "viewer", node: string = reseller) {
  const { postgres, signInSessions } = world.deps;
  const email = `${crypto.randomUUID()}@example.com`;
  const [user] = await postgres.db
    .insert(users)
    .values({ id: newId("usr"), email })
    .returning();
  if (!user) throw new Error("the user was not stored");
  await postgres.db.insert(userRoles).values({ userId: user.id, node, role });
  return { id: user.id, email, session: (await signInSessions.create(user.id)).token };
}

test("a link shows the panels of its node to somebody without an account, with the figures that the dashboard asks for", async () => {
  const view = await dashboard();
  const { token } = await link(view);
  const { open, figures } = stranger();
  const opened = await open(token);
  expect(opened).toMatchObject({ status: 200, body: { node: reseller, node_name: "The shown", theme: null } });
  expect(opened.body.panels.map(({ panel, node }: { panel: number; node: string }) => [panel, node])).toEqual([
    [0, reseller],
    [1, acme],
    [3, reseller],
    [4, reseller],
  ]);
  expect(JSON.stringify(opened.body)).not.toContain("Not theirs");
  expect(Object.fromEntries(opened.headers)).toMatchObject({ "cache-control": "no-store" });
  expect(opened.headers.get("set-cookie")).toBeNull();
  for (const [panel, query] of [
    [0, `node=${reseller}`],
    [1, `node=${acme}`],
    [4, `node=${reseller}&group_by=organization&limit=5`],
  ] as const) {
    const range = "from=2026-01-01&to=2026-02-01&tz=Europe/Amsterdam&compare=previous&compare_match=weekday&fill=null";
    const asked = await done("GET", `/v1/usage?meter=chat_posts&${range}&${query}`);
    const { watermark: _, ...shown } = (await figures(token, panel)).body.answer;
    const { watermark: __, ...wanted } = asked;
    expect(shown).toEqual(wanted);
  }
  expect((await figures(token, 4)).body.names).toEqual({ [acme]: "The shown-a", [beta]: "The shown-b" });
});

test("a link of one organization shows that one's figures alone, whatever its panels name", async () => {
  const { token } = await link(await dashboard(), { node: acme });
  const { open, figures } = stranger();
  expect((await open(token)).body.panels.map(({ node }: { node: string }) => node)).toEqual([acme, acme, acme, acme]);
  for (const panel of [0, 1, 3, 4]) expect(totalOf(await figures(token, panel))).toEqual([200, acme, 3]);
  const text = JSON.stringify((await figures(token, 4)).body);
  for (const hidden of [beta, "shown-b", other]) expect(text).not.toContain(hidden);
});

test("nothing but the panels of the dashboard can be asked with a token", async () => {
  const { token } = await link(await dashboard());
  const { figures } = stranger();
  for (const panel of [2, 5, 23])
    expect(await figures(token, panel)).toMatchObject({ status: 404, body: { field: "panel" } });
  for (const more of [{ node: other }, { query: "meters=sessions" }, { meter: "sessions" }, { from: "2025-01-01" }])
    expect(await figures(token, 0, more)).toMatchObject({ status: 400, body: { field: Object.keys(more)[0] } });
  for (const path of ["/v1/usage?meter=chat_posts", "/v1/views", "/v1/me"])
    expect((await world.ask("GET", path, { key: token })).status, path).toBe(401);
});

test("every end of a link looks like that of one that never was", async () => {
  const view = await dashboard();
  const { postgres, tree } = world.deps;
  const { open } = stranger();
  const never = await open(`tml_${"x".repeat(43)}`);
  const shape = ({ status, body: { request_id: _, ...problem }, headers }: Answer) => {
    return { status, problem, cache: headers.get("cache-control"), length: headers.get("content-length") };
  };
  const ends: Record<string, () => Promise<string>> = {
    async expired() {
      const { id, token } = await link(view);
      await postgres.db
        .update(viewLinks)
        .set({ expiresAt: new Date(Date.now() - 1) })
        .where(eq(viewLinks.id, id));
      return token;
    },
    async revoked() {
      const { id, token } = await link(view);
      await done("DELETE", `/v1/views/${view}/links/${id}`);
      return token;
    },
    async "its dashboard deleted"() {
      const gone = await dashboard();
      const { token } = await link(gone);
      await done("DELETE", `/v1/views/${gone}`);
      return token;
    },
    async "its maker's role taken"() {
      const { id, session } = await person("manager");
      const { token } = await link(view, {}, { session });
      await postgres.db.update(userRoles).set({ role: "viewer" }).where(eq(userRoles.userId, id));
      return token;
    },
    async "its maker's account disabled"() {
      const { id, session } = await person("manager");
      const { token } = await link(view, {}, { session });
      await postgres.db.update(users).set({ disabledAt: new Date() }).where(eq(users.id, id));
      return token;
    },
    async "its maker's key revoked"() {
      const { id, key } = await world.makeKey(["read", "admin"], reseller);
      const { token } = await link(view, {}, { key });
      await done("DELETE", `/v1/keys/${id}`);
      return token;
    },
    async "its node moved away"() {
      await done("POST", "/v1/nodes", { kind: "organization", id: "moving", name: "Moving", parent: reseller });
      const { session } = await person("manager");
      const { token } = await link(view, { node: "organization:moving" }, { session });
      expect((await open(token)).status).toBe(200);
      await done("PATCH", "/v1/nodes/organization:moving", { parent: "reseller:other" });
      return token;
    },
    async "its maker's node suspended"() {
      await done("POST", "/v1/nodes", { kind: "reseller", id: "late", name: "Late", parent: "all" });
      const own = await dashboard("reseller:late");
      const { session } = await person("manager", "reseller:late");
      const { token } = await link(own, {}, { session });
      expect((await open(token)).status).toBe(200);
      await done("PATCH", "/v1/nodes/reseller:late", { status: "suspended" });
      return token;
    },
  };
  for (const [end, endedLink] of Object.entries(ends)) {
    const token = await endedLink();
    const from = stranger();
    expect(shape(await from.open(token)), end).toEqual(shape(never));
    expect(shape(await from.figures(token, 0)), end).toEqual(shape(never));
  }
  for (const made of ["", "tml_", "tme_", "tme_e30.e30", root]) {
    const { status } = await stranger().open(made);
    expect([400, 404]).toContain(status);
  }
  expect(tree.get("organization:moving")?.parent).toBe("reseller:other");
});

test("links are made, listed and revoked by whoever may share, within bounds, and stand in the audit without their token", async () => {
  const view = await dashboard();
  const manager = await person("manager");
  const made = await link(view, { expires_in_days: 90 }, manager);
  const days = (Date.parse(made.expires_at) - Date.parse(made.created_at)) / 86_400_000;
  expect([days, made.created_by, made.last_used_at]).toEqual([90, manager.email, null]);
  expect(((l) => Date.parse(l.expires_at) - Date.parse(l.created_at))(await link(view))).toBe(7 * 86_400_000);
  await stranger().open(made.token);
  await done("DELETE", `/v1/views/${view}/links/${made.id}`);
  await done("DELETE", `/v1/views/${view}/links/${made.id}`);
  const { links } = await done("GET", `/v1/views/${view}/links`, undefined, manager);
  expect(links.map(({ state }: { state: string }) => state)).toEqual(["active", "revoked"]);
  expect(links[1]).toMatchObject({ id: made.id, last_used_at: expect.any(String), revoked_at: expect.any(String) });
  const { entries } = await done("GET", `/v1/audit?subject=${made.id}`);
  expect(entries.map(({ action, actor }: { action: string; actor: { name: string } }) => [action, actor.name])).toEqual(
    [
      ["view_link.revoked", "A key"],
      ["view_link.created", manager.email],
    ],
  );
  const secret = made.token.slice(4);
  expect(JSON.stringify([links, entries])).not.toContain(secret);
  const { rows } = await world.deps.postgres.pool.query("SELECT to_json(l) AS row FROM view_links l");
  expect(JSON.stringify(rows)).not.toContain(secret);

  const viewer = await person("viewer");
  const refused = async (body: object, field: string, status: number) =>
    expect(
      await world.ask("POST", `/v1/views/${view}/links`, { session: manager.session, headers: ofPage(), body }),
    ).toMatchObject({ status, body: { field } });
  await refused({ expires_in_days: 91 }, "expires_in_days", 400);
  await refused({ expires_in_days: 0 }, "expires_in_days", 400);
  await refused({ node: other }, "node", 403);
  await refused({ node: "organization:nobody" }, "node", 403);
  expect((await world.ask("POST", `/v1/views/${view}/links`, { key: root, body: { node: other } })).status).toBe(400);
  for (const [method, body] of [["GET"], ["POST", {}]] as const)
    expect(
      await world.ask(method, `/v1/views/${view}/links`, { session: viewer.session, headers: ofPage(), body }),
    ).toMatchObject({ status: 403 });
  const alone = await done("POST", "/v1/views", { name: "One question", node: reseller, query: "range=7d" });
  expect((await world.ask("POST", `/v1/views/${alone.id}/links`, { key: root, body: {} })).status).toBe(409);
});

test("a node has so many links in force and no more, and of those that ended the newest", async () => {
  const view = await dashboard(beta);
  const { db } = world.deps.postgres;
  const { ofNode, ended } = definitionLimits.viewLinks;
  const row = (place: number) => ({
    id: newId("lnk"),
    view,
    node: beta,
    tokenHash: `${view}${place}`,
    makerKind: "key" as const,
    makerId: "key_gone",
    makerName: "gone",
    createdAt: new Date(place),
    expiresAt: new Date(Date.now() + 60_000),
  });
  await db.insert(viewLinks).values(Array.from({ length: ofNode }, (_, place) => row(place)));
  const refused = await world.ask("POST", `/v1/views/${view}/links`, { key: root, body: {} });
  expect(refused).toMatchObject({ status: 409, body: { field: "node" } });
  const { links } = await done("GET", `/v1/views/${view}/links`);
  expect(links.every(({ state }: { state: string }) => state === "held")).toBe(true);
  await db
    .update(viewLinks)
    .set({ expiresAt: new Date(0) })
    .where(eq(viewLinks.view, view));
  await link(view);
  expect((await done("GET", `/v1/views/${view}/links`)).links).toHaveLength(ended + 1);
});

test("an embedding shows one node to whoever has its token, for some minutes, as long as its key may read", async () => {
  const view = await dashboard();
  const { id, key } = await world.makeKey(["read"], reseller);
  const theme = { mode: "dark", accent: "#aa3366" };
  const made = await done("POST", `/v1/views/${view}/embed-tokens`, { node: acme, theme }, { key });
  const minutes = (Date.parse(made.expires_at) - Date.now()) / 60_000;
  expect(minutes).toBeGreaterThan(14);
  expect(minutes).toBeLessThanOrEqual(15);
  expect(made.url).toBe(`${world.deps.publicUrl}/embed?theme=dark#${made.token}`);
  const { open, figures } = stranger();
  expect(await open(made.token)).toMatchObject({
    status: 200,
    body: { node: acme, theme, expires_at: made.expires_at },
  });
  expect(totalOf(await figures(made.token, 0))).toEqual([200, acme, 3]);
  expect((await figures(made.token, 2)).status).toBe(404);

  const tokens = createEmbedTokens(world.deps.postgres);
  const said = { view, node: acme, key: id, theme: null };
  const ended = await tokens.sign({ ...said, expiresMs: Date.now() });
  const [content = "", mark = ""] = made.token.slice(4).split(".");
  const changed = JSON.parse(Buffer.from(content, "base64url").toString());
  const forged = Buffer.from(JSON.stringify({ ...changed, node: other })).toString("base64url");
  const wide = await tokens.sign({ ...said, node: other, expiresMs: Date.now() + 60_000 });
  for (const token of [ended, `tme_${forged}.${mark}`, `tme_${content}.`, `tme_${content}`, wide])
    expect((await stranger().open(token)).status).toBe(404);
  await done("DELETE", `/v1/keys/${id}`);
  expect((await open(made.token)).status).toBe(404);
});

test("tokens to embed by are for keys that read, with bounds, and name the origins that may frame them", async () => {
  const view = await dashboard();
  const { key } = await world.makeKey(["read"], reseller);
  const origins = ["https://portal.example.com", "http://localhost:3000"];
  const { url } = await done("POST", `/v1/views/${view}/embed-tokens`, { origins }, { key });
  const frame = new URL(url).searchParams.get("frame") ?? "";
  expect(await createEmbedTokens(world.deps.postgres).readOrigins(frame)).toEqual(origins);
  for (const wrong of ["", "x", `${frame}x`, frame.replace(".", "")])
    expect(await createEmbedTokens(world.deps.postgres).readOrigins(wrong)).toEqual([]);
  const manager = await person("manager");
  const asked = (body: object, by: object = { key }) =>
    world.ask("POST", `/v1/views/${view}/embed-tokens`, { ...by, body });
  for (const origin of [
    "*",
    "https://*.example.com",
    "https://a.example.com/",
    "https://a.example.com/path",
    "null",
    "data:text/html,x",
    "https://a.example.com; script-src *",
    "https://a.example.com https://b.example.com",
    "javascript:alert(1)",
  ])
    expect(await asked({ origins: [origin] }), origin).toMatchObject({ status: 400, body: { field: "origins.0" } });
  expect(await asked({ theme: { accent: "red" } })).toMatchObject({ status: 400, body: { field: "theme.accent" } });
  expect(await asked({ theme: { mode: "x" } })).toMatchObject({ status: 400, body: { field: "theme.mode" } });
  expect(await asked({ expires_in_minutes: 61 })).toMatchObject({ status: 400, body: { field: "expires_in_minutes" } });
  expect(await asked({ node: other })).toMatchObject({ status: 403, body: { field: "node" } });
  expect((await asked({}, { session: manager.session, headers: ofPage() })).status).toBe(403);
  expect((await asked({}, { key: (await world.makeKey(["read"], other)).key })).status).toBe(404);
});

test("who asks too much with one token is held up alone, and so is who makes tokens up", async () => {
  const view = await dashboard();
  const [busy, quiet] = [await link(view), await link(view)];
  // With a clock that stands still nothing is forgiven meanwhile, however slow the machine is.
  const { deps } = world;
  const app = createRouter();
  applyFoundation(app, { log: deps.log });
  const embedTokens = createEmbedTokens(deps.postgres);
  const nowMs = Date.now();
  app.route("/", sharedViewsRoutes({ ...deps, embedTokens, cyclesOf: async () => [], now: () => nowMs }));
  const headers = { "content-type": "application/json" };
  const open = (token: string) =>
    app.request("/v1/shared/view", { method: "POST", headers, body: JSON.stringify({ token }) });
  const statuses: number[] = [];
  for (let asked = 0; asked <= sharedRates.ofShare.burst; asked++) statuses.push((await open(busy.token)).status);
  expect(new Set(statuses.slice(0, -1))).toEqual(new Set([200]));
  const refused = await open(busy.token);
  expect([statuses.at(-1), refused.status, refused.headers.get("retry-after")]).toEqual([429, 429, "1"]);
  expect((await open(quiet.token)).status).toBe(200);
  const guesses: number[] = [];
  for (let tried = 0; tried <= sharedRates.ofStrangers.burst; tried++)
    guesses.push((await open(`tml_${String(tried).padStart(43, "0")}`)).status);
  expect(guesses).toEqual([...Array(sharedRates.ofStrangers.burst).fill(404), 429]);
});
