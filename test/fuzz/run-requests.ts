/** Sends requests in lanes, beside a bystander who asks for nothing much, and keeps the books of what was answered. */
import { Agent, request as httpRequest } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { patienceMs } from "../support/patience.ts";
import type { FuzzRequest, KnownTexts } from "./fuzz-requests.ts";

export interface FuzzAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

export interface FuzzBooks {
  sent: number;
  /** How often each status was answered. */
  statuses: Map<number, number>;
  /** Answers of 500 and above and broken connections, one for each route and kind, with the request that led there. */
  wrong: Map<string, string>;
  slowest: { ms: number; request: string };
  /** Routes that answered something other than 401, 403 and 404 at least once. */
  reached: Set<string>;
}

export interface Bystander {
  /** The longest that a trivial request of somebody else waited, ms. */
  longestMs(): number;
  /** Resolves when so many were answered. */
  answered(count: number): Promise<void>;
  stop(): Promise<void>;
}

/** Sends one request as it is, with no client's checks in between. Rejects when the connection breaks. */
export function sendRaw(url: string, agent: Agent, { method, path, headers, body }: FuzzRequest): Promise<FuzzAnswer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const sending = httpRequest({
      agent,
      hostname,
      port,
      method,
      path,
      headers: { ...headers, ...(body && { "content-length": String(body.length) }) },
    });
    sending.setTimeout(patienceMs, () => sending.destroy(new Error(`no answer within ${patienceMs} ms`)));
    sending.on("error", reject).on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", reject);
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(chunks).toString("utf8"),
        }),
      );
    });
    sending.end(body);
  });
}

/** `make` gives the request of each turn, with credentials; what answers name goes into `known`. */
export async function runRequests(
  url: string,
  make: (turn: number) => FuzzRequest,
  { count, lanes, known }: { count: number; lanes: number; known: KnownTexts },
): Promise<FuzzBooks> {
  const books: FuzzBooks = {
    sent: 0,
    statuses: new Map(),
    wrong: new Map(),
    slowest: { ms: 0, request: "" },
    reached: new Set(),
  };
  const agent = new Agent({ keepAlive: true, maxSockets: lanes });
  async function lane(): Promise<void> {
    while (books.sent < count) {
      const request = make(books.sent++);
      const sentAtMs = performance.now();
      const answer = await sendRaw(url, agent, request).catch((error: NodeJS.ErrnoException) => error);
      const ms = performance.now() - sentAtMs;
      if (ms > books.slowest.ms) books.slowest = { ms, request: inShort(request) };
      if (answer instanceof Error) {
        // A server that refuses a body before its end answers and closes: the sender may see only the closing.
        if (answer.code !== "EPIPE" && answer.code !== "ECONNRESET") note(books, request, answer.message, "");
        continue;
      }
      books.statuses.set(answer.status, (books.statuses.get(answer.status) ?? 0) + 1);
      if (![401, 403, 404].includes(answer.status)) books.reached.add(request.route);
      if (answer.status >= 500) note(books, request, String(answer.status), answer.text);
      learn(known, answer);
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane));
  agent.destroy();
  return books;
}

function note({ wrong }: FuzzBooks, request: FuzzRequest, what: string, answer: string): void {
  const kind = `${what} ${request.route}`;
  if (!wrong.has(kind)) wrong.set(kind, `${inShort(request)} → ${answer.slice(0, 300)}`);
}

function inShort({ method, path, headers, body }: FuzzRequest): string {
  const { authorization: _, cookie: __, ...shown } = headers;
  const start = body?.toString("utf8").slice(0, 600) ?? "";
  return `${method} ${path.slice(0, 500)} ${JSON.stringify(shown).slice(0, 300)} ${start}`;
}

function learn(known: KnownTexts, { status, headers, text }: FuzzAnswer): void {
  if (status >= 300 || text.length > 200_000) return;
  if (typeof headers.etag === "string") known.add("etag", headers.etag);
  for (const [, name, value] of text.matchAll(
    /"(id|node|organization|plan|next_cursor|name|token)":"([^"\\]{1,200})"/g,
  ))
    if (name && value) known.add(name === "next_cursor" ? "cursor" : name, value);
}

/** Asks every 20 ms from now on. */
export function standBy(url: string, headers: Record<string, string>): Bystander {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  let isOver = false;
  let longestMs = 0;
  let answers = 0;
  const asking = (async () => {
    while (!isOver) {
      const askedAtMs = performance.now();
      await sendRaw(url, agent, { route: "", method: "GET", path: "/v1/me", headers }).catch(() => undefined);
      longestMs = Math.max(longestMs, performance.now() - askedAtMs);
      answers++;
      await delay(20);
    }
  })();
  return {
    longestMs: () => longestMs,
    async answered(count) {
      while (answers < count) await delay(20);
    },
    async stop() {
      isOver = true;
      await asking;
      agent.destroy();
    },
  };
}
