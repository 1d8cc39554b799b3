import { expect, test } from "vitest";
import type { ZodType } from "zod";
import { everyRoute } from "../../support/described-api.ts";

/** Where others add parameters: identity providers to the way back, mail programs to links. */
const open = new Set(["GET /v1/session/oidc/callback", "GET /v1/unsubscribe/{token}"]);
/** Required by some; a schema that misses one of its own says nothing of others. */
const known = { meter: "sessions", from: "2026-11-01" };

const routes = everyRoute().openAPIRegistry.definitions.flatMap((one) =>
  one.type === "route" ? [{ ...one.route, name: `${one.route.method.toUpperCase()} ${one.route.path}` }] : [],
);

test("every route refuses a parameter that it does not know, and names it", () => {
  expect(routes.length).toBeGreaterThan(100);
  const lenient = routes.filter(({ name, request }) => {
    const query = request?.query as ZodType | undefined;
    const issues = query?.safeParse({ ...known, froom: "2026-11-01" }).error?.issues ?? [];
    const names = issues.flatMap((issue) => (issue.code === "unrecognized_keys" ? issue.keys : []));
    return !names.includes("froom") && !open.has(name);
  });
  expect(lenient.map(({ name }) => name)).toEqual([]);
});
