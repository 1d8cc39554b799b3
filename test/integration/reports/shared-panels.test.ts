/** What the panels of a shared dashboard cost: the meters that are looked up, and the statements that the store is asked at once. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { meters as builtInMeters } from "../../../server/catalog/built-in-meters.ts";
import type { ClickHouse } from "../../../server/clickhouse/client.ts";
import type { SharedView } from "../../../server/contract/shared-views.ts";
import { questionLimits } from "../../../server/fairness/questions.ts";
import { applyFoundation, createRouter } from "../../../server/http/app-pieces.ts";
import { sharedViewsRoutes } from "../../../server/http/routes/shared-views.ts";
import { createEmbedTokens } from "../../../server/reports/embed-tokens.ts";
import { createWorld, type World } from "../../support/isolation-world.ts";

const reseller = "reseller:panels";
const january = "range=custom&from=2026-01-01&through=2026-01-31&tz=Europe/Amsterdam&compare=previous&window=day";

let world: World;
let root: string;
beforeAll(async () => {
  world = await createWorld();
  root = (await world.makeKey(["read", "admin"], "all")).key;
  await done("/v1/nodes", { kind: "reseller", id: "panels", name: "The panels", parent: "all" });
});
afterAll(() => world?.close());

async function done(path: string, body: unknown) {
  const answer = await world.ask("POST", path, { key: root, body });
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  return answer.body;
}

/** The token of a dashboard of these panels. */
async function shared(panels: readonly object[]): Promise<string> {
  const { id } = await done("/v1/views", { name: crypto.randomUUID(), node: reseller, query: january, panels });
  const { url } = await done(`/v1/views/${id}/links`, {});
  return url.slice(url.indexOf("#") + 1);
}

/** The routes of shared dashboards alone, with something else in place of what they are made with. */
function routesWith(other: Partial<Parameters<typeof sharedViewsRoutes>[0]>) {
  const { deps } = world;
  const app = createRouter();
  applyFoundation(app, { log: deps.log });
  const embedTokens = createEmbedTokens(deps.postgres);
  app.route("/", sharedViewsRoutes({ ...deps, embedTokens, cyclesOf: async () => [], ...other }));
  const headers = { "content-type": "application/json" };
  return async (path: string, body: object) =>
    await app.request(path, { method: "POST", headers, body: JSON.stringify(body) });
}

test("a panel of many meters asks the store for as much at once as a question may, and for no more", async () => {
  const meters = builtInMeters.flatMap(({ meter, rule }) => (rule.kind === "derived" ? [] : [meter])).slice(0, 40);
  const panel = { title: "Much", query: `meters=${meters.join(",")}`, width: "full" };
  const token = await shared([panel]);
  const { clickhouse } = world.deps;
  let [running, most] = [0, 0];
  const select: ClickHouse["select"] = async (...asked) => {
    most = Math.max(most, ++running);
    // They begin in one turn of the event loop: each is counted before one has ended.
    await new Promise((resolve) => setImmediate(resolve));
    return await clickhouse.select(...asked).finally(() => running--);
  };
  const ask = routesWith({ clickhouse: { ...clickhouse, select } });
  const answer = await ask("/v1/shared/figures", { token, panel: 0 });
  expect(answer.status, await answer.clone().text()).toBe(200);
  expect(most).toBe(questionLimits.maxStatements);
});

test("a dashboard is opened by a look at the meters that its panels name, however many others there are", async () => {
  const panel = { title: "Posts", query: "meters=chat_posts,made_up_one,made_up_two", width: "full" };
  const token = await shared([panel, panel]);
  const looked: string[] = [];
  const rule = { kind: "derived", formula: { kind: "number", value: "1" }, operands: [] };
  const find = (name: string) => {
    looked.push(name);
    return name === "made_up_one" ? { meter: name, title: "Made", unit: "", description: "", rule } : undefined;
  };
  const ask = routesWith({ customMeters: { find } as never });
  const answer = await ask("/v1/shared/view", { token });
  expect(answer.status, await answer.clone().text()).toBe(200);
  expect(looked).toEqual(["made_up_one", "made_up_two", "made_up_one", "made_up_two"]);
  const { meters } = (await answer.json()) as SharedView;
  const made = { meter: "made_up_one", title: "Made", adds_up: false, is_built_in: false };
  expect(meters.filter(({ is_built_in }) => !is_built_in)).toEqual([made]);
});
