/** The HTTP server of Node with every bound set on purpose, so that whoever opens connections and says little holds nothing up. */
import { randomUUID } from "node:crypto";
import { createServer, type Server, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { type AddressRanges, networkOf, plainAddress } from "../address-ranges.ts";
import { type Problem, type ProblemCode, problemStatus } from "../contract/problem.ts";
import { isLoopback } from "./client.ts";
import { titles } from "./handle-error.ts";

const serverTimeouts = {
  /**
   * How long a connection without a request is kept. Longer than proxies (nginx 60 s) and clients keep theirs, so that they
   * close it and never send into one that is being closed, which a client sees as a reset: with Node's 5 s a busy machine did.
   */
  keepAliveTimeout: 75_000,
  /** From the connection, or the request's first byte, to the end of its headers. */
  headersTimeout: 15_000,
  /** For the whole request; longer than the longest that a route gives a body (`readBody`, the ingest). */
  requestTimeout: 60_000,
  connectionsCheckingInterval: 5_000,
  /** Without a byte either way, during a request too. Longer than any answer takes; who asks and does not read is cut off. */
  silenceTimeout: 120_000,
} as const;
/** In ms. */
export type ServerTimeouts = { [Name in keyof typeof serverTimeouts]: number };
/** For all headers together, with cookies, proxies' headers and CloudEvents attributes. */
const maxHeaderSize = 16 * 1024;
const maxHeadersCount = 200;
/** Each costs 10 to 50 kB; those of sockets that watch live figures count too. */
const maxConnections = 10_000;
const maxConnectionsOfAddress = 1_000;

/**
 * It does not listen yet. Connections beyond the bounds are closed at once. Proxies that are trusted and this machine, behind
 * which many callers may stand, are bound by the number of all connections alone.
 */
export function createHttpServer(isTrustedProxy: AddressRanges, timeouts: ServerTimeouts = serverTimeouts): Server {
  const { silenceTimeout, ...ofRequests } = timeouts;
  const server = createServer({ ...ofRequests, maxHeaderSize });
  server.timeout = silenceTimeout;
  server.maxHeadersCount = maxHeadersCount;
  server.maxConnections = maxConnections;
  server.on("clientError", refuseUnread);
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

/** Requests that Node.js could not parse never reach a route; they get a problem+json like any error. */
function refuseUnread(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable || socket.bytesWritten > 0) {
    socket.destroy();
    return;
  }
  const [code, detail] = unread[error.code ?? ""] ?? (["invalid_request", "this is not an HTTP/1.1 request"] as const);
  const status = problemStatus[code];
  const problem: Problem = { type: "about:blank", title: titles[code], status, code, detail, request_id: randomUUID() };
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "connection: close",
    "content-type: application/problem+json",
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${problem.request_id}`,
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}

/** By Node.js' code of the fault. */
const unread: Record<string, readonly [ProblemCode, string]> = {
  HPE_HEADER_OVERFLOW: [
    "headers_too_large",
    `the address and all headers together can have at most ${maxHeaderSize} bytes`,
  ],
  ERR_HTTP_REQUEST_TIMEOUT: ["request_timeout", "the request did not arrive in time"],
};
