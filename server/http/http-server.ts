/** The HTTP server of Node with every bound set on purpose, so that whoever opens connections and says little holds nothing up. */
import { createServer, type Server } from "node:http";
import type { Socket } from "node:net";
import { type AddressRanges, networkOf, plainAddress } from "../address-ranges.ts";
import { isLoopback } from "./client.ts";

/**
 * How long a connection without a request is kept. Longer than proxies (nginx 60 s) and clients keep theirs, so that they
 * close it and never send into one that is being closed, which a client sees as a reset: with Node's 5 s a busy machine did.
 */
const keepAliveTimeout = 75_000;
/** From the connection, or the request's first byte, to the end of its headers. */
const headersTimeout = 15_000;
/** For the whole request; longer than the longest that a route gives a body (`readBody`, the ingest). */
const requestTimeout = 60_000;
const connectionsCheckingInterval = 5_000;
/** Of all headers together; cookies, proxies' headers and CloudEvents attributes are a part of it. */
const maxHeaderSize = 16 * 1024;
const maxHeadersCount = 200;
/** Each costs 10 to 50 kB; those of sockets that watch live figures count too. */
const maxConnections = 10_000;
const maxConnectionsOfAddress = 1_000;

/**
 * It does not listen yet. Connections beyond the bounds are closed at once. Proxies that are trusted and this machine, behind
 * which many callers may stand, are bound by the number of all connections alone.
 */
export function createHttpServer(isTrustedProxy: AddressRanges): Server {
  const timeouts = { keepAliveTimeout, headersTimeout, requestTimeout, connectionsCheckingInterval };
  const server = createServer({ ...timeouts, maxHeaderSize });
  server.maxHeadersCount = maxHeadersCount;
  server.maxConnections = maxConnections;
  const ofAddresses = new Map<string, number>();
  server.on("connection", (socket: Socket) => {
    const peer = plainAddress(socket.remoteAddress ?? "");
    if (peer === undefined || isLoopback(peer) || isTrustedProxy(peer)) return;
    const address = networkOf(peer);
    const count = (ofAddresses.get(address) ?? 0) + 1;
    ofAddresses.set(address, count);
    socket.once("close", () => {
      const left = (ofAddresses.get(address) ?? 1) - 1;
      if (left > 0) ofAddresses.set(address, left);
      else ofAddresses.delete(address);
    });
    if (count > maxConnectionsOfAddress) socket.destroy();
  });
  return server;
}
