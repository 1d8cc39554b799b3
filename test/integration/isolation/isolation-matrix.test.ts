/**
 * Every route of the application against every kind of caller: nobody sees or changes anything outside their subtree.
 * The routes are those that the router has, so one without a case fails the last test.
 *
 * To add a route, add one entry to cases.ts:
 *
 *     {
 *       route: "PATCH /v1/rules/{id}",          // as OpenAPI writes it
 *       needs: "rules:write",                   // the action that the route gives to requireScope
 *       request: async (world) => ({            // about `askedAbout` or something at `inside`; made anew for each who is let in
 *         path: `/v1/rules/${await ruleAt(world, inside)}`,
 *         body: { name: "renamed" },
 *       }),
 *       allowed: 200,                           // for those who may
 *       elsewhere: 404,                         // for a sibling, an organization below `askedAbout`, and who had `inside` before
 *     },
 *
 * `world.deps` has every part of the application, to put in place what the request is about. A list without a parameter
 * that names a node is `elsewhere: "nothing"`: answered, but without a word about `askedAbout` and `inside`.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { keyScopes, roles } from "../../../server/contract/accounts.ts";
import { actionsOfKey, actionsOfRole } from "../../../server/identity/permissions.ts";
import type { Answer } from "../../support/accounts.ts";
import { askedAbout, createWorld, inside, type World } from "../../support/isolation-world.ts";
import { rowsReadBy } from "../../support/rows-read.ts";
import { routeCases } from "./cases.ts";
import type { RouteCase } from "./route-case.ts";

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.close());

const nobodies = ["without a key", "with a key that nobody made", "with a revoked key", "with an expired key"];
const strangers = ["sibling", "past owner", "child"];

function isRefused({ needs, isForKeys }: RouteCase, caller: string): 401 | 403 | undefined {
  if (needs === "nothing") return undefined;
  if (nobodies.includes(caller)) return 401;
  if (needs === "credentials") return undefined;
  if (needs === "a session") return caller.startsWith("with the role") ? undefined : 403;
  const role = roles.find((one) => caller === `with the role ${one}`);
  const scope = keyScopes.find((one) => caller === `with only the scope ${one}`);
  if (role && (isForKeys || !actionsOfRole(role).has(needs))) return 403;
  return scope && !actionsOfKey([scope], false).has(needs) ? 403 : undefined;
}

async function askAs(route: RouteCase, caller: string): Promise<Answer> {
  return await (await prepared(route, caller))();
}

/** What a refused caller asked for is as it was before: the next who is refused asks for the same. */
const requestsOfRefused = new Map<RouteCase, ReturnType<NonNullable<RouteCase["request"]>>>();

function requestOf(route: RouteCase, caller: string) {
  if (isRefused(route, caller) === undefined) return route.request?.(world);
  const request = requestsOfRefused.get(route) ?? route.request?.(world);
  if (request !== undefined) requestsOfRefused.set(route, request);
  return request;
}

/** What the request is about is in place. */
async function prepared(route: RouteCase, caller: string): Promise<() => Promise<Answer>> {
  const [method = "", path = ""] = route.route.split(" ");
  const request = await requestOf(route, caller);
  const credentials = world.callers.get(caller);
  const headers = { ...request?.headers, ...credentials?.headers };
  return async () => await world.ask(method, request?.path ?? path, { ...request, ...credentials, headers });
}

function checkProblem(answer: Answer, status: number): void {
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  expect(answer.body).toMatchObject({ status, request_id: answer.headers.get("x-request-id") });
  if (status === 401) expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer/);
}

function checkElsewhere({ elsewhere, allowed }: RouteCase, answer: Answer): void {
  if (typeof elsewhere === "function") {
    elsewhere(answer);
    return;
  }
  const status = typeof elsewhere === "number" ? elsewhere : allowed;
  expect(answer.status).toBe(status);
  if (typeof elsewhere === "number") checkProblem(answer, status);
  if (elsewhere !== "nothing") return;
  const text = JSON.stringify(answer.body);
  for (const node of [askedAbout, inside]) expect(text).not.toContain(node.slice(node.indexOf(":") + 1));
}

const callers = [
  ...nobodies,
  ...strangers,
  "own",
  "parent",
  ...keyScopes.map((scope) => `with only the scope ${scope}`),
  ...roles.map((role) => `with the role ${role}`),
];

for (const route of routeCases)
  describe(route.route, () => {
    for (const caller of callers)
      test(`keeps to the rights of a caller ${caller}`, async () => {
        const answer = await askAs(route, caller);
        const refusal = isRefused(route, caller);
        if (refusal !== undefined) {
          expect(answer.status).toBe(refusal);
          checkProblem(answer, refusal);
        } else if (caller === "past owner" && route.pastOwner) route.pastOwner(answer);
        else if (strangers.includes(caller)) checkElsewhere(route, answer);
        else expect(answer.status).toBe(route.allowed);
      });
  });

const lists = routeCases.filter(({ route, elsewhere }) => /^GET [^{]*$/.test(route) && elsewhere === "nothing");

test.each(lists)("$route reads no row of another tenant, so that nobody's list waits for theirs", async (route) => {
  const one = routeCases.find((other) => other.route.startsWith(`${route.route}/{`));
  await one?.request?.(world);
  const isShown = (rows: string[]) =>
    [askedAbout, inside].some((node) => rows.some((row) => row.includes(`"${node}"`)));
  expect(isShown(await rowsReadBy(await prepared(route, "sibling")))).toBe(false);
  // The nodes are in memory.
  if (one && route.route !== "GET /v1/nodes")
    expect(isShown(await rowsReadBy(await prepared(route, "own"))), "and it reads what there is").toBe(true);
});

test("every route of the application has a case, every case a route", () => {
  expect(routeCases.map(({ route }) => route).sort()).toEqual(world.routes.sort());
});

test("every kind of caller is asked for", () => {
  expect([...world.callers.keys()].sort()).toEqual([...callers].sort());
});
