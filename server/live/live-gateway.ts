/**
 * The live view over Socket.IO. The server alone decides what a socket sees: rights are checked when it connects, when it
 * watches a node, and again every two seconds, so that what was revoked is cut within five. Messages may be lost; a gap
 * in `sequence` says so, and the next snapshot repairs it.
 */
import type { Server as HttpServer } from "node:http";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import type { Redis } from "ioredis";
import type { Logger } from "pino";
import { Server } from "socket.io";
import {
  type ClientToServerEvents,
  type LiveAnswer,
  liveLimits,
  type Pushes,
  type ServerToClientEvents,
  type WatchResult,
} from "../contract/live.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { NoTurnError } from "../fairness/fair-turns.ts";
import type { Actor } from "../identity/actor.ts";
import { type AdmissionDeps, admitSockets, OpeningConnections } from "./admit-sockets.ts";
import { disconnectStalledClients } from "./stalled-clients.ts";
import {
  type BetweenProcesses,
  type LiveServer,
  type LiveSocket,
  type SocketData,
  superseded,
  tooFast,
  viewerOf,
  Watches,
} from "./watches.ts";

export interface LiveGatewayDeps extends AdmissionDeps {
  httpServer: HttpServer;
  /** Whether there is such a node, as far as only what is stored can show; throws NoTurnError where too many ask that. */
  isKnown: (node: NodeAddress) => Promise<boolean>;
  readLive: (node: NodeAddress) => Promise<LiveAnswer>;
  /** Called with what other processes announce. */
  onChangedElsewhere?: ((nodes: readonly NodeAddress[]) => void) | undefined;
  /** Brings announcements of other processes. It must let commands wait while Redis is away, else its reader spins. */
  redis?: Redis | undefined;
  log: Pick<Logger, "warn">;
}

export interface LiveGateway {
  /** Something that these nodes count is in storage now; nodes that nobody watches cost nothing. */
  announce(nodes: Iterable<NodeAddress>): void;
  /**
   * Pushes to the sockets here what `payloadFor` returns for the current rights of each; undefined: nothing. It is asked once for a
   * caller, however many sockets the caller has. Credentials are checked again, so that a caller who lost a right receives nothing
   * more. `userId`: to the sockets of this person alone.
   */
  push<Event extends keyof Pushes>(
    event: Event,
    payloadFor: (actor: Actor) => Promise<Pushes[Event] | undefined>,
    userId?: string,
  ): Promise<void>;
  /** Open now, in this process. */
  readonly sockets: number;
  /** Cuts every socket. The HTTP server stays as it is. */
  close(): Promise<void>;
}

/** With credentials remembered for two seconds at most, a revoked socket is cut after four. */
const recheckEveryMs = 2_000;
/** What is published to other processes is gathered for so long. */
const publishEveryMs = 50;
const maxNodesPerMessage = 1_000;
/** A client asks for nothing but to watch: its messages are small and few. */
const maxMessageBytes = 4_096;

/** Call it when `httpServer` has its request listener: requests that are not for sockets go on to it. */
export function createLiveGateway(deps: LiveGatewayDeps): LiveGateway {
  const { authenticate, redis } = deps;
  const opening = new OpeningConnections(deps.addressOf);
  const io = openServer(deps, opening);
  const watches = new Watches({ ...deps, io });
  disconnectStalledClients(io);
  admitSockets(io, opening, deps);
  io.on("connection", (socket) => {
    socket.data.viewer = viewerOf(socket);
    socket.on("live:watch", (...asked) => {
      const { node, acknowledge } = watchOf(asked);
      const answer = (result: WatchResult) => {
        if (result.ok) socket.emit("live:snapshot", result.snapshot);
        acknowledge?.(result);
      };
      watches
        .watch(socket, node)
        .then(answer, (error: unknown) => answer(error instanceof NoTurnError ? tooFast : superseded));
    });
    socket.on("disconnect", () => watches.leave(socket));
  });
  io.on("nodes:stored", (nodes) => {
    watches.touch(nodes);
    deps.onChangedElsewhere?.(nodes);
  });
  const stopRechecking = recheckSockets(io, deps);
  const publisher = redis && createPublisher(io, redis);

  async function push<Event extends keyof Pushes>(
    event: Event,
    payloadFor: (actor: Actor) => Promise<Pushes[Event] | undefined>,
    userId?: string,
  ): Promise<void> {
    const meant = [...io.of("/").sockets.values()].filter(
      ({ data }) => userId === undefined || data.actor.id === userId,
    );
    const payloadOnce = oncePerCaller(payloadFor);
    await Promise.all(
      meant.map(async (socket) => {
        const actor = await authenticate(socket.data.credentials);
        const isSame = actor?.id === socket.data.actor.id;
        const pushed = actor && isSame ? await payloadOnce(actor) : undefined;
        if (pushed && socket.connected) (socket.emit as (event: Event, pushed: Pushes[Event]) => void)(event, pushed);
      }),
    );
  }

  return {
    push,
    get sockets() {
      return io.engine.clientsCount;
    },
    announce(nodes) {
      watches.touch(nodes);
      publisher?.publish(nodes);
    },
    async close() {
      stopRechecking();
      publisher?.stop();
      io.local.disconnectSockets(true);
      watches.close();
      await io.of("/").adapter.close();
      io.engine.close();
    },
  };
}

function openServer({ httpServer, redis }: LiveGatewayDeps, opening: OpeningConnections): LiveServer {
  return new Server<ClientToServerEvents, ServerToClientEvents, BetweenProcesses, SocketData>(httpServer, {
    serveClient: false,
    maxHttpBufferSize: maxMessageBytes,
    connectTimeout: liveLimits.admittedWithinMs,
    allowRequest: (request, answer) => answer(null, opening.begin(request)),
    ...(redis && {
      adapter: createAdapter(redis, {
        streamName: "tidemark:live",
        channelPrefix: "tidemark:live",
        blockTimeInMs: 1_000,
      }),
    }),
  });
}

/** Asks again and again whether each socket may still see what it sees, and cuts those that may not. */
function recheckSockets(io: LiveServer, { authenticate, mayWatch }: LiveGatewayDeps): () => void {
  async function recheck(socket: LiveSocket): Promise<void> {
    const { data } = socket;
    const actor = await authenticate(data.credentials);
    if (!actor || mayWatch(actor, data.node ?? null) === undefined) return void socket.disconnect(true);
    data.actor = actor;
  }
  // While nobody can say whether credentials are still good, nothing can be revoked either: the sockets stay.
  const timer = setInterval(() => {
    for (const socket of io.of("/").sockets.values()) recheck(socket).catch(() => {});
  }, recheckEveryMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** Publishes to other processes which nodes have changed, gathered. */
function createPublisher(io: LiveServer, redis: Redis) {
  const unpublished = new Set<NodeAddress>();
  let timer: NodeJS.Timeout | undefined;
  function publishNow(): void {
    timer = undefined;
    const nodes = [...unpublished];
    unpublished.clear();
    // Messages that wait for Redis would pile up, and show viewers nothing that their next snapshot does not.
    if (redis.status !== "ready") return;
    for (let start = 0; start < nodes.length; start += maxNodesPerMessage)
      io.serverSideEmit("nodes:stored", nodes.slice(start, start + maxNodesPerMessage));
  }
  return {
    publish(nodes: Iterable<NodeAddress>): void {
      for (const node of nodes) unpublished.add(node);
      timer ??= setTimeout(publishNow, publishEveryMs);
    },
    stop: () => clearTimeout(timer),
  };
}

/** Sockets of one caller may have other rights for a moment: a change of rights is known of their credentials one after the other. */
function oncePerCaller<Payload>(payloadFor: (actor: Actor) => Promise<Payload>): (actor: Actor) => Promise<Payload> {
  const asked = new Map<string, Promise<Payload>>();
  return (actor) => {
    const rights = actor.grants.map(({ node, actions }) => [node, [...actions]]);
    const key = JSON.stringify([actor.id, rights]);
    let answer = asked.get(key);
    if (!answer) {
      answer = payloadFor(actor);
      asked.set(key, answer);
    }
    return answer;
  };
}

/** Whatever a client sent: the node (null where it names none), and what to answer, which clients put last. */
function watchOf(asked: readonly unknown[]): {
  node: unknown;
  acknowledge: ((result: WatchResult) => void) | undefined;
} {
  const last = asked.at(-1);
  const acknowledge = typeof last === "function" ? (last as (result: WatchResult) => void) : undefined;
  return { node: (acknowledge ? asked.slice(0, -1) : asked)[0] ?? null, acknowledge };
}
