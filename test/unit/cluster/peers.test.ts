import { afterEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { createPeers } from "../../../server/cluster/peers.ts";

const secret = "the secret that the nodes of a cluster share";
const url = "http://b:8080";
const path = "/cluster/events";
const body = Buffer.from('{"token":"t"}');
const startedAtMs = 1_700_000_000_000;
const minuteMs = 60_000;

afterEach(() => vi.unstubAllGlobals());

/** What `ask` sends. */
async function signed(from: { secret?: string; nowMs?: number; to?: string; path?: string } = {}): Promise<Headers> {
  const sent = vi.fn(async (_: string, init: RequestInit) => {
    throw new Error(`not sent: ${init.method}`);
  });
  vi.stubGlobal("fetch", sent);
  const peers = createPeers(from.secret ?? secret, () => from.nowMs ?? startedAtMs + 1_000);
  await peers.ask({ url: from.to ?? url }, from.path ?? path, body, z.object({}), 1_000).catch(() => undefined);
  return new Headers(sent.mock.calls[0]?.[1].headers);
}

function receiver() {
  let nowMs = startedAtMs;
  const peers = createPeers(secret, () => nowMs, url);
  return { peers, at: (ms: number) => (nowMs = startedAtMs + ms) };
}

test("a request of a node that knows the secret is taken once, and refused when it is sent again, for as long as it is remembered or its time is good", async () => {
  const { peers, at } = receiver();
  at(1_000);
  const headers = await signed();
  expect(peers.isFromPeer(headers, path)).toBe(true);
  for (const ms of [1_000, 30_000, minuteMs, 3 * minuteMs, 60 * minuteMs]) {
    at(ms);
    expect(peers.isFromPeer(headers, path)).toBe(false);
  }
});

test("a request is refused after a restart too when it may have been taken before", async () => {
  const headers = await signed({ nowMs: startedAtMs - 1 });
  expect(receiver().peers.isFromPeer(headers, path)).toBe(false);
});

test("no part of a request can be changed: its path, body, time, number, or the node that it is meant for", async () => {
  const { peers, at } = receiver();
  at(1_000);
  const headers = await signed();
  const changed = (name: string, value: string) => {
    const copy = new Headers(headers);
    copy.set(name, value);
    return copy;
  };
  const time = headers.get("tidemark-time") ?? "";
  expect(peers.isFromPeer(headers, "/cluster/hold")).toBe(false);
  expect(peers.isSignedBody(headers, Buffer.from('{"token":"u"}'))).toBe(false);
  expect(peers.isFromPeer(changed("tidemark-body-sha256", "0".repeat(64)), path)).toBe(false);
  expect(peers.isFromPeer(changed("tidemark-time", String(Number(time) + 1)), path)).toBe(false);
  expect(peers.isFromPeer(changed("tidemark-once", "0".repeat(32)), path)).toBe(false);
  expect(peers.isFromPeer(await signed({ to: "http://c:8080" }), path)).toBe(false);
  for (const name of ["tidemark-time", "tidemark-once", "tidemark-body-sha256", "tidemark-signature"]) {
    const copy = new Headers(headers);
    copy.delete(name);
    expect(peers.isFromPeer(copy, path)).toBe(false);
    for (const value of ["", "x", "-1", "1e99", "ff", "0".repeat(64)])
      expect(peers.isFromPeer(changed(name, value), path)).toBe(false);
  }
  // Those attempts have not used it up, and the headers alone name the node, before anything of the body is read.
  expect(peers.isFromPeer(headers, path)).toBe(true);
  expect(peers.isSignedBody(headers, body)).toBe(true);
});

test("a node that does not know the secret, or whose clock is more than a minute off, is refused", async () => {
  const { peers, at } = receiver();
  at(2 * minuteMs);
  expect(peers.isFromPeer(await signed({ secret: `${secret}.`, nowMs: startedAtMs + 2 * minuteMs }), path)).toBe(false);
  expect(peers.isFromPeer(await signed({ nowMs: startedAtMs + minuteMs - 1 }), path)).toBe(false);
  expect(peers.isFromPeer(await signed({ nowMs: startedAtMs + 3 * minuteMs + 1 }), path)).toBe(false);
  expect(peers.isFromPeer(await signed({ nowMs: startedAtMs + 3 * minuteMs }), path)).toBe(true);
});
