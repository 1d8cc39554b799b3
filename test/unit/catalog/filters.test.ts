import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import { pino } from "pino";
import { expect, test } from "vitest";
import { z } from "zod";
import { paramsOfFilters, parseFilters, parseJsonFilters } from "../../../server/catalog/filters.ts";
import { queryWithFilters } from "../../../server/contract/filters.ts";
import { problemSchema } from "../../../server/contract/problem.ts";
import { createRouter } from "../../../server/http/app-pieces.ts";
import { handleError } from "../../../server/http/handle-error.ts";

const dimensions = new Set(["user", "language"]);
const schema = queryWithFilters({ limit: z.coerce.number().int().default(10) });

const app: OpenAPIHono = new OpenAPIHono();
app.route(
  "/",
  (() => {
    const router = createRouter();
    router.onError(handleError(pino({ level: "silent" })));
    router.openapi(
      createRoute({
        method: "get",
        path: "/ask",
        request: { query: schema },
        responses: { 200: { description: "ok" } },
      }),
      (c) => c.json(parseFilters(c.req.valid("query"), dimensions)),
    );
    return router;
  })(),
);

async function ask(query: string) {
  const response = await app.request(`/ask?${query}`);
  return { status: response.status, body: await response.json() };
}

test("a list means one of its values, `not` none of them, and `eq` is one text with its commas", async () => {
  expect((await ask("filter[user]=a,b")).body).toEqual([{ dimension: "user", operator: "in", values: ["a", "b"] }]);
  expect((await ask("filter[user][in]=a,a")).body).toEqual([{ dimension: "user", operator: "in", values: ["a"] }]);
  expect((await ask("filter%5Buser%5D[not]=a,b")).body).toEqual([
    { dimension: "user", operator: "not", values: ["a", "b"] },
  ]);
  expect((await ask("filter[user][eq]=a,b")).body).toEqual([{ dimension: "user", operator: "in", values: ["a,b"] }]);
  expect((await ask("filter[user][prefix]=a,b")).body).toEqual([
    { dimension: "user", operator: "prefix", values: ["a,b"] },
  ]);
  expect((await ask("filter[language]=")).body).toEqual([{ dimension: "language", operator: "in", values: [""] }]);
});

test("a parameter given again adds values, and different ones stand side by side in one order", async () => {
  const both = [
    { dimension: "language", operator: "in", values: ["en", "de"] },
    { dimension: "user", operator: "not", values: ["x"] },
  ];
  expect((await ask("filter[language]=en&filter[user][not]=x&filter[language]=de")).body).toEqual(both);
  const reordered = await ask("filter[user][not]=x&filter[language]=en&filter[language]=de");
  expect(reordered.body).toEqual(both);
  expect(paramsOfFilters(reordered.body)).toEqual({
    filter_dimensions: ["language", "user"],
    filter_operators: ["in", "not"],
    filter_values: [["en", "de"], ["x"]],
  });
});

test("an invalid filter is refused by its name", async () => {
  for (const [query, field] of [
    ["filter[nothing]=a", "filter[nothing]"],
    ["filter[__proto__]=a", "filter[__proto__]"],
    ["filter[user][like]=a", "filter[user][like]"],
    ["filter[user=a", "filter[user"],
    ["filter[user][prefix]=", "filter[user][prefix]"],
    [`filter[user]=${"x".repeat(257)}`, "filter[user]"],
    [`filter[user]=${Array.from({ length: 1001 }, (_, index) => index).join(",")}`, "filter[user]"],
    ["filter=a", "filter"],
    ["colour=red", "colour"],
    ["limit=many", "limit"],
    ["limit=1&limit=2", "limit"],
  ] as const) {
    const { status, body } = await ask(query);
    expect([status, problemSchema.omit({ request_id: true }).parse(body).field], query).toEqual([400, field]);
  }
});

test("in JSON a value in a list keeps its commas, and a text alone is as in a query", () => {
  const read = (filters: Record<string, string | string[]>) => parseJsonFilters(filters, dimensions);
  expect(read({ "filter[user]": ["Doe, John", "b"] })).toEqual([
    { dimension: "user", operator: "in", values: ["Doe, John", "b"] },
  ]);
  expect(read({ "filter[user][not]": ["a,b"] })).toEqual([{ dimension: "user", operator: "not", values: ["a,b"] }]);
  expect(read({ "filter[user]": "a,b" })).toEqual([{ dimension: "user", operator: "in", values: ["a", "b"] }]);
  expect(() => read({ "filter[planet]": ["a"] })).toThrow("no dimension");
});
