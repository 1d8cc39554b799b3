/**
 * Which socket watches which node, and what it is sent of it. A node is read once however many watch it, and while somebody
 * does; rights are asked for at every turn.
 */
import type { Logger } from "pino";
import type { Server, Socket } from "socket.io";
import type {
  ClientToServerEvents,
  LiveAnswer,
  LiveChanged,
  ServerToClientEvents,
  WatchResult,
} from "../contract/live.ts";
import { type NodeAddress, nodeAddressSchema } from "../contract/nodes.ts";
import type { Actor } from "../identity/actor.ts";
import { SlowViewers, type Viewer } from "./slow-viewers.ts";
import { isTooFast, type LiveCredentials } from "./socket-credentials.ts";
import { WatchedNode } from "./watched-node.ts";

export interface BetweenProcesses {
  "nodes:stored": (nodes: NodeAddress[]) => void;
}

export interface SocketData {
  actor: Actor;
  credentials: LiveCredentials;
  /** The node that the socket sees, or will see with its first snapshot. */
  node?: NodeAddress;
  /** The `live:watch` that came last: while several are under way only that one counts, and no other is kept. */
  asking?: AbortController;
  watchedAtMs: number[];
  viewer: Viewer<LiveChanged>;
}

export type LiveServer = Server<ClientToServerEvents, ServerToClientEvents, BetweenProcesses, SocketData>;
export type LiveSocket = Socket<ClientToServerEvents, ServerToClientEvents, BetweenProcesses, SocketData>;

export interface WatchesDeps {
  io: LiveServer;
  mayWatch: (actor: Actor, node: NodeAddress | null) => NodeAddress | undefined;
  isKnown: (node: NodeAddress) => Promise<boolean>;
  readLive: (node: NodeAddress) => Promise<LiveAnswer>;
  log: Pick<Logger, "warn">;
}

const requestedNode = nodeAddressSchema.nullable();

export class Watches {
  readonly #deps: WatchesDeps;
  readonly #watched = new Map<NodeAddress, { state: WatchedNode; sockets: Set<LiveSocket> }>();
  readonly #slow = new SlowViewers<LiveChanged>();

  constructor(deps: WatchesDeps) {
    this.#deps = deps;
  }

  /** Something that these nodes count is stored; nodes that nobody watches cost nothing. */
  touch(nodes: Iterable<NodeAddress>): void {
    for (const node of nodes) this.#watched.get(node)?.state.touch();
  }

  /** The socket sees `wanted` from now on (null: its actor's own node) and nothing else. Throws NoTurnError. */
  async watch(socket: LiveSocket, wanted: unknown): Promise<WatchResult> {
    const { data } = socket;
    if (isTooFast(data.watchedAtMs)) return tooFast;
    const node = this.#visibleNode(data.actor, wanted);
    data.asking?.abort();
    const asking = new AbortController();
    data.asking = asking;
    const { signal } = asking;
    // A viewer that asks again for the same node keeps it, and with it the limit of its reads.
    if (data.node !== node) this.#leaveNode(socket);
    if (node === undefined) return unseen;
    if (!this.#watched.has(node) && !(await this.#deps.isKnown(node))) return unseen;
    if (signal.aborted) return superseded;
    const snapshot = await this.#join(socket, node).fresh(signal);
    if (signal.aborted) return superseded;
    socket.join(roomOf(node));
    this.#slow.forget(data.viewer);
    return { ok: true, snapshot: snapshot() };
  }

  leave(socket: LiveSocket): void {
    socket.data.asking?.abort();
    this.#leaveNode(socket);
  }

  close(): void {
    for (const { state } of this.#watched.values()) state.close();
    this.#watched.clear();
  }

  #leaveNode(socket: LiveSocket): void {
    const { node, viewer } = socket.data;
    const entry = node === undefined ? undefined : this.#watched.get(node);
    if (node === undefined || !entry) return;
    delete socket.data.node;
    this.#slow.forget(viewer);
    socket.leave(roomOf(node));
    entry.sockets.delete(socket);
    if (entry.sockets.size > 0) return;
    entry.state.close();
    this.#watched.delete(node);
  }

  #visibleNode(actor: Actor, wanted: unknown): NodeAddress | undefined {
    const node = requestedNode.safeParse(wanted);
    return node.success ? this.#deps.mayWatch(actor, node.data) : undefined;
  }

  #join(socket: LiveSocket, node: NodeAddress): WatchedNode {
    const { readLive, log } = this.#deps;
    let entry = this.#watched.get(node);
    if (!entry) {
      const sockets = new Set<LiveSocket>();
      const state = new WatchedNode({
        read: () => readLive(node),
        emit: (change) => this.#push(node, sockets, change),
        failed: (error) => log.warn({ err: error, node }, "live figures cannot be read, trying again until they can"),
      });
      entry = { state, sockets };
      this.#watched.set(node, entry);
    }
    entry.sockets.add(socket);
    socket.data.node = node;
    return entry.state;
  }

  #push(node: NodeAddress, sockets: ReadonlySet<LiveSocket>, change: LiveChanged): void {
    const room = roomOf(node);
    const viewers = [...sockets].filter((socket) => socket.rooms.has(room)).map(({ data }) => data.viewer);
    this.#slow.keep(viewers, change);
    // Volatile: those that are not ready are passed over.
    this.#deps.io.local.volatile.to(room).emit("live:changed", change);
  }
}

export function viewerOf(socket: LiveSocket): Viewer<LiveChanged> {
  return {
    isReady: () => socket.conn.transport.writable,
    onceReady: (then) => void socket.conn.transport.once("ready", then),
    send: (change) => void socket.emit("live:changed", change),
  };
}

export const tooFast: WatchResult = { ok: false, code: "too_fast", message: "too many watch requests" };
const unseen: WatchResult = { ok: false, code: "forbidden", message: "there is no such node in your subtree" };
export const superseded: WatchResult = {
  ok: false,
  code: "superseded",
  message: "a later watch request replaced this one",
};

function roomOf(node: NodeAddress): string {
  return `node:${node}`;
}
