import { readdirSync, readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { operationTags } from "../../../server/http/api-words.ts";
import type { ApiOperation } from "../../../server/http/describe-api.ts";
import { describedApi } from "../../support/described-api.ts";

const document = describedApi();
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]): [string, ApiOperation] => [
    `${method.toUpperCase()} ${path}`,
    operation,
  ]),
);

test("every operation has an id of its own, one known tag, a summary in the imperative, and says who may ask", () => {
  const ids = operations.map(([, { operationId }]) => operationId);
  expect(operations.length).toBeGreaterThan(90);
  const known = operationTags.map(({ name }) => name as string);
  for (const [route, { operationId, tags = [], summary, security, responses }] of operations) {
    expect(operationId, `${route} needs an operationId`).toMatch(/^[a-z][A-Za-z]+$/);
    expect(tags.length === 1 && known.includes(tags[0] ?? ""), `${route} needs one of the tags of api-words.ts`).toBe(
      true,
    );
    expect(summary, route).toMatch(/^(?!The |A |An |One )[A-Z]/);
    // A refusal names what is asked for.
    if ("401" in responses && "403" in responses && security?.length !== 0 && route !== "GET /metrics")
      expect(security?.length ?? document.security.length, route).toBeGreaterThan(0);
  }
  expect(ids.filter((id, place) => ids.indexOf(id) !== place)).toEqual([]);
});

test("tags come in the order in which people need them, each with a description and at least one operation", () => {
  expect(document.tags.map(({ name }) => name).slice(0, 3)).toEqual(["Events", "Usage", "Live"]);
  const used = new Set(operations.flatMap(([, { tags }]) => tags));
  for (const { name, description } of document.tags)
    expect([used.has(name), description.length > 5], name).toEqual([true, true]);
});

test("every JSON body and answer is a named schema, and none stands beside a text", () => {
  for (const [route, { requestBody, responses }] of operations) {
    const contents = [requestBody?.content, ...Object.values(responses).map(({ content }) => content)];
    for (const content of contents) {
      if (!content?.["application/json"]) continue;
      expect(content["application/json"].schema, route).toHaveProperty("$ref");
      if (content !== requestBody?.content) expect(Object.keys(content), route).toEqual(["application/json"]);
    }
  }
});

test("the schemas of every file of the contract are named", () => {
  const names = readFileSync(new URL("../../../server/http/named-schemas.ts", import.meta.url), "utf8");
  const contract = new URL("../../../server/contract/", import.meta.url);
  for (const file of readdirSync(contract)) {
    const text = readFileSync(new URL(file, contract), "utf8");
    if (/^export const \w+(?<!Query)Schema = z\s*\.(?:strictObject|looseObject|object)\(/m.test(text))
      expect(names, file).toContain(`"../contract/${file}"`);
  }
});

test("headers are declared: keys of repeated writes, tags of edits, and when to ask again", () => {
  const refs = (route: string) =>
    (operations.find(([name]) => name === route)?.[1].parameters ?? []).map((parameter) =>
      Reflect.get(parameter, "$ref"),
    );
  expect(refs("PATCH /v1/plans/{id}")).toEqual(
    expect.arrayContaining(["#/components/parameters/IdempotencyKey", "#/components/parameters/IfMatch"]),
  );
  expect(refs("POST /v1/events")).not.toContain("#/components/parameters/IdempotencyKey");
  for (const [route, { responses, parameters = [] }] of operations) {
    const names = parameters.map((parameter) => Reflect.get(parameter, "$ref"));
    expect(names.includes("#/components/parameters/IfMatch"), route).toBe("412" in responses);
    for (const status of ["429", "503"])
      if (responses[status] && route !== "GET /readyz")
        expect(responses[status].headers, route).toHaveProperty("Retry-After");
  }
  expect(document.paths["/v1/plans/{id}"]?.get?.responses["200"]?.headers).toHaveProperty("ETag");
});

test("a route says which right a key needs and which roles a user", () => {
  const { security, description } = document.paths["/v1/plans"]?.post ?? {};
  expect(security).toEqual([{ key: ["admin", "prices"] }, { session: [] }]);
  expect(description).toMatch(/Needs a key with `admin` and `prices`, or a user with the role/);
  expect(document.paths["/v1/me/password"]?.post?.security).toEqual([{ session: [] }]);
  expect(document.paths["/v1/session"]?.post?.security).toEqual([]);
});

test("examples are what their schemas say, and every body that makes something of the first steps has one", () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema(JSON.parse(JSON.stringify({ ...document, $id: "api" })), "api");
  const withExample = new Set<string>();
  for (const [route, { operationId = "", requestBody }] of operations)
    for (const { schema, example } of Object.values(requestBody?.content ?? {})) {
      if (example === undefined || !schema) continue;
      withExample.add(operationId);
      const ref = Reflect.get(schema, "$ref");
      const validate = ajv.compile(ref ? { $ref: `api${ref}` } : schema);
      expect([route, validate(example), validate.errors]).toEqual([route, true, null]);
    }
  for (const id of ["sendEvents", "createNode", "createKey", "createPlan", "createSubscription", "createMeter"])
    expect([...withExample]).toContain(id);
});
