/**
 * Who gets a socket. A connection has said nothing of itself when it is opened: there are only so many of those, by network and in all, each
 * for a few seconds, and each may say once who it is. What is admitted counts for its caller and tenant until the connection has ended.
 */
import type { IncomingMessage } from "node:http";
import { networkOf } from "../address-ranges.ts";
import { liveLimits } from "../contract/live.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { type BucketRate, TokenBuckets } from "../fairness/token-buckets.ts";
import type { Actor } from "../identity/actor.ts";
import { OpenCounts } from "./open-counts.ts";
import { credentialsOf, isFromHere, type LiveCredentials, type Refusal, refusal } from "./socket-credentials.ts";
import type { LiveServer, LiveSocket } from "./watches.ts";

export interface AdmissionDeps {
  /** Undefined for credentials that are not (or no longer) valid. Rejects when that cannot be known now. */
  authenticate: (credentials: LiveCredentials) => Promise<Actor | undefined>;
  /** The node that is meant (null: the actor's own); undefined when the actor may not read it. */
  mayWatch: (actor: Actor, node: NodeAddress | null) => NodeAddress | undefined;
  /** Whose sockets share what one tenant may have: those below the same node right below the root. */
  tenantOf: (node: NodeAddress) => string;
  /** Where a request comes from; undefined where that cannot be known. */
  addressOf: (request: IncomingMessage) => string | undefined;
  now?: (() => number) | undefined;
}

/**
 * Credentials that nobody has, each looked up in the store, from one network. What comes at once is looked up before any is counted: as many
 * as may be opening.
 */
const strangerRate: BucketRate = { burst: 300, perSecond: 10 };

/**
 * Connections that have not been admitted: each holds the headers of its request. One by polling outlives the TCP connection that it was
 * opened on, so each counts until the server itself has closed it.
 */
export class OpeningConnections {
  readonly #counts = new OpenCounts();
  readonly #ends = new WeakMap<IncomingMessage, () => void>();
  readonly #networkOf: (request: IncomingMessage) => string;

  constructor(addressOf: AdmissionDeps["addressOf"]) {
    this.#networkOf = (request) => networkOf(addressOf(request) ?? "");
  }

  /** Whether the request may become a connection, which is then counted until `end`. */
  begin(request: IncomingMessage): boolean {
    if (!isFromHere(request)) return false;
    const { maxOpening, maxOpeningOfNetwork } = liveLimits;
    const end = this.#counts.take([
      ["", maxOpening],
      [this.#networkOf(request), maxOpeningOfNetwork],
    ]);
    if (!end) return false;
    this.#ends.set(request, end);
    return true;
  }

  /** It was admitted, closed or never opened: it counts no more. */
  end(request: IncomingMessage): void {
    this.#ends.get(request)?.();
  }
}

/** Refuses sockets without credentials, without a node to read, and beyond what their tenant and caller may have. */
export function admitSockets(io: LiveServer, opening: OpeningConnections, deps: AdmissionDeps): void {
  const { authenticate, mayWatch, tenantOf, addressOf, now } = deps;
  const counts = new OpenCounts();
  const strangers = new TokenBuckets(now);
  /** Connections that have said who they are: whoever may go on saying it could try credentials without end. */
  const asked = new WeakSet<LiveSocket["conn"]>();

  async function admit(socket: LiveSocket): Promise<Refusal | undefined> {
    const { conn, request } = socket;
    const network = networkOf(addressOf(request) ?? "");
    if (strangers.tokens(network, strangerRate) < 1) return "too_fast";
    const credentials = credentialsOf(socket.handshake);
    const actor = await authenticate(credentials);
    if (!actor) {
      if (credentials.authorization !== undefined || credentials.cookie !== undefined)
        strangers.take(network, strangerRate, 1);
      return "unauthenticated";
    }
    if (mayWatch(actor, null) === undefined) return "forbidden";
    const { maxSockets, maxSocketsOfTenant, maxSocketsOfCaller } = liveLimits;
    const left = counts.take([
      ["all", maxSockets],
      [`tenant ${tenantOf(actor.node)}`, maxSocketsOfTenant],
      [`caller ${actor.id}`, maxSocketsOfCaller],
    ]);
    if (!left) return "too_many_sockets";
    // Not when the socket leaves: what waits for it is in memory until its connection has ended.
    if (conn.readyState === "closed") left();
    else conn.once("close", left);
    opening.end(request);
    Object.assign(socket.data, { actor, credentials, watchedAtMs: [] });
    return undefined;
  }

  io.use((socket, next) => {
    const { conn } = socket;
    if (asked.has(conn)) return void conn.close();
    asked.add(conn);
    admit(socket).then(
      (code) => {
        if (code === undefined) return next();
        next(refusal(code));
        // Not before the refusal is on its way, which is in the next turn.
        setImmediate(() => conn.close());
      },
      // A refusal would end the client's attempts; a lost connection is tried again by itself.
      () => conn.close(),
    );
  });
  io.engine.on("connection", (conn: LiveSocket["conn"]) => conn.once("close", () => opening.end(conn.request)));
  io.engine.on("connection_error", ({ req }: { req: IncomingMessage }) => opening.end(req));
}
