/** Requests to every operation of an OpenAPI document: of the right form with hostile values in it, or of no form at all. */
import { gzipSync } from "node:zlib";
import { pick, type Random } from "../../server/programs/random.ts";
import { damaged, hostileText, randomJson } from "./hostile-values.ts";

/** The parts of JSON Schema that descriptions of the API use. */
interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  minItems?: number;
  minimum?: number;
  maximum?: number;
  format?: string;
  default?: unknown;
}

interface Operation {
  parameters?: { name: string; in: string; required?: boolean; schema?: Schema }[];
  requestBody?: { content: Record<string, { schema?: Schema }> };
}

export interface ApiDescription {
  paths: Record<string, Record<string, Operation>>;
  components?: { schemas?: Record<string, Schema> };
}

export interface FuzzRequest {
  /** `METHOD /path/{id}`, as the description has it. */
  route: string;
  method: string;
  /** With its query; percent-encoded. */
  path: string;
  headers: Record<string, string>;
  body?: Buffer;
}

/** Texts that mean something to the service, by what they are; answers add to them. */
export class KnownTexts {
  readonly #texts = new Map<string, string[]>();

  /** Never used, whoever names them. */
  readonly #spared: ReadonlySet<string>;

  constructor(texts: Readonly<Record<string, readonly string[]>>, spared: ReadonlySet<string>) {
    this.#spared = spared;
    for (const [name, values] of Object.entries(texts)) this.#texts.set(name, [...values]);
  }

  add(name: string, text: string): void {
    if (this.#spared.has(text)) return;
    const known = this.#texts.get(name) ?? [];
    // The oldest go: what was made long ago is often deleted.
    if (known.length >= 200) known.shift();
    known.push(text);
    this.#texts.set(name, known);
  }

  pick(name: string, random: Random): string | undefined {
    const known = this.#texts.get(name);
    return known === undefined ? undefined : pick(known, random);
  }
}

const writes = ["post", "put", "patch", "delete"];
const instants = [
  "2026-01-01T00:00:00Z",
  "2026-03-29",
  "2025-11-02T05:00:00.5Z",
  "2024-02-29T23:59:59.999+02:00",
  "2000-01-01T00:00:00Z",
  // The first and last days that may be asked for, and what lies beyond them.
  "1900-01-01",
  "1900-01-01T00:00:00Z",
  "1970-01-01",
  "2199-12-31",
  "2199-12-31T23:59:59.999Z",
  "2200-01-01",
  "9999-12-31",
  "9999-12-31T23:59:59.999Z",
];
const comparedRanges = [
  "1900-01-01/1900-01-02",
  "1900-01-01T00:00:00Z/2199-12-31",
  "2199-12-31/2199-12-31T23:59:59.999Z",
  "9999-12-31/9999-12-31T23:59:59Z",
  "9999-12-31T00:00:00Z/2026-01-01",
];

interface DescribedOperation {
  route: string;
  method: string;
  path: string;
  operation: Operation;
}

export class RequestMaker {
  readonly #operations: DescribedOperation[] = [];

  readonly #api: ApiDescription;
  readonly #known: KnownTexts;
  readonly #random: Random;

  /** `routes`: `METHOD /path` of every route, also of those that the description leaves out. */
  constructor(api: ApiDescription, known: KnownTexts, random: Random, routes: readonly string[]) {
    this.#api = api;
    this.#known = known;
    this.#random = random;
    for (const [path, methods] of Object.entries(api.paths))
      for (const [method, operation] of Object.entries(methods))
        this.#operations.push({ route: `${method.toUpperCase()} ${path}`, method, path, operation });
    const described = new Set(this.routes);
    for (const route of routes) {
      const [method = "", path = ""] = route.split(" ");
      if (!described.has(route)) this.#operations.push({ route, method: method.toLowerCase(), path, operation: {} });
    }
  }

  get routes(): string[] {
    return this.#operations.map(({ route }) => route);
  }

  /** One with a body, to each operation that writes in turn. */
  write(turn: number): FuzzRequest {
    const writing = this.#operations.filter(({ method }) => writes.includes(method));
    return this.#make(writing[turn % writing.length] as (typeof writing)[number], true);
  }

  /** One without a body, to each operation that reads in turn. */
  question(turn: number): FuzzRequest {
    const reading = this.#operations.filter(({ method }) => method === "get");
    return this.#make(reading[turn % reading.length] as (typeof reading)[number], false);
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }

  #make({ route, method, path, operation }: DescribedOperation, hasBody: boolean): FuzzRequest {
    const headers: Record<string, string> = {};
    const query: string[] = [];
    let target = path.replace(/\{(\w+)\}/g, (_, name: string) => this.#pathText(name));
    for (const { name, in: place, required, schema } of operation.parameters ?? []) {
      if (place === "header" && this.#chance(0.5)) headers[name] = headerText(this.#textOf(name, schema));
      if (place !== "query" || !this.#chance(required ? 0.95 : 0.4)) continue;
      query.push(`${encodeText(name)}=${encodeText(this.#textOf(name, schema))}`);
      if (this.#chance(0.03)) query.push(`${encodeText(name)}=${encodeText(hostileText(this.#random))}`);
    }
    if (this.#chance(0.05))
      query.push(`${encodeText(hostileText(this.#random))}=${encodeText(hostileText(this.#random))}`);
    if (this.#chance(0.05))
      query.push(`filter[${encodeText(hostileText(this.#random))}]=${encodeText(hostileText(this.#random))}`);
    if (this.#chance(0.02)) query.push("%=%zz&=&&[]=[[]");
    if (query.length > 0) target += `?${query.join("&").slice(0, 12_000)}`;
    if (this.#chance(0.1))
      headers["if-match"] = headerText(this.#known.pick("etag", this.#random) ?? hostileText(this.#random));
    if (this.#chance(0.1)) headers["idempotency-key"] = headerText(hostileText(this.#random));
    if (this.#chance(0.1))
      headers.accept = pick(["text/csv", "application/x-ndjson", "*/*;q=", "text/html", ","], this.#random);
    const request: FuzzRequest = { route, method: method.toUpperCase(), path: target, headers };
    if (hasBody) this.#addBody(request, operation);
    return request;
  }

  #addBody(request: FuzzRequest, { requestBody }: Operation): void {
    const forms = Object.entries(requestBody?.content ?? { "application/json": {} });
    const [type, { schema }] = pick(forms, this.#random);
    const random = this.#random;
    request.headers["content-type"] = this.#chance(0.02)
      ? pick(
          [
            "text/plain",
            "application/json; charset=utf-16",
            "multipart/form-data",
            "application/cloudevents+json",
            ";",
          ],
          random,
        )
      : type;
    const kind = random();
    const text = kind < 0.2 ? randomJson(random) : this.#jsonOf("", schema ?? {}, 0);
    request.body = kind > 0.88 ? damaged(text, random) : Buffer.from(text);
    if (this.#chance(0.03)) {
      request.headers["content-encoding"] = pick(["gzip", "br", "deflate", "identity", "x"], random);
      if (this.#chance(0.7)) request.body = gzipSync(request.body);
    }
  }

  #pathText(name: string): string {
    const text = this.#chance(0.6)
      ? (this.#known.pick(name, this.#random) ?? this.#known.pick("id", this.#random))
      : undefined;
    return encodeText(text ?? hostileText(this.#random)) || "%20";
  }

  #textOf(name: string, schema: Schema | undefined): string {
    const json = this.#jsonOf(name, schema ?? {}, 0);
    return json.startsWith('"') ? (JSON.parse(json) as string) : json;
  }

  /** JSON as text, mostly as the schema has it. */
  #jsonOf(name: string, schema: Schema, depth: number): string {
    const random = this.#random;
    if (this.#chance(0.05)) return depth === 0 && name === "" ? randomJson(random) : randomJson(random, 3);
    if (schema.$ref)
      return this.#jsonOf(name, this.#api.components?.schemas?.[schema.$ref.split("/").at(-1) ?? ""] ?? {}, depth);
    const choices = schema.anyOf ?? schema.oneOf;
    if (choices) return this.#jsonOf(name, pick(choices, random), depth);
    if (schema.allOf) return this.#objectOf(Object.assign({}, ...schema.allOf.map((one) => one)) as Schema, depth);
    if (schema.const !== undefined) return JSON.stringify(schema.const);
    if (schema.enum) return JSON.stringify(pick(schema.enum, random));
    const type = Array.isArray(schema.type) ? pick(schema.type, random) : schema.type;
    switch (type) {
      case "object":
        return depth > 8 ? "{}" : this.#objectOf(schema, depth);
      case "array": {
        const length = (schema.minItems ?? 0) + Math.floor(random() * 3) + (this.#chance(0.01) ? 300 : 0);
        return `[${Array.from({ length }, () => this.#jsonOf(name, schema.items ?? {}, depth + 1)).join(",")}]`;
      }
      case "integer":
      case "number": {
        const { minimum = 0, maximum = 1_000 } = schema;
        return String(
          pick(
            [minimum, maximum, minimum - 1, maximum + 1, Math.floor(minimum + random() * (maximum - minimum))],
            random,
          ),
        );
      }
      case "boolean":
        return pick(["true", "false"], random);
      case "null":
        return "null";
      default:
        return JSON.stringify(this.#meaningful(name, schema));
    }
  }

  #objectOf({ properties = {}, required = [], additionalProperties }: Schema, depth: number): string {
    const members: string[] = [];
    for (const [name, schema] of Object.entries(properties))
      if (this.#chance(required.includes(name) ? 0.97 : 0.4))
        members.push(`${JSON.stringify(name)}:${this.#jsonOf(name, schema, depth + 1)}`);
    if (typeof additionalProperties === "object" || this.#chance(0.03))
      for (let count = Math.floor(this.#random() * 3); count > 0; count--)
        members.push(
          `${JSON.stringify(this.#meaningful("key", {}))}:${typeof additionalProperties === "object" ? this.#jsonOf("", additionalProperties, depth + 1) : randomJson(this.#random, 3)}`,
        );
    return `{${members.join(",")}}`;
  }

  #meaningful(name: string, { format, default: usual }: Schema): string {
    const random = this.#random;
    if (this.#chance(0.3)) return hostileText(random);
    if (typeof usual === "string" && this.#chance(0.3)) return usual;
    const known = this.#known.pick(name, random);
    if (known !== undefined) return known;
    if (format === "email") return `somebody-${Math.floor(random() * 50)}@example.com`;
    if (format === "date-time" || /^(?:from|to|at|time|since|until)$|_(?:at|from|to|until)$/.test(name))
      return pick(instants, random);
    if (name === "compare") return pick(comparedRanges, random);
    return this.#known.pick("id", random) ?? `text-${Math.floor(random() * 50)}`;
  }
}

/** Percent-encoded as UTF-8; what has no UTF-8 stands as the bytes that careless senders make of it. */
function encodeText(text: string): string {
  return text.isWellFormed() ? encodeURIComponent(text) : "%ED%A0%80";
}

function headerText(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?");
}
