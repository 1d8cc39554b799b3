/**
 * A balancer as they are run before several processes: it asks each for /readyz, sends requests in turn to those that are
 * ready, over connections that it keeps, and never sends one a second time. Who says that it is not ready is believed at
 * once; who does not answer in time is passed over after the third time in a row.
 */
import { once } from "node:events";
import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

export interface Balancer {
  url: string;
  /** The backends that took requests until now, each with how many. */
  readonly taken: ReadonlyMap<string, number>;
  /** Requests whose connection failed, and those that no backend was ready for, with why, in words. */
  readonly failures: readonly string[];
  /** Whether the backend is sent requests now. */
  isUsed(backend: string): boolean;
  close(): Promise<void>;
}

/** More often than in production, so that a test need not wait. */
const askEveryMs = 100;
const askWithinMs = 5_000;
const maxUnanswered = 3;
/** How long a client's connection without a request is kept: longer than a test pauses. */
const keptMs = 600_000;

/** What a backend says of its own connection is not passed on: how long that is kept says nothing of the client's. */
function endToEnd({ connection: _, "keep-alive": __, ...headers }: IncomingHttpHeaders): IncomingHttpHeaders {
  return headers;
}

export async function startBalancer(backends: readonly string[]): Promise<Balancer> {
  const agent = new Agent({ keepAlive: true, maxSockets: 50 });
  const used = new Set<string>();
  /** Why a backend is not used, and since when. */
  const unused = new Map<string, { why: string; sinceMs: number }>();
  const taken = new Map<string, number>();
  const failures: string[] = [];
  let turn = 0;
  let isClosed = false;

  /** Why it is not ready; undefined: it is. Throws when it does not say. */
  async function ask(backend: string): Promise<string | undefined> {
    const answer = await fetch(`${backend}/readyz`, { signal: AbortSignal.timeout(askWithinMs) });
    const body = await answer.text();
    return answer.ok ? undefined : `${answer.status} ${body}`;
  }
  function mark(backend: string, why: string | undefined): void {
    if (why === undefined) {
      used.add(backend);
      unused.delete(backend);
    } else {
      used.delete(backend);
      unused.set(backend, { why, sinceMs: unused.get(backend)?.sinceMs ?? performance.now() });
    }
  }
  // One question after the other: answers that overtake each other would show a state that is over.
  async function watch(backend: string): Promise<void> {
    for (let unanswered = 0; !isClosed; await delay(askEveryMs)) {
      try {
        mark(backend, await ask(backend));
        unanswered = 0;
      } catch (error) {
        if (++unanswered >= maxUnanswered) mark(backend, String((error as Error).cause ?? error));
      }
    }
  }
  for (const backend of backends) mark(backend, await ask(backend));
  const watching = backends.map(watch);

  function forward(incoming: IncomingMessage, answer: ServerResponse): void {
    const ready = backends.filter((backend) => used.has(backend));
    const backend = ready[turn++ % Math.max(1, ready.length)];
    if (backend === undefined) {
      const reasons = [...unused].map(
        ([one, { why, sinceMs }]) => `${one} for ${Math.round(performance.now() - sinceMs)} ms: ${why}`,
      );
      failures.push(`no backend is ready: ${reasons.join("; ")}`);
      answer.writeHead(502).end("no backend is ready");
      return;
    }
    taken.set(backend, (taken.get(backend) ?? 0) + 1);
    const { method, headers, url = "/" } = incoming;
    const passed = endToEnd(headers);
    const outgoing = request(new URL(url, backend), { method, headers: passed, agent }, (received) => {
      answer.writeHead(received.statusCode ?? 502, endToEnd(received.headers));
      received.pipe(answer);
    });
    outgoing.on("error", (error) => {
      failures.push(`${method} ${url} to ${backend}: ${error.message}`);
      if (!answer.headersSent) answer.writeHead(502);
      answer.end();
    });
    incoming.pipe(outgoing);
  }

  // A connection must not end in the moment in which it is used again.
  const server = createServer({ keepAliveTimeout: keptMs }, forward).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    taken,
    failures,
    isUsed: (backend) => used.has(backend),
    async close() {
      isClosed = true;
      await Promise.all(watching);
      agent.destroy();
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
