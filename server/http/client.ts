/**
 * Who is at the other end of a request, as far as that can be known: limits, audit, cookies and /metrics all ask here.
 * Forwarding headers are trusted from the proxies that the settings name and from nobody else: anyone can write such a
 * header to get fresh attempts, or to pose as another.
 */
import type { IncomingMessage } from "node:http";
import { type AddressRanges, parseAddressRanges, plainAddress } from "../address-ranges.ts";

export interface Client {
  /** The address, with IPv4 unwrapped from IPv6; undefined where there is no connection. */
  address: string | undefined;
  /** Whether it came over TLS, or a header says so: who sends it falsely only loses their own cookie. */
  isHttps: boolean;
  /** Whether it is a program on this machine that connected by itself, as far as can be seen: by no declared proxy, and to this very port. */
  isDirectFromHere: boolean;
}

export interface Peer {
  address?: string | undefined;
  port?: number | undefined;
  isTls: boolean;
}

/** Headers that proxies, balancers and content networks add by default; programs that connect by themselves send none of them. */
const forwardingHeaders = [
  "forwarded",
  "via",
  "x-forwarded",
  "x-real-ip",
  "client-ip",
  "x-client-ip",
  "x-cluster-client-ip",
  ...["for", "host", "proto", "port", "prefix", "server", "by", "ssl", "scheme"].map((part) => `x-forwarded-${part}`),
  "x-original-forwarded-for",
  "x-original-host",
  "x-envoy-external-address",
  "x-envoy-original-path",
  "true-client-ip",
  "cf-connecting-ip",
  "cf-ray",
  "cdn-loop",
  "fastly-client-ip",
  "x-appengine-user-ip",
];
export const isLoopback = parseAddressRanges("127.0.0.0/8, ::1") as AddressRanges;

/** `peer`: the other end of the connection; `header`: several of one name joined by commas, in the order they came. */
export function identifyClient(
  peer: Peer,
  header: (name: string) => string | undefined,
  isTrustedProxy: AddressRanges,
): Client {
  const peerAddress = peer.address === undefined ? undefined : plainAddress(peer.address);
  const isProxied = peerAddress !== undefined && isTrustedProxy(peerAddress);
  const protocols = listOf(header("x-forwarded-proto")).map((one) => one.toLowerCase());
  const says = forwardingHeaders.some((name) => header(name) !== undefined);
  return {
    address: isProxied ? beforeProxies(peerAddress, header("x-forwarded-for"), isTrustedProxy) : peerAddress,
    isHttps: peer.isTls || protocols.includes("https") || /\bproto="?https\b/i.test(header("forwarded") ?? ""),
    isDirectFromHere:
      peerAddress !== undefined &&
      isLoopback(peerAddress) &&
      !isProxied &&
      !says &&
      isNamedHere(header("host"), peer.port),
  };
}

/** The address that `identifyClient` finds for a request that no route has seen. */
export function addressOf({ headers, socket }: IncomingMessage, isTrustedProxy: AddressRanges): string | undefined {
  const peer = { address: socket.remoteAddress, port: socket.localPort, isTls: false };
  return identifyClient(peer, (name) => headers[name]?.toString(), isTrustedProxy).address;
}

/**
 * Each proxy appends the address that connected to it, so the list is read from its end: the first address that is not a
 * proxy's is the client's, and whatever stands before it the client may have made up. Text that is no address ends the walk.
 */
function beforeProxies(peer: string, forwardedFor: string | undefined, isTrustedProxy: AddressRanges): string {
  let address = peer;
  for (const hop of listOf(forwardedFor).reverse()) {
    const previousHop = plainAddress(withoutPort(hop));
    if (previousHop === undefined) break;
    address = previousHop;
    if (!isTrustedProxy(address)) break;
  }
  return address;
}

/** `192.0.2.1:4711`, `[2001:db8::1]:4711`, either in quotes. */
function withoutPort(hop: string): string {
  const [, bracketed, dotted] = /^"?(?:\[([^\]]*)\](?::\d+)?|([\d.]+):\d+)"?$/.exec(hop) ?? [];
  return bracketed ?? dotted ?? hop;
}

function listOf(header: string | undefined): string[] {
  return (header ?? "")
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "");
}

/**
 * Whether the name that was asked for is this machine and the port this server's. So a page in a browser on this machine cannot
 * read it for another site by a name that points here, and nobody can who asks through the port of something that passes requests
 * on.
 */
function isNamedHere(host: string | undefined, port: number | undefined): boolean {
  const [, name = "", asked = "80"] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(host ?? "") ?? [];
  const isHere = name === "localhost" || isLoopback(name.replace(/^\[|\]$/g, ""));
  return isHere && Number(asked) === port;
}
