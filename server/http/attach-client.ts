/** Lets every later handler ask who is at the other end (client.ts). */
import type { IncomingMessage } from "node:http";
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import type { AddressRanges } from "../address-ranges.ts";
import { type Client, identifyClient, type Peer } from "./client.ts";
import type { HttpEnv } from "./http-env.ts";

/** Mount first: everything that asks for the client needs it. */
export function attachClient(isTrustedProxy: AddressRanges) {
  return createMiddleware<HttpEnv>(async (c, next) => {
    let client: Client | undefined;
    c.set("client", () => {
      client ??= identifyClient(peerOf(c), (name) => c.req.header(name), isTrustedProxy);
      return client;
    });
    await next();
  });
}

/** In a test that calls the application directly there is no connection. */
function peerOf(c: Context): Peer {
  const { incoming } = (c.env ?? {}) as { incoming?: IncomingMessage };
  const isTls = new URL(c.req.url).protocol === "https:";
  return { address: incoming?.socket?.remoteAddress, port: incoming?.socket?.localPort, isTls };
}
