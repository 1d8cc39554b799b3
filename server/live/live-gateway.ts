/**
 * The live view over Socket.IO. The server alone decides what a socket sees: rights are checked when it connects, when it
 * watches a node, and again every two seconds, so that what was revoked is cut within five. Messages may be lost; a gap
 * in `sequence` says so, and the next snapshot repairs it.
 */
import type { Server as HttpServer, IncomingMessage } from "node:http";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import type { Redis } from "ioredis";
import type { Logger } from "pino";
import { Server, type Socket } from "socket.io";
import { z } from "zod";
import type { ClientToServerEvents, LiveAnswer, ServerToClientEvents, WatchResult } from "../contract/live.ts";
import { liveLimits } from "../contract/live.ts";
import { type NodeAddress, nodeAddressSchema } from "../contract/nodes.ts";
import type { NotificationPush } from "../contract/notifications.ts";
import { NoTurnError } from "../fairness/fair-turns.ts";
import type { Actor } from "../identity/actor.ts";
import { WatchedNode } from "./watched-node.ts";

export interface LiveCredentials {
  authorization?: string | undefined;
  cookie?: string | undefined;
}

export interface LiveGatewayDeps {
  httpServer: HttpServer;
  /** Undefined for credentials that are not (or no longer) valid. Rejects when that cannot be known now. */
  authenticate: (credentials: LiveCredentials) => Promise<Actor | undefined>;
  /** The node that is meant (null: the actor's own); undefined when the actor may not read it. */
  mayWatch: (actor: Actor, node: NodeAddress | null) => NodeAddress | undefined;
  /** Whether there is such a node, as far as only what is stored can tell; throws NoTurnError where too many ask that. */
  isKnown: (node: NodeAddress) => Promise<boolean>;
  /** Whose sockets share what one tenant may have: those below the same node right below the root. */
  tenantOf: (node: NodeAddress) => string;
  readLive: (node: NodeAddress) => Promise<LiveAnswer>;
  /** Brings announcements of other processes. It must let commands wait while Redis is away, else its reader spins. */
  redis?: Redis | undefined;
  log: Pick<Logger, "warn">;
}

export interface LiveGateway {
  /** Something that these nodes count is in storage now; nodes that nobody watches cost nothing. */
  announce(nodes: Iterable<NodeAddress>): void;
  /**
   * Tells the sockets of a person here what `told` gives for the rights that each has at this moment; undefined: nothing. Their
   * credentials are asked for again, so that who lost a right hears nothing any more.
   */
  notify(userId: string, told: (actor: Actor) => Promise<NotificationPush | undefined>): Promise<void>;
  /** Open now, in this process. */
  readonly sockets: number;
  /** Cuts every socket. The HTTP server stays as it is. */
  close(): Promise<void>;
}

interface BetweenProcesses {
  "nodes:stored": (nodes: NodeAddress[]) => void;
}

interface SocketData {
  actor: Actor;
  credentials: LiveCredentials;
  /** The node that the socket sees, or will see with its first snapshot. */
  node?: NodeAddress;
  /** Grows with every `live:watch`: of several that are under way only the last one counts. */
  watches: number;
  watchedAtMs: number[];
}

type LiveSocket = Socket<ClientToServerEvents, ServerToClientEvents, BetweenProcesses, SocketData>;

/** With credentials remembered for two seconds at most, a revoked socket is cut after four. */
const recheckEveryMs = 2_000;
/** What other processes are told is gathered for so long. */
const publishEveryMs = 100;
const maxNodesPerMessage = 1_000;
/** A client asks for nothing but to watch: its messages are small and few. */
const maxMessageBytes = 4_096;
const { maxWatchesPerSecond, maxSockets, maxSocketsOfTenant, maxSocketsOfCaller } = liveLimits;

/** Call it when `httpServer` has its request listener: requests that are not for sockets go on to it. */
export function createLiveGateway(deps: LiveGatewayDeps): LiveGateway {
  const { httpServer, authenticate, mayWatch, isKnown, tenantOf, readLive, redis, log } = deps;
  const io = new Server<ClientToServerEvents, ServerToClientEvents, BetweenProcesses, SocketData>(httpServer, {
    serveClient: false,
    maxHttpBufferSize: maxMessageBytes,
    allowRequest: (request, answer) => answer(null, isFromHere(request)),
    ...(redis && {
      adapter: createAdapter(redis, {
        streamName: "tidemark:live",
        channelPrefix: "tidemark:live",
        blockTimeInMs: 1_000,
      }),
    }),
  });
  const watched = new Map<NodeAddress, { state: WatchedNode; viewers: Set<LiveSocket> }>();
  const unpublished = new Set<NodeAddress>();
  let publishTimer: NodeJS.Timeout | undefined;

  io.use((socket, next) => {
    const credentials = credentialsOf(socket);
    authenticate(credentials).then(
      (actor) => {
        if (!actor) return next(refusal("unauthenticated"));
        if (mayWatch(actor, null) === undefined) return next(refusal("forbidden"));
        if (isCrowded(actor)) return next(refusal("too_many_sockets"));
        socket.data = { actor, credentials, watches: 0, watchedAtMs: [] };
        next();
      },
      // A refusal would end the client's attempts; a lost connection is tried again by itself.
      () => socket.conn.close(),
    );
  });

  io.on("connection", (socket) => {
    socket.on("live:watch", (node, answer) => {
      const tell = typeof answer === "function" ? answer : (result: WatchResult) => tellSnapshot(socket, result);
      watch(socket, node).then(tell, (error: unknown) => tell(error instanceof NoTurnError ? tooFast : superseded));
    });
    socket.on("disconnect", () => leave(socket));
  });

  function isCrowded({ id, node }: Actor): boolean {
    const tenant = tenantOf(node);
    let [all, ofTenant, ofCaller] = [0, 0, 0];
    for (const { data } of io.of("/").sockets.values()) {
      all++;
      if (tenantOf(data.actor.node) === tenant) ofTenant++;
      if (data.actor.id === id) ofCaller++;
    }
    return all >= maxSockets || ofTenant >= maxSocketsOfTenant || ofCaller >= maxSocketsOfCaller;
  }

  function visibleNode(actor: Actor, wanted: unknown): NodeAddress | undefined {
    const node = requestedNode.safeParse(wanted);
    return node.success ? mayWatch(actor, node.data) : undefined;
  }

  async function watch(socket: LiveSocket, wanted: unknown): Promise<WatchResult> {
    const { data } = socket;
    if (isTooFast(data.watchedAtMs)) return tooFast;
    const node = visibleNode(data.actor, wanted);
    const turn = ++data.watches;
    // Who asks again for the same node keeps it, and with it the limit of its reads.
    if (data.node !== node) leave(socket);
    if (node === undefined) return unseen;
    if (!watched.has(node) && !(await isKnown(node))) return unseen;
    if (data.watches !== turn || !socket.connected) return superseded;
    const snapshot = await join(socket, node).fresh();
    if (data.watches !== turn || !socket.connected) return superseded;
    socket.join(roomOf(node));
    return { ok: true, snapshot: snapshot() };
  }

  function join(socket: LiveSocket, node: NodeAddress): WatchedNode {
    let entry = watched.get(node);
    if (!entry) {
      const state = new WatchedNode({
        read: () => readLive(node),
        emit: (change) => io.local.to(roomOf(node)).emit("live:changed", change),
        failed: (error) => log.warn({ err: error, node }, "live figures cannot be read, trying again until they can"),
      });
      entry = { state, viewers: new Set() };
      watched.set(node, entry);
    }
    entry.viewers.add(socket);
    socket.data.node = node;
    return entry.state;
  }

  function leave(socket: LiveSocket): void {
    const { node } = socket.data;
    const entry = node === undefined ? undefined : watched.get(node);
    if (node === undefined || !entry) return;
    delete socket.data.node;
    socket.leave(roomOf(node));
    entry.viewers.delete(socket);
    if (entry.viewers.size > 0) return;
    entry.state.close();
    watched.delete(node);
  }

  async function recheck(socket: LiveSocket): Promise<void> {
    const { data } = socket;
    const actor = await authenticate(data.credentials);
    if (!actor || mayWatch(actor, data.node ?? null) === undefined) return void socket.disconnect(true);
    data.actor = actor;
  }

  // While nobody can say whether credentials are still good, nothing can be revoked either: the sockets stay.
  const recheckTimer = setInterval(() => {
    for (const socket of io.of("/").sockets.values()) recheck(socket).catch(() => {});
  }, recheckEveryMs);
  recheckTimer.unref();

  function touch(nodes: Iterable<NodeAddress>): void {
    for (const node of nodes) watched.get(node)?.state.touch();
  }
  io.on("nodes:stored", touch);

  function publish(): void {
    publishTimer = undefined;
    const nodes = [...unpublished];
    unpublished.clear();
    // Messages that wait for Redis would pile up, and tell viewers nothing that their next snapshot does not.
    if (redis?.status !== "ready") return;
    for (let start = 0; start < nodes.length; start += maxNodesPerMessage)
      io.serverSideEmit("nodes:stored", nodes.slice(start, start + maxNodesPerMessage));
  }

  async function notify(userId: string, told: (actor: Actor) => Promise<NotificationPush | undefined>): Promise<void> {
    const own = [...io.of("/").sockets.values()].filter(({ data }) => data.actor.id === userId);
    await Promise.all(
      own.map(async (socket) => {
        const actor = await authenticate(socket.data.credentials);
        const push = actor?.id === userId ? await told(actor) : undefined;
        if (push && socket.connected) socket.emit("notification:new", push);
      }),
    );
  }

  return {
    notify,
    get sockets() {
      return io.engine.clientsCount;
    },
    announce(nodes) {
      if (!redis) return touch(nodes);
      for (const node of nodes) {
        watched.get(node)?.state.touch();
        unpublished.add(node);
      }
      publishTimer ??= setTimeout(publish, publishEveryMs);
    },
    async close() {
      clearInterval(recheckTimer);
      clearTimeout(publishTimer);
      io.local.disconnectSockets(true);
      for (const { state } of watched.values()) state.close();
      watched.clear();
      await io.of("/").adapter.close();
      io.engine.close();
    },
  };
}

const requestedNode = nodeAddressSchema.nullable();

const tooFast: WatchResult = { ok: false, code: "too_fast", message: "too many requests to watch" };
const unseen: WatchResult = { ok: false, code: "forbidden", message: "there is no such node within yours" };
const superseded: WatchResult = {
  ok: false,
  code: "superseded",
  message: "another request to watch came after this one",
};

function roomOf(node: NodeAddress): string {
  return `node:${node}`;
}

function tellSnapshot(socket: LiveSocket, result: WatchResult): void {
  if (result.ok) socket.emit("live:snapshot", result.snapshot);
}

/** The client reads `data.code`. */
function refusal(code: "unauthenticated" | "forbidden" | "too_many_sockets"): Error {
  return Object.assign(new Error(code), { data: { code } });
}

/** A key comes as `auth.token` or as a bearer header, which browsers cannot send; a session as its cookie. */
function credentialsOf(socket: LiveSocket): LiveCredentials {
  const { token } = authSchema.parse(socket.handshake.auth);
  const { authorization, cookie } = socket.handshake.headers;
  return { authorization: token === undefined ? authorization : `Bearer ${token}`, cookie };
}

const authSchema = z.object({ token: z.string().max(512).optional().catch(undefined) }).catch({});

/** A page of another origin could use the cookie of whoever visits it; browsers always say where a socket comes from. */
function isFromHere({ headers: { origin, host } }: IncomingMessage): boolean {
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === host);
}

function isTooFast(atMs: number[]): boolean {
  const nowMs = performance.now();
  while (atMs[0] !== undefined && nowMs - atMs[0] > 1_000) atMs.shift();
  if (atMs.length >= maxWatchesPerSecond) return true;
  atMs.push(nowMs);
  return false;
}
