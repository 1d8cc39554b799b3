/** Bodies off a real socket. */
import { createServer, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { afterEach, expect, test } from "vitest";
import { type ReceiveOptions, receiveBody } from "../../../../server/ingest/accept/receive-body.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A server that answers with what `receiveBody` made of the request, and remembers it. */
async function serve(options: Partial<ReceiveOptions> = {}) {
  const outcomes: (number | string)[] = [];
  const server = createServer((incoming, response: ServerResponse) => {
    receiveBody(incoming, { maxBytes: 1_000_000, timeoutMs: 10_000, onBytes: () => undefined, ...options }).then(
      (bytes) => {
        outcomes.push(bytes.length);
        response.end(String(bytes.length));
      },
      (error: Error & { code?: string }) => {
        outcomes.push(error.code ?? error.message);
        response.writeHead(400, { connection: "close" }).end(error.code ?? error.message);
      },
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, outcomes };
}

function send(port: number, chunks: Buffer[], end = true) {
  const outgoing = request({ port, method: "POST", headers: { "transfer-encoding": "chunked" } });
  const answer = new Promise<string>((resolve, reject) => {
    outgoing.on("error", reject);
    outgoing.on("response", (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on("end", () => resolve(text));
    });
  });
  for (const chunk of chunks) outgoing.write(chunk);
  if (end) outgoing.end();
  return { outgoing, answer };
}

test("a body arrives whole, in one chunk or many, and an empty one as nothing", async () => {
  const { port } = await serve();
  expect(await send(port, []).answer).toBe("0");
  expect(await send(port, [Buffer.alloc(10)]).answer).toBe("10");
  expect(
    await send(
      port,
      Array.from({ length: 50 }, () => Buffer.alloc(20_000)),
    ).answer,
  ).toBe("1000000");
});

test("a sender of too much gets its answer, though its body is not read to the end", async () => {
  const { port, outcomes } = await serve();
  expect(await send(port, [Buffer.alloc(1_000_001)]).answer).toBe("body_too_large");
  expect(outcomes).toEqual(["body_too_large"]);
});

test("a sender that stalls gets its answer when its time is over", async () => {
  const { port } = await serve({ timeoutMs: 20 });
  const { outgoing, answer } = send(port, [Buffer.alloc(10)], false);
  expect(await answer).toBe("unreadable_body");
  outgoing.destroy();
});

test("a body that is cut off is no body", async () => {
  const { port, outcomes } = await serve({ onBytes: () => outgoing.destroy() });
  const { outgoing, answer } = send(port, [Buffer.alloc(10)], false);
  await expect(answer).rejects.toThrow();
  await expect.poll(() => outcomes).toEqual(["unreadable_body"]);
});

test("a refusal while bytes arrive is the answer", async () => {
  const { port } = await serve({
    onBytes: () => {
      throw new Error("no room");
    },
  });
  expect(await send(port, [Buffer.alloc(10)]).answer).toBe("no room");
});

test("a body that comes a byte at a time is held in no more than it has, and arrives as it was sent", async () => {
  const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, at) => at % 251));
  function* pieces() {
    // Each byte is a view of a buffer of its own, as a socket's pieces are.
    for (let at = 0; at < bytes.length; at++) yield Buffer.alloc(8 * 1024, bytes[at]).subarray(0, 1);
  }
  const before = process.memoryUsage().arrayBuffers;
  const options = { maxBytes: bytes.length, timeoutMs: 60_000, onBytes: () => undefined };
  const received = await receiveBody(Readable.from(pieces(), { objectMode: true }), options);
  expect(received.equals(bytes)).toBe(true);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(200 * 1024 * 1024);
});
