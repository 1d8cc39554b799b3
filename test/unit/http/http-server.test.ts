import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { type Duplex, duplexPair } from "node:stream";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createHttpServer } from "../../../server/http/http-server.ts";
import { patienceMs } from "../../support/patience.ts";

const server = createHttpServer(() => false);
server.on("request", (_, response) => response.end("answered"));
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => server.close());

/** The whole answer to what is sent as it stands. */
async function answerTo(sent: string): Promise<string> {
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.write(sent);
  let answer = "";
  socket.on("data", (bytes) => {
    answer += bytes;
  });
  await once(socket, "end");
  socket.destroy();
  return answer;
}

test.each([
  [
    "headers beyond the bound",
    `GET / HTTP/1.1\r\nhost: x\r\nx-big: ${"x".repeat(20_000)}\r\n\r\n`,
    431,
    "headers_too_large",
  ],
  ["an address beyond the bound", `GET /?${"x".repeat(20_000)} HTTP/1.1\r\nhost: x\r\n\r\n`, 431, "headers_too_large"],
  ["what is no request", "hello\r\n\r\n", 400, "invalid_request"],
  ["a header with a NUL", "GET / HTTP/1.1\r\nhost: x\r\nx-a: \0\r\n\r\n", 400, "invalid_request"],
])("%s are refused as problem+json that says why", async (_, sent, status, code) => {
  const [head = "", body = ""] = (await answerTo(sent)).split("\r\n\r\n");
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect(head).toContain("content-type: application/problem+json");
  expect(JSON.parse(body)).toMatchObject({ status, code, request_id: expect.stringMatching(/^[\w-]{36}$/) });
});

describe("connections that say little", () => {
  const large = Buffer.alloc(64 * 1024 * 1024);
  const quick = createHttpServer(() => false, {
    keepAliveTimeout: 300,
    headersTimeout: 300,
    requestTimeout: 600,
    connectionsCheckingInterval: 50,
    silenceTimeout: 400,
  });
  quick.on("request", (request, response) => {
    request.resume().on("end", () => response.end(request.url === "/large" ? large : "answered"));
  });
  beforeAll(async () => {
    quick.listen(0, "127.0.0.1");
    await once(quick, "listening");
  });
  afterAll(() => quick.close());

  /** What came back until the other end closed; `drip` is sent again and again meanwhile. */
  async function whenClosed(sent: string, drip = ""): Promise<string> {
    const socket = connect((quick.address() as AddressInfo).port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write(sent);
    const dripping = setInterval(() => void (drip !== "" && socket.write(drip)), 20);
    let answer = "";
    socket.on("data", (bytes) => {
      answer += bytes;
    });
    await once(socket, "close");
    clearInterval(dripping);
    return answer;
  }

  test("one that never says anything is closed", async () => {
    expect(await whenClosed("")).not.toMatch(/^HTTP\/1.1 2/);
  });

  test("a head that comes a few bytes at a time is ended as too slow, however long it goes on", async () => {
    const answer = await whenClosed("GET / HTTP/1.1\r\nhost: x\r\n", "x-a: b\r\n");
    expect(answer).toMatch(/^HTTP\/1.1 408 /);
    expect(JSON.parse(answer.split("\r\n\r\n")[1] ?? "")).toMatchObject({ status: 408, code: "request_timeout" });
  });

  test.each([
    ["of a stated length", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n", "x"],
    ["in pieces", "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n", "1\r\nx\r\n"],
  ])("a body %s that comes a byte at a time is ended as too slow", async (_, head, drip) => {
    expect(await whenClosed(head, drip)).toMatch(/^HTTP\/1.1 408 /);
  });

  test("one that is kept after its answer is closed when no request follows", async () => {
    const answer = await whenClosed("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1.1 200 OK(?:.|\s)*answered/);
  });

  test("one that asks for much and reads nothing of it is cut off", async () => {
    const closed = once(quick, "connection").then(([socket]) => once(socket, "close"));
    const socket = connect((quick.address() as AddressInfo).port, "127.0.0.1").on("error", () => undefined);
    socket.pause();
    socket.write("GET /large HTTP/1.1\r\nhost: x\r\n\r\n");
    await closed;
    socket.destroy();
  });

  test("none of this keeps others from being answered", async () => {
    const { port } = quick.address() as AddressInfo;
    const slow = Array.from({ length: 200 }, () => connect(port, "127.0.0.1").on("error", () => undefined));
    for (const socket of slow) socket.write("GET / HTTP/1.1\r\nhost:");
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe("answered");
    for (const socket of slow) socket.destroy();
  });
});

describe("connections of one address", () => {
  /** A connection that seems to come from the address. */
  function connectFrom(
    remoteAddress: string,
    to = server,
  ): {
    client: Duplex;
    isClosed: () => boolean;
    end: () => void;
  } {
    const [client, accepted] = duplexPair();
    Object.defineProperty(accepted, "remoteAddress", { value: remoteAddress });
    client.on("error", () => undefined);
    accepted.on("error", () => undefined);
    to.emit("connection", accepted);
    return { client, isClosed: () => accepted.destroyed, end: () => accepted.destroy() };
  }
  const answered = async ({ client }: { client: Duplex }) => {
    client.write("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    const [bytes] = await once(client, "data");
    return String(bytes).startsWith("HTTP/1.1 200 ");
  };

  test.each([
    ["an IPv4 address", (n: number) => (n < 0 ? "203.0.113.8" : "203.0.113.9")],
    ["a network of IPv6", (n: number) => (n < 0 ? "2001:db8:2::1" : `2001:db8:1::${(n + 1).toString(16)}`)],
  ])(
    "beyond a thousand those of %s are closed, another's is answered, and as they end there is room again",
    async (_, from) => {
      const opened = Array.from({ length: 1_020 }, (_, n) => connectFrom(from(n)));
      expect(opened.filter(({ isClosed }) => isClosed())).toHaveLength(20);
      expect(await answered(connectFrom(from(-1)))).toBe(true);
      for (const { end } of opened) end();
      await vi.waitFor(async () => expect(connectFrom(from(0)).isClosed()).toBe(false), { timeout: patienceMs });
    },
  );

  test("behind a proxy that is trusted many callers are one address: none of them is closed", () => {
    const proxied = createHttpServer((address) => address === "203.0.113.9");
    const opened = Array.from({ length: 1_020 }, () => connectFrom("203.0.113.9", proxied));
    expect(opened.filter(({ isClosed }) => isClosed())).toHaveLength(0);
    for (const { end } of opened) end();
  });
});
