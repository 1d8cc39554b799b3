/**
 * A balancer as they are run before several processes: it asks each for /readyz, sends requests in turn to those that are
 * ready, over connections that it keeps, and never sends one a second time.
 */
import { once } from "node:events";
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Balancer {
  url: string;
  /** The backends that took requests until now, each with how many. */
  readonly taken: ReadonlyMap<string, number>;
  /** Requests whose connection failed, in words. */
  readonly failures: readonly string[];
  /** Whether the backend is sent requests now. */
  isUsed(backend: string): boolean;
  close(): Promise<void>;
}

/** More often than in production, so that a test need not wait. */
const askEveryMs = 100;
const askWithinMs = 5_000;

export async function startBalancer(backends: readonly string[]): Promise<Balancer> {
  const agent = new Agent({ keepAlive: true, maxSockets: 50 });
  const used = new Set<string>();
  const taken = new Map<string, number>();
  const failures: string[] = [];
  let turn = 0;

  async function look(backend: string): Promise<void> {
    const answer = await fetch(`${backend}/readyz`, { signal: AbortSignal.timeout(askWithinMs) }).catch(
      () => undefined,
    );
    await answer?.arrayBuffer().catch(() => undefined);
    if (answer?.ok) used.add(backend);
    else used.delete(backend);
  }
  const lookAtAll = () => Promise.all(backends.map(look));
  await lookAtAll();
  const timer = setInterval(() => void lookAtAll(), askEveryMs);

  function forward(incoming: IncomingMessage, answer: ServerResponse): void {
    const ready = backends.filter((backend) => used.has(backend));
    const backend = ready[turn++ % Math.max(1, ready.length)];
    if (backend === undefined) {
      answer.writeHead(502).end("no backend is ready");
      return;
    }
    taken.set(backend, (taken.get(backend) ?? 0) + 1);
    const { method, headers, url = "/" } = incoming;
    const { connection: _, ...passed } = headers;
    const outgoing = request(new URL(url, backend), { method, headers: passed, agent }, (received) => {
      const { connection: _, ...kept } = received.headers;
      answer.writeHead(received.statusCode ?? 502, kept);
      received.pipe(answer);
    });
    outgoing.on("error", (error) => {
      failures.push(`${method} ${url} to ${backend}: ${error.message}`);
      if (!answer.headersSent) answer.writeHead(502);
      answer.end();
    });
    incoming.pipe(outgoing);
  }

  const server = createServer(forward).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    taken,
    failures,
    isUsed: (backend) => used.has(backend),
    async close() {
      clearInterval(timer);
      agent.destroy();
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
