import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createHttpServer } from "../../../server/http/http-server.ts";

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
