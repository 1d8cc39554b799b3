import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, expect, it, vi } from "vitest";
import { z } from "zod";
import type { ApiOperation } from "../../../server/http/describe-api.ts";
import { api } from "../../../web/src/api/client.ts";
import { describedApi } from "../../support/described-api.ts";

afterEach(() => vi.unstubAllGlobals());

const document = describedApi();
const described = new Map(
  Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]): [string, ApiOperation & { method: string; path: string }] => [
      operation.operationId ?? "",
      { ...operation, method: method.toUpperCase(), path },
    ]),
  ),
);

const contracts = import.meta.glob<Record<string, unknown>>("../../../server/contract/*.ts", { eager: true });
function schemasCalled(name: string): z.ZodType[] {
  const found = Object.values(contracts).map((exported) => exported[name]);
  return found.filter((schema) => schema instanceof z.ZodType);
}

/** As the table is written, since types are gone when it runs: the schema of each answer, body and query by its name. */
const table = readFileSync(fileURLToPath(new URL("../../../web/src/api/client.ts", import.meta.url)), "utf8");
const rows = new Map(
  [...table.matchAll(/^ {2}(\w+): (?:get|post|put|patch|del)\("[^"]+"\)([^;]*?)\(\),$/gm)].map(
    ([, id = "", typed = ""]) => [
      id,
      {
        answer: /\.answers<\s*typeof (\w+)/.exec(typed)?.[1],
        body: /Body<typeof (\w+)>/.exec(typed)?.[1],
        query: /Query<typeof (\w+)>/.exec(typed)?.[1],
      },
    ],
  ),
);

/** `planListSchema` is `PlanList` in the document. */
const documentName = (schema: string) =>
  `#/components/schemas/${schema[0]?.toUpperCase()}${schema.slice(1, -"Schema".length)}`;
const jsonSchema = (content: ApiOperation["requestBody"] | ApiOperation["responses"][string] | undefined) =>
  content?.content?.["application/json"]?.schema;

it("calls each operation by the method and path that the OpenAPI document has under its id", () => {
  const called = Object.entries(api).map(([id, { method, path }]) => ({ id, method, path }));
  expect(called).toEqual(
    called.map(({ id }) => ({ id, method: described.get(id)?.method, path: described.get(id)?.path })),
  );
  expect([...rows.keys()]).toEqual(called.map(({ id }) => id));
});

it("expects of each operation the answer that its route describes, and nothing where it describes none", () => {
  for (const [id, { answer }] of rows) {
    const { responses } = described.get(id) as ApiOperation;
    const good = Object.entries(responses).filter(([status]) => status.startsWith("2"));
    const schemas = good.map(([, response]) => jsonSchema(response)).filter((schema) => schema !== undefined);
    if (answer === undefined) expect(schemas, id).toEqual([]);
    // Asked for several nodes at once, usage is answered in another shape, for which the dashboard never asks.
    else if (id !== "getUsage") expect(schemas[0], id).toEqual({ $ref: documentName(answer) });
  }
});

it("sends each operation the body that its route takes", () => {
  for (const [id, { body }] of rows) {
    const taken = jsonSchema(described.get(id)?.requestBody);
    expect(body === undefined ? undefined : { $ref: documentName(body) }, id).toEqual(taken);
  }
});

it("asks each operation by no name that its route does not know", () => {
  for (const [id, { query }] of rows) {
    if (query === undefined) continue;
    const known = (described.get(id)?.parameters ?? []) as { in?: string; name?: string }[];
    const names = known.filter((one) => one.in === "query").map(({ name }) => name);
    const [schema] = schemasCalled(query) as z.ZodObject[];
    expect(Object.keys(schema?.shape ?? {}).sort(), id).toEqual(names.sort());
  }
});

it("writes path and query so that nothing in a value can become another parameter", () => {
  expect(api.getNode.address({ path: { node: "agent:a%2Fb/c?x=1#é" } })).toBe(
    "/v1/nodes/agent%3Aa%252Fb%2Fc%3Fx%3D1%23%C3%A9",
  );
  const address = api.listRules.address({
    query: { node: "organization:a&kind=quota", kind: "", cursor: undefined, limit: 5 },
  });
  expect(address).toBe("/v1/rules?node=organization%3Aa%26kind%3Dquota&limit=5");
  expect(api.listRules.address()).toBe("/v1/rules");
});

it("sends the tag that was read with an edit, one key with each try, and gives back the new tag", async () => {
  const asked = vi.fn(async (_address: string, _init?: RequestInit) =>
    Response.json({ name: "p" }, { headers: { etag: '"2"' } }),
  );
  vi.stubGlobal("fetch", asked);
  const saved = await api.updatePlan.tagged({ path: { id: "p1" }, body: { name: "p" }, ifMatch: '"1"' });
  expect(saved).toEqual({ value: { name: "p" }, tag: '"2"' });
  await api.createRule({ body: { name: "r" } as never, idempotencyKey: "k1" });
  expect(asked.mock.calls.map(([, init]) => init?.headers)).toEqual([
    { accept: "application/json", "content-type": "application/json", "if-match": '"1"' },
    { accept: "application/json", "content-type": "application/json", "idempotency-key": "k1" },
  ]);
});

it("does not read an answer that has no body", async () => {
  vi.stubGlobal("fetch", async () => new Response(null, { status: 204 }));
  await expect(api.deleteRule({ path: { id: "r1" } })).resolves.toBeUndefined();
});
