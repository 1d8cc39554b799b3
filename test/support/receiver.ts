/** A receiver of webhooks, of Slack's and of a provider of SMS: a real HTTP server, and what it was sent. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export interface Received {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  /** ms since 1970, UTC. */
  atMs: number;
}

export interface Receiver {
  /** Without a slash at its end. */
  url: string;
  received: Received[];
  /** What the next requests are answered, the last for ever; at the beginning 200. */
  answers: { status: number; headers?: Record<string, string>; body?: string }[];
  close(): Promise<void>;
}

export async function openReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const answers: Receiver["answers"] = [{ status: 200, body: "thanks" }];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      received.push({ path: request.url ?? "", headers: request.headers, body, atMs: Date.now() });
      const { status, headers, body: answer } = (answers.length > 1 ? answers.shift() : answers[0]) ?? { status: 200 };
      response.writeHead(status, headers).end(answer);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    answers,
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
