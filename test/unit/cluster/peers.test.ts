import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { z } from "zod";
import { createPeers } from "../../../server/cluster/peers.ts";

const secret = "a secret of the cluster that is long enough";

/** The headers that a request between nodes has. */
async function headersOf(path: string, body: string): Promise<Headers> {
  let headers = new Headers();
  const server = createServer((request, answer) => {
    headers = new Headers(request.headers as Record<string, string>);
    request.resume().on("end", () => answer.end("{}"));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await createPeers(secret).ask({ url }, path, Buffer.from(body), z.object({}), 5_000);
  server.close();
  return headers;
}

test("a node is known by its headers alone, before anything of its body is read", async () => {
  const headers = await headersOf("/cluster/hold", "{}");
  const peers = createPeers(secret);
  expect(peers.isFromPeer(headers, "/cluster/hold")).toBe(true);
  expect(peers.isSignedBody(headers, Buffer.from("{}"))).toBe(true);
  expect(createPeers(`${secret}!`).isFromPeer(headers, "/cluster/hold")).toBe(false);
});

test("neither the path nor the body nor the hash of it can be another than what was signed", async () => {
  const headers = await headersOf("/cluster/hold", "{}");
  const peers = createPeers(secret);
  expect(peers.isFromPeer(headers, "/cluster/events")).toBe(false);
  expect(peers.isSignedBody(headers, Buffer.from('{"token":"x"}'))).toBe(false);
  headers.set("tidemark-body-sha256", "0".repeat(64));
  expect(peers.isFromPeer(headers, "/cluster/hold")).toBe(false);
  headers.delete("tidemark-body-sha256");
  expect(peers.isFromPeer(headers, "/cluster/hold")).toBe(false);
});

test("a signature lasts a minute, and none is one at all without a time", async () => {
  const headers = await headersOf("/cluster/hold", "{}");
  const later = createPeers(secret, () => Date.now() + 61_000);
  expect(later.isFromPeer(headers, "/cluster/hold")).toBe(false);
  headers.delete("tidemark-time");
  expect(createPeers(secret).isFromPeer(headers, "/cluster/hold")).toBe(false);
});
