/**
 * The OpenAPI document: the descriptions of the routes, and what holds for all of them, said once. Pure, except for the names of
 * schemas, which a registry keeps.
 */
import { isDeepStrictEqual } from "node:util";
import { zodToOpenAPIRegistry } from "@asteasolutions/zod-to-openapi";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { parseJson } from "../json/parse-json.ts";
import { requestExamples } from "./api-examples.ts";
import { apiDescription, operationTags } from "./api-words.ts";
import { changesNothing } from "./app-pieces.ts";
import type { HttpEnv } from "./http-env.ts";
import { namedSchemas } from "./named-schemas.ts";
import { watermarkHeader } from "./say-watermark.ts";

export interface ApiOperation {
  operationId?: string;
  tags?: string[];
  summary?: string;
  description?: string;
  security?: Record<string, string[]>[];
  parameters?: object[];
  requestBody?: { content: Content };
  responses: Record<string, ApiResponse>;
  [changesNothing]?: boolean;
}
type Content = Record<string, { schema?: object; example?: unknown }>;
interface ApiResponse {
  description: string;
  headers?: Record<string, object>;
  content?: Content;
}
export interface ApiDocument {
  openapi: string;
  tags: { name: string; description: string }[];
  servers: { url: string }[];
  security: Record<string, string[]>[];
  paths: Record<string, Record<string, ApiOperation>>;
  components: Record<"schemas" | "parameters" | "headers" | "securitySchemes", Record<string, object>>;
}

/** OpenAPI 3.1 of every route that is mounted on `app` by now. */
export function describeApi(app: OpenAPIHono<HttpEnv>): ApiDocument {
  for (const [name, schema] of namedSchemas) zodToOpenAPIRegistry.add(schema, { _internal: { refId: name } });
  const written = app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Tidemark",
      version: "1",
      description: apiDescription,
      license: { name: "Apache-2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
    },
    servers: [{ url: "/", description: "This service" }],
    tags: operationTags.map((tag) => ({ ...tag })),
    security: [{ key: [] }, { session: [] }],
  });
  // Routes also carry values that are no JSON, such as their guards.
  const document = parseJson(JSON.stringify(written)) as ApiDocument;
  document.components = { ...document.components, parameters: sharedParameters, headers: sharedHeaders };
  for (const [path, operations] of Object.entries(document.paths)) {
    const isVersioned = Object.values(operations).some(({ responses }) => "412" in responses);
    for (const [method, operation] of Object.entries(operations)) {
      describeHeaders(operation, { method, path, isVersioned });
      delete operation[changesNothing];
      for (const response of Object.values(operation.responses)) keepJsonAlone(response);
      if (method === "get" && hasWatermark(operation.responses["200"], document.components.schemas))
        describeHeader(operation, "200", watermarkHeader, "Watermark");
      nameSchemas(operation, document.components.schemas);
      const example = requestExamples[operation.operationId ?? ""];
      const body = operation.requestBody?.content["application/json"];
      if (body && example !== undefined) body.example = example;
    }
  }
  return document;
}

const sharedParameters = {
  IdempotencyKey: {
    name: "Idempotency-Key",
    in: "header",
    description:
      "1 to 255 visible ASCII characters. Within 24 hours, the same request with the same key is carried out once and gets the same answer",
    schema: { type: "string", minLength: 1, maxLength: 255 },
  },
  IfMatch: {
    name: "If-Match",
    in: "header",
    description: "The `ETag` you read: the edit is refused (412) if something has changed since",
    schema: { type: "string" },
  },
};
const sharedHeaders = {
  ETag: { description: "Send it back as `If-Match`", schema: { type: "string" } },
  Watermark: {
    description: "In every format of the answer: every event accepted up to this instant is included",
    schema: { type: "string", format: "date-time" },
  },
  RetryAfter: { description: "Seconds to wait before trying again", schema: { type: "integer", minimum: 0 } },
  RateLimitLimit: { description: "How many events can be sent at once", schema: { type: "integer" } },
  RateLimitRemaining: { description: "How many more can be sent now", schema: { type: "integer" } },
  RateLimitReset: { description: "Seconds until the full amount can be sent again", schema: { type: "integer" } },
};

function describeHeaders(
  operation: ApiOperation,
  { method, path, isVersioned }: { method: string; path: string; isVersioned: boolean },
): void {
  const { responses } = operation;
  const parameters = operation.parameters ?? [];
  const isOfEvents = path === "/v1/events";
  const isWrite = method !== "get" && !operation[changesNothing];
  if (isWrite && !isOfEvents && operation.security?.length !== 0)
    parameters.push({ $ref: "#/components/parameters/IdempotencyKey" });
  if ("412" in responses) parameters.push({ $ref: "#/components/parameters/IfMatch" });
  if (parameters.length > 0) operation.parameters = parameters;
  const has = (status: string, header: string, component: string) =>
    describeHeader(operation, status, header, component);
  for (const status of ["429", "503"]) has(status, "Retry-After", "RetryAfter");
  if (isVersioned && (method === "get" || method === "patch")) has("200", "ETag", "ETag");
  if (!isOfEvents) return;
  for (const status of ["200", "202", "422", "429"])
    for (const name of ["Limit", "Remaining", "Reset"]) has(status, `RateLimit-${name}`, `RateLimit${name}`);
}

function describeHeader({ responses }: ApiOperation, status: string, header: string, component: string): void {
  const response = responses[status];
  if (response) response.headers = { ...response.headers, [header]: { $ref: `#/components/headers/${component}` } };
}

interface Schema {
  $ref?: string;
  properties?: object;
  anyOf?: Schema[];
}

/** Whether its JSON says at its top how far it knows what was accepted. */
function hasWatermark(response: ApiResponse | undefined, schemas: Record<string, object>): boolean {
  const says = ({ $ref, properties = {}, anyOf = [] }: Schema): boolean =>
    $ref === undefined
      ? "watermark" in properties || anyOf.some(says)
      : says((schemas[$ref.split("/").at(-1) ?? ""] ?? {}) as Schema);
  return says((response?.content?.["application/json"]?.schema ?? {}) as Schema);
}

/**
 * Tables and lines have no schema that a client could use, and beside JSON they make every generated answer "that or a string":
 * they are said in words.
 */
function keepJsonAlone(response: ApiResponse): void {
  const { content = {} } = response;
  if (!("application/json" in content)) return;
  const others = Object.keys(content).filter((type) => !/\bjson$/.test(type) || type.endsWith("ndjson"));
  if (others.length === 0) return;
  for (const type of others) delete content[type];
  response.description += `. Also as ${others.map((type) => `\`${type}\``).join(" and ")}; request with \`Accept\``;
}

/** Bodies and answers that no contract names are named after their operation; answers that are alike have one name. */
function nameSchemas(
  { operationId = "", requestBody, responses }: ApiOperation,
  schemas: Record<string, object>,
): void {
  const stem = operationId.charAt(0).toUpperCase() + operationId.slice(1);
  const hoist = (content: Content | undefined, ...names: string[]) => {
    const json = content?.["application/json"];
    const { schema } = json ?? {};
    if (!json || !schema || "$ref" in schema) return;
    const name = names.find((free) => !schemas[free] || isDeepStrictEqual(schemas[free], schema));
    if (name === undefined) return;
    schemas[name] = schema;
    json.schema = { $ref: `#/components/schemas/${name}` };
  };
  hoist(requestBody?.content, `${stem}Request`);
  for (const [status, { content }] of Object.entries(responses))
    hoist(content, `${stem}Response`, `${stem}Response${status}`);
}
