/**
 * The nodes of the account tree in memory, and all that is asked of them without a query: where a node stands and stood,
 * what is below it, whether it may be used.
 */
import { type NodeKind, nodeAddress, parseNode } from "../contract/node-address.ts";
import type { NodeAddress, NodeStatus } from "../contract/nodes.ts";
import { bytesOfFields } from "./field-bytes.ts";
import type { NodeRecord } from "./node-record.ts";
import type { NodeRows } from "./node-rows.ts";

/** Where a node stood in a span: the node itself and everything above it, nearest first. */
export interface PathSpan {
  fromMs: number;
  toMs: number;
  path: NodeAddress[];
}

/** Ids, not addresses, of the partner and the reseller above an organization; '' where that depth is skipped. */
export interface IdsAbove {
  partner: string;
  reseller: string;
}

interface HeldPathSpan extends Omit<PathSpan, "path"> {
  path: HeldNode[];
}

interface HeldNode extends NodeRecord {
  fieldBytes: number;
  /** By time, the first one valid since 1970. */
  parents: { validFromMs: number; parent: NodeAddress }[];
}

/** More nodes at once than are put in their places one by one. */
const maxPutInPlace = 100;

export interface NodeListOptions {
  kind?: NodeKind | undefined;
  /** Only nodes right below this one. */
  parent?: NodeAddress | undefined;
  status?: NodeStatus | undefined;
  /** Part of a name, id or external id, in any case. */
  search?: string | undefined;
  /** Only addresses after this one. */
  after?: NodeAddress | undefined;
  limit: number;
}

/** A node and all below it: how many they are, and how much JSON their custom fields take. */
export interface SubtreeSize {
  nodes: number;
  fieldBytes: number;
}

export class NodesInMemory {
  #nodes = new Map<NodeAddress, HeldNode>();
  #children = new Map<NodeAddress, Set<NodeAddress>>();
  /** By each of their parents of any time, the nodes that moved or are to move. */
  #moving = new Map<NodeAddress, Set<NodeAddress>>();
  /** By tenant; made when it is asked for, dropped when a node moves. */
  readonly #sizes = new Map<NodeAddress, SubtreeSize>();
  /** All addresses in order; made when a list is asked for. */
  #sorted: NodeAddress[] | undefined;

  get size(): number {
    return this.#nodes.size;
  }

  /** An agent exists as soon as its organization does. */
  get(address: NodeAddress): NodeRecord | undefined {
    const held = this.#nodes.get(address);
    if (held) return held;
    const organization = organizationOfAgent(address);
    const above = organization === undefined ? undefined : this.#nodes.get(organization);
    if (!above) return undefined;
    const agent = parseNode(address);
    if (agent.kind !== "agent") return undefined;
    return {
      node: address,
      kind: "agent",
      id: agent.id,
      name: agent.agent,
      parent: above.node,
      externalId: null,
      status: above.status,
      fields: {},
      createdAt: above.createdAt,
    };
  }

  /**
   * Ids of the partner and reseller that the organization stood under at `timeMs` (ms since 1970, UTC), '' where that
   * depth is skipped; undefined when there is no such organization.
   */
  pathAt(organization: string, timeMs: number): IdsAbove | undefined {
    const held = this.#nodes.get(nodeAddress("organization", organization));
    return held && idsAbove(this.#pathAt(held, timeMs));
  }

  /**
   * The node and everything above it, nearest first, as it stood in each part of a span (ms since 1970, UTC, half-open): a
   * move of the node or of one above it begins a new part.
   */
  pathsBetween(address: NodeAddress, fromMs: number, toMs: number): PathSpan[] {
    const spans = this.#spansBetween(this.#nodes.get(address), fromMs, toMs);
    return spans.map(({ path, ...span }) => ({ ...span, path: path.map(({ node }) => node) }));
  }

  /**
   * Where the organization stood from `fromMs` to `toMs` (ms since 1970, UTC, both included), in order of time: one placement
   * unless it, or what stands above it, moved meanwhile to another path; the first since `fromMs`. undefined as in `pathAt`.
   */
  placementsWithin(organization: string, fromMs: number, toMs: number): (IdsAbove & { sinceMs: number })[] | undefined {
    const held = this.#nodes.get(nodeAddress("organization", organization));
    if (!held) return undefined;
    const placements: (IdsAbove & { sinceMs: number })[] = [];
    for (const { fromMs: sinceMs, path } of this.#spansBetween(held, fromMs, toMs + 1)) {
      const above = idsAbove(path);
      const last = placements.at(-1);
      if (last?.partner !== above.partner || last.reseller !== above.reseller) placements.push({ sinceMs, ...above });
    }
    return placements;
  }

  /** Ids of the organizations that ever stood below the node, or are to; itself where it is one. */
  organizationsEverBelow(address: NodeAddress): string[] {
    const found = new Set(this.#nodes.has(address) ? [address] : []);
    for (const node of found) {
      for (const child of this.#children.get(node) ?? []) found.add(child);
      for (const child of this.#moving.get(node) ?? []) found.add(child);
    }
    return [...found].flatMap((node) => {
      const { kind, id } = this.held(node);
      return kind === "organization" ? [id] : [];
    });
  }

  /**
   * The strictest status of the node and of what stands above it now: below a suspended reseller everything is suspended.
   * undefined when there is no such node.
   */
  effectiveStatus(address: NodeAddress): NodeStatus | undefined {
    const own = this.get(address)?.status;
    if (own === undefined || own === "cancelled") return own;
    const above = new Set(this.ancestors(address).map((node) => this.#nodes.get(node)?.status));
    return above.has("cancelled") ? "cancelled" : above.has("suspended") ? "suspended" : own;
  }

  /** Whether `address` is `ancestor` or stands below it now. Everything is within `all`, whether it exists or not. */
  isWithin(address: NodeAddress, ancestor: NodeAddress): boolean {
    if (ancestor === "all" || address === ancestor) return true;
    let current: NodeAddress | null = organizationOfAgent(address) ?? address;
    while (current !== null && current !== "all") {
      if (current === ancestor) return true;
      current = this.#nodes.get(current)?.parent ?? null;
    }
    return false;
  }

  /** One way up, however many they are. */
  #isWithinAny(address: NodeAddress, tops: ReadonlySet<NodeAddress>): boolean {
    return this.ancestors(address).some((above) => tops.has(above));
  }

  /** The address itself and everything above it now, nearest first. */
  ancestors(address: NodeAddress): NodeAddress[] {
    const found: NodeAddress[] = [address];
    let parent = organizationOfAgent(address) ?? this.#nodes.get(address)?.parent ?? null;
    while (parent !== null) {
      found.push(parent);
      parent = this.#nodes.get(parent)?.parent ?? null;
    }
    return found;
  }

  /** The address itself and everything that stands above it at any time, past or to come. */
  everAbove(address: NodeAddress): Set<NodeAddress> {
    const found = new Set([address]);
    for (const node of found) for (const { parent } of this.#nodes.get(node)?.parents ?? []) found.add(parent);
    return found;
  }

  /** Where the node stood and is to stand, in order of time; the first since ever. */
  placements(address: NodeAddress): { parent: NodeAddress; from: Date }[] {
    const parents = this.#nodes.get(address)?.parents ?? [];
    return parents.map(({ parent, validFromMs }) => ({ parent, from: new Date(validFromMs) }));
  }

  /** Nodes right below, in the order of their addresses; agents are not listed. */
  children(address: NodeAddress): NodeRecord[] {
    return this.#inOrder(address).map((child) => this.held(child));
  }

  /** `tops` and the nodes below them, each once, in the order of their addresses; agents are not listed. */
  list(tops: readonly NodeAddress[], { kind, parent, status, search, after, limit }: NodeListOptions): NodeRecord[] {
    const addresses = this.#inOrder(parent);
    const wanted = search?.toLowerCase();
    const wantedTops = new Set(tops);
    const found: NodeRecord[] = [];
    for (let index = after === undefined ? 0 : firstAfter(addresses, after); index < addresses.length; index++) {
      const record = this.held(addresses[index] as NodeAddress);
      if (kind !== undefined && record.kind !== kind) continue;
      if (status !== undefined && record.status !== status) continue;
      if (wanted && ![record.name, record.id, record.externalId].some((text) => text?.toLowerCase().includes(wanted)))
        continue;
      if (!this.#isWithinAny(record.node, wantedTops)) continue;
      found.push(record);
      if (found.length === limit) break;
    }
    return found;
  }

  /** Whether it is a node of its own; an agent is none. */
  protected has(address: NodeAddress): boolean {
    return this.#nodes.has(address);
  }

  protected held(address: NodeAddress): HeldNode {
    const held = this.#nodes.get(address);
    if (!held) throw new Error(`node ${address} is not in the tree`);
    return held;
  }

  /** When the node's next move after `nowMs` takes effect, ms since 1970, UTC; undefined where none lies ahead. */
  protected nextMoveMs(address: NodeAddress, nowMs: number): number | undefined {
    const { parents = [] } = this.#nodes.get(address) ?? {};
    return parents[countUntil(parents, nowMs)]?.validFromMs;
  }

  protected sizeWithin(tenant: NodeAddress): Readonly<SubtreeSize> {
    const known = this.#sizes.get(tenant);
    if (known) return known;
    const size = { nodes: 0, fieldBytes: 0 };
    const waiting = [tenant];
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      const held = this.#nodes.get(node);
      if (!held) continue;
      size.nodes++;
      size.fieldBytes += held.fieldBytes;
      for (const child of this.#children.get(node) ?? []) waiting.push(child);
    }
    this.#sizes.set(tenant, size);
    return size;
  }

  /** Forgets all nodes but these, as they stand at `nowMs`. */
  protected replace(rows: NodeRows, nowMs: number): void {
    this.#nodes = new Map();
    this.#children = new Map();
    this.#moving = new Map();
    this.#sizes.clear();
    this.#sorted = undefined;
    this.put(rows, nowMs);
  }

  /** Takes these nodes in, as they stand at `nowMs` (ms since 1970, UTC); the others stay. */
  protected put({ nodes, parents: parentRows }: NodeRows, nowMs: number): void {
    const parentsOf = new Map<NodeAddress, HeldNode["parents"]>();
    for (const { node, parent, validFrom } of parentRows) {
      const entry = { validFromMs: validFrom.getTime(), parent };
      const list = parentsOf.get(node);
      if (list) list.push(entry);
      else parentsOf.set(node, [entry]);
    }
    const grown: [NodeAddress, SubtreeSize][] = [];
    const added: NodeAddress[] = [];
    for (const row of nodes) {
      const parents = (parentsOf.get(row.node) ?? []).sort((a, b) => a.validFromMs - b.validFromMs);
      const parent = parentAt({ parents }, nowMs);
      const earlier = this.#nodes.get(row.node);
      const fieldBytes = bytesOfFields(row.fields);
      if (!earlier) added.push(row.node);
      if (earlier && earlier.parent !== parent) this.#sizes.clear();
      grown.push([row.node, { nodes: earlier ? 0 : 1, fieldBytes: fieldBytes - (earlier?.fieldBytes ?? 0) }]);
      if (earlier?.parent) this.#children.get(earlier.parent)?.delete(row.node);
      if (parent !== null) {
        const siblings = this.#children.get(parent);
        if (siblings) siblings.add(row.node);
        else this.#children.set(parent, new Set([row.node]));
      }
      this.#putMoving(row.node, earlier?.parents ?? [], parents);
      this.#nodes.set(row.node, { ...row, parent, parents, fieldBytes });
    }
    for (const [node, more] of grown) this.#grow(node, more);
    this.#sortIn(added);
  }

  #putMoving(node: NodeAddress, before: HeldNode["parents"], after: HeldNode["parents"]): void {
    for (const { parent } of before) this.#moving.get(parent)?.delete(node);
    if (after.length < 2) return;
    for (const { parent } of after) {
      const moving = this.#moving.get(parent);
      if (moving) moving.add(node);
      else this.#moving.set(parent, new Set([node]));
    }
  }

  #grow(node: NodeAddress, more: SubtreeSize): void {
    if (this.#sizes.size === 0 || (more.nodes === 0 && more.fieldBytes === 0)) return;
    const above = this.ancestors(node);
    // What stands above a node may be read after it.
    if (above.at(-1) !== "all") this.#sizes.clear();
    for (const one of above) {
      const size = this.#sizes.get(one);
      if (!size) continue;
      size.nodes += more.nodes;
      size.fieldBytes += more.fieldBytes;
    }
  }

  /** A few are put in their places: sorting all again for each new node would take longer than making it. */
  #sortIn(added: readonly NodeAddress[]): void {
    if (!this.#sorted || added.length === 0) return;
    if (added.length > maxPutInPlace) this.#sorted = undefined;
    else for (const node of added) this.#sorted.splice(firstAfter(this.#sorted, node), 0, node);
  }

  /** The node and everything above it, nearest first, as it stood at `timeMs`. */
  #pathAt(node: HeldNode | undefined, timeMs: number): HeldNode[] {
    const path: HeldNode[] = [];
    for (let current = node; current; ) {
      path.push(current);
      const parent = parentAt(current, timeMs);
      current = parent === null ? undefined : this.#nodes.get(parent);
    }
    return path;
  }

  /** As `pathsBetween`; of no node the path is empty. */
  #spansBetween(node: HeldNode | undefined, fromMs: number, toMs: number): HeldPathSpan[] {
    const spans: HeldPathSpan[] = [];
    for (let atMs = fromMs; atMs < toMs; ) {
      const path = this.#pathAt(node, atMs);
      const next = path.flatMap(({ parents }) => parents[countUntil(parents, atMs)]?.validFromMs ?? []);
      const untilMs = Math.min(toMs, ...next);
      const last = spans.at(-1);
      const isSame = last?.path.length === path.length && last.path.every((held, depth) => held === path[depth]);
      if (isSame) last.toMs = untilMs;
      else spans.push({ fromMs: atMs, toMs: untilMs, path });
      atMs = untilMs;
    }
    return spans;
  }

  #inOrder(parent: NodeAddress | undefined): NodeAddress[] {
    if (parent !== undefined) return [...(this.#children.get(parent) ?? [])].sort();
    this.#sorted ??= [...this.#nodes.keys()].sort();
    return this.#sorted;
  }
}

/** How an address writes an id is another matter: usage is stored and asked for by the id itself. */
function idsAbove(path: readonly HeldNode[]): IdsAbove {
  const ids = { partner: "", reseller: "" };
  for (const { kind, id } of path) if (kind === "partner" || kind === "reseller") ids[kind] = id;
  return ids;
}

function organizationOfAgent(address: NodeAddress): NodeAddress | undefined {
  if (!address.startsWith("agent:")) return undefined;
  const slash = address.indexOf("/");
  return slash < 0 ? undefined : `organization:${address.slice("agent:".length, slash)}`;
}

function parentAt({ parents }: Pick<HeldNode, "parents">, timeMs: number): NodeAddress | null {
  return parents[Math.max(0, countUntil(parents, timeMs) - 1)]?.parent ?? null;
}

/** How many of the placements, which are in order of time, are valid by then. */
function countUntil(parents: HeldNode["parents"], timeMs: number): number {
  let low = 0;
  let high = parents.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((parents[middle]?.validFromMs ?? 0) <= timeMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

function firstAfter(sorted: NodeAddress[], after: NodeAddress): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as NodeAddress) <= after) low = middle + 1;
    else high = middle;
  }
  return low;
}
