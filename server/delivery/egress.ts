/**
 * Guarded egress: the only way for requests to addresses that users name. It reaches public addresses and what the operator
 * allows, however a URL is spelled and whatever its name resolves to: the address that was checked is the address that is
 * connected to, and no redirect is followed.
 */
import { lookup, Resolver } from "node:dns/promises";
import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import { Agent, buildConnector, request } from "undici";
import type { OutgoingAllow } from "./outgoing-allow.ts";

/** The target is refused: asking again changes nothing until somebody changes the target or what is allowed. */
export class RefusedTargetError extends Error {
  override name = "RefusedTargetError";
}

export interface OutgoingRequest {
  url: string;
  headers: Record<string, string>;
  body: string;
  /** The URL is the operator's own setting, and may be anywhere. */
  isConfigured?: boolean;
}

export interface OutgoingAnswer {
  status: number;
  /** The beginning of the body. */
  text: string;
}

export interface Egress {
  /**
   * POSTs and gives the answer, whatever its status; the head of the answer must come within 10 s. Throws
   * RefusedTargetError, or the error of the connection.
   */
  post(request: OutgoingRequest): Promise<OutgoingAnswer>;
  /** Why the URL is refused by its text; undefined where only the addresses of its name can decide. */
  urlRefusal(url: string): string | undefined;
}

/** All addresses of a name; `here`: as this machine knows it. */
export type Resolve = (name: string, from: "name servers" | "here") => Promise<string[]>;

const patienceMs = 10_000;
const maxAnswerBytes = 64 * 1024;
const shownCharacters = 500;
const ports: ReadonlySet<number> = new Set([80, 443, 8080, 8443]);
/** Names that no public host has. */
const privateName = /^(?:[^.]*|(?:.*\.)?(?:localhost|local|localdomain|internal|home\.arpa))$/;

export function createEgress({ allow, resolve = resolveName }: { allow: OutgoingAllow; resolve?: Resolve }): Egress {
  const isOpen = (address: string) => allow.address(address) || isPublic(address);

  function urlRefusal(text: string): string | undefined {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (!url || /[\s\\\p{Cc}]/u.test(text)) return "must be a URL";
    if (url.protocol !== "https:" && url.protocol !== "http:") return "must start with https:// or http://";
    if (url.username !== "" || url.password !== "") return "must not contain a user name or a password";
    const name = plainName(url.hostname);
    const port = portOf(url);
    const isName = isIP(name) === 0;
    if (allow.host(name, port) || (isName ? allow.hasAddresses : allow.address(name))) return undefined;
    if (isName ? privateName.test(name) : !isPublic(name)) return "must have a public address";
    return ports.has(port) ? undefined : oddPort;
  }

  /**
   * Where a connection may go. All that the name resolves to must be public; of one with an address that the operator allows, the
   * others are passed over.
   */
  async function checkedAddresses(name: string, port: number): Promise<string[]> {
    const isTrusted = allow.host(name, port);
    const addresses =
      isIP(name) === 0 ? await resolve(name, isTrusted || allow.hasAddresses ? "here" : "name servers") : [name];
    if (addresses.length === 0) throw new Error(`${name} has no address`);
    if (isTrusted) return addresses;
    const open = addresses.some(allow.address) ? addresses.filter(isOpen) : addresses;
    if (!open.every(isOpen)) throw new RefusedTargetError(`${name} does not have a public address`);
    const reachable = ports.has(port) ? open : open.filter(allow.address);
    if (reachable.length === 0) throw new RefusedTargetError(`the URL ${oddPort}`);
    return reachable;
  }

  return {
    urlRefusal,
    async post({ url, headers, body, isConfigured = false }) {
      const refusal = isConfigured ? undefined : urlRefusal(url);
      if (refusal !== undefined) throw new RefusedTargetError(`the URL ${refusal}`);
      const connect = connectTo(isConfigured ? anyAddresses : checkedAddresses);
      // A new agent each time: the addresses of a name are checked anew for every request.
      const agent = new Agent({ connect, pipelining: 0, headersTimeout: patienceMs, bodyTimeout: patienceMs });
      const signal = AbortSignal.timeout(patienceMs);
      try {
        const answer = await request(url, { method: "POST", headers, body, dispatcher: agent, signal });
        const { statusCode: status } = answer;
        const isRedirect = status >= 300 && status < 400;
        return { status, text: isRedirect ? "redirects are not followed" : await beginningOf(answer.body) };
      } finally {
        agent.destroy().catch(() => undefined);
      }
    },
  };
}

const oddPort = `must use port ${[...ports].join(", ")}`;

/** Whether it is an address that the whole internet can reach; false for anything that is not an address. */
export function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const plain = ipaddr.process(address);
  if (plain.range() !== "unicast") return false;
  // Beyond the global block nothing is assigned; ::127.0.0.1 and its like stand there.
  return plain.kind() === "ipv4" || plain.match(ipaddr.parseCIDR("2000::/3"));
}

/** As `URL` has it, an address in its one spelling: without brackets, without the dot at its end. */
function plainName(hostname: string): string {
  return hostname
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/\.$/, "")
    .toLowerCase();
}

const portOf = ({ port, protocol }: { port: string; protocol: string }) =>
  Number(port) || (protocol === "https:" ? 443 : 80);

function connectTo(addressesOf: (name: string, port: number) => Promise<string[]>): buildConnector.connector {
  const connect = buildConnector({ timeout: patienceMs });
  return (options, callback) => {
    const name = plainName(options.hostname);
    const tryNext = ([hostname = "", ...others]: string[]): void =>
      connect({ ...options, hostname, servername: isIP(name) === 0 ? name : "" }, (...outcome) => {
        if (outcome[0] && others.length > 0) tryNext(others);
        else callback(...outcome);
      });
    addressesOf(name, portOf(options)).then(tryNext, (error: Error) => callback(error, null));
  };
}

/** The status is known by now: a body that is cut off, too long or too slow takes nothing from it. */
async function beginningOf(body: AsyncIterable<Buffer> & { destroy(): unknown }): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const piece of body) {
      pieces.push(piece);
      bytes += piece.length;
      if (bytes >= maxAnswerBytes) break;
    }
  } catch {
    // As much as arrived.
  }
  body.destroy();
  return Buffer.concat(pieces).toString("utf8").slice(0, shownCharacters);
}

/** Name servers are asked without the threads of the system's resolver: the log needs those for its syncs. */
async function resolveName(name: string, from: "name servers" | "here"): Promise<string[]> {
  if (from === "here") return (await lookup(name, { all: true })).map(({ address }) => address);
  const resolver = new Resolver({ timeout: 2_000, tries: 2 });
  const [v4, v6] = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  const addresses = [...(v4.status === "fulfilled" ? v4.value : []), ...(v6.status === "fulfilled" ? v6.value : [])];
  if (addresses.length === 0 && v4.status === "rejected") throw v4.reason;
  return addresses;
}

const anyAddresses = async (name: string) => (isIP(name) === 0 ? await resolveName(name, "here") : [name]);
