/**
 * The account tree, whole in memory, so that rights and paths are answered without a query. Every process holds one and
 * follows the others through NOTIFY; after a lost connection it reads everything again.
 */
import { inArray, sql } from "drizzle-orm";
import type { Logger } from "pino";
import { z } from "zod";
import { type Author, recordChange, system } from "../audit/record-change.ts";
import { type NodeKind, nodeAddress, nodeKinds, parseNode } from "../contract/node-address.ts";
import type { NodeAddress, NodeFields, NodeStatus } from "../contract/nodes.ts";
import type { BucketRate } from "../fairness/token-buckets.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import type { Subscriber } from "../postgres/notices.ts";
import { nodeParents, nodes } from "../postgres/schema/accounts.ts";
import { CreationLimits, creationRates } from "./creation-limits.ts";
import { tenantOf } from "./tenant-of.ts";

export interface NodeRecord {
  node: NodeAddress;
  kind: NodeKind | "all";
  id: string;
  name: string;
  /** Now; null for the root. */
  parent: NodeAddress | null;
  externalId: string | null;
  status: NodeStatus;
  fields: NodeFields;
  createdAt: Date;
}

export interface NewNode {
  kind: "partner" | "reseller" | "organization";
  id: string;
  name: string;
  parent: NodeAddress;
  externalId?: string | null | undefined;
  status?: NodeStatus | undefined;
  fields?: NodeFields | undefined;
}

/** Where a node stood in a span: the node itself and everything above it, nearest first. */
export interface PathSpan {
  fromMs: number;
  toMs: number;
  path: NodeAddress[];
}

interface HeldNode extends NodeRecord {
  /** By time, the first one valid since 1970. */
  parents: { validFromMs: number; parent: NodeAddress }[];
}

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

const channel = "tidemark_nodes";
/** A NOTIFY takes up to 8,000 bytes. */
const maxNoticeBytes = 7_000;
/** Rows per statement; Postgres takes 65,535 parameters in one. */
const insertChunk = 5_000;
const rereadAfterMs = 1_000;
/** Node's timers take no more than 2^31 ms; a node that moves later than this is looked at again meanwhile. */
const maxTimerMs = 24 * 60 * 60 * 1000;

export class NodeTree {
  readonly #postgres: Postgres;
  readonly #log: Logger;
  readonly #creations = new CreationLimits();
  #nodes = new Map<NodeAddress, HeldNode>();
  #children = new Map<NodeAddress, Set<NodeAddress>>();
  /** All addresses in order; made when a list is asked for, dropped when a node comes. */
  #sorted: NodeAddress[] | undefined;
  /** Reads run one after another, so that an older state never replaces a newer one. */
  #reads: Promise<unknown> = Promise.resolve();
  #pending = new Set<NodeAddress>();
  #isReadAllPending = false;
  #hasLoaded = false;
  #isClosed = false;
  #retry: NodeJS.Timeout | undefined;
  /** By node, what wakes this process when its next move takes effect. */
  readonly #moves = new Map<NodeAddress, NodeJS.Timeout>();
  readonly #subscriber: Subscriber = {
    notified: (payload) => this.#readSoon(readAddresses(payload)),
    listening: () => {
      if (this.#hasLoaded) this.#readSoon("all");
    },
  };

  private constructor(postgres: Postgres, log: Logger) {
    this.#postgres = postgres;
    this.#log = log;
  }

  /** Reads the tree and follows its changes from then on. Rejects when Postgres cannot be reached. */
  static async load(postgres: Postgres, log: Logger): Promise<NodeTree> {
    const tree = new NodeTree(postgres, log);
    await postgres.notices.subscribe(channel, tree.#subscriber);
    await tree.#inTurn(() => tree.#readAll());
    return tree;
  }

  /** Stops following changes; what is being read is read to its end. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    for (const timer of this.#moves.values()) clearTimeout(timer);
    this.#postgres.notices.unsubscribe(channel, this.#subscriber);
    await this.#reads;
  }

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
  pathAt(organization: string, timeMs: number): { partner: string; reseller: string } | undefined {
    let current = this.#nodes.get(nodeAddress("organization", organization));
    if (!current) return undefined;
    const path = { partner: "", reseller: "" };
    for (;;) {
      const parent = parentAt(current, timeMs);
      const above: HeldNode | undefined = parent === null ? undefined : this.#nodes.get(parent);
      if (!above || above.kind === "all") return path;
      if (above.kind === "partner" || above.kind === "reseller") path[above.kind] = above.id;
      current = above;
    }
  }

  /**
   * The node and everything above it, nearest first, as it stood in each part of a span (ms since 1970, UTC, half-open): a
   * move of the node or of one above it begins a new part.
   */
  pathsBetween(address: NodeAddress, fromMs: number, toMs: number): PathSpan[] {
    const paths: PathSpan[] = [];
    for (let atMs = fromMs; atMs < toMs; ) {
      const path: NodeAddress[] = [];
      let untilMs = toMs;
      for (let current = this.#nodes.get(address); current; ) {
        path.push(current.node);
        const next = current.parents.find(({ validFromMs }) => validFromMs > atMs)?.validFromMs;
        if (next !== undefined) untilMs = Math.min(untilMs, next);
        const parent = parentAt(current, atMs);
        current = parent === null ? undefined : this.#nodes.get(parent);
      }
      const last = paths.at(-1);
      if (last && last.path.join() === path.join()) last.toMs = untilMs;
      else paths.push({ fromMs: atMs, toMs: untilMs, path });
      atMs = untilMs;
    }
    return paths;
  }

  /**
   * Where the organization stood from `fromMs` to `toMs` (ms since 1970, UTC, both included), in order of time: one placement
   * unless it, or what stands above it, moved meanwhile to another path; the first since `fromMs`. undefined as in `pathAt`.
   */
  placementsWithin(
    organization: string,
    fromMs: number,
    toMs: number,
  ): { sinceMs: number; partner: string; reseller: string }[] | undefined {
    const placements: { sinceMs: number; partner: string; reseller: string }[] = [];
    for (const { fromMs: sinceMs, path } of this.pathsBetween(
      nodeAddress("organization", organization),
      fromMs,
      toMs + 1,
    )) {
      const above = (kind: string) => path.find((node) => node.startsWith(kind))?.slice(kind.length) ?? "";
      const [partner, reseller] = [above("partner:"), above("reseller:")];
      const last = placements.at(-1);
      if (!last || last.partner !== partner || last.reseller !== reseller)
        placements.push({ sinceMs, partner, reseller });
    }
    return this.#nodes.has(nodeAddress("organization", organization)) ? placements : undefined;
  }

  /** Ids of the organizations that ever stood below the node, or are to; itself where it is one. */
  organizationsEverBelow(address: NodeAddress): string[] {
    const below = new Map<NodeAddress, HeldNode[]>();
    for (const held of this.#nodes.values())
      for (const { parent } of held.parents) {
        const list = below.get(parent);
        if (list) list.push(held);
        else below.set(parent, [held]);
      }
    const found = new Set<HeldNode>();
    const top = this.#nodes.get(address);
    const waiting = top ? [top] : [];
    for (let held = waiting.pop(); held; held = waiting.pop()) {
      if (found.has(held)) continue;
      found.add(held);
      waiting.push(...(below.get(held.node) ?? []));
    }
    return [...found].filter(({ kind }) => kind === "organization").map(({ id }) => id);
  }

  /** When it resolves this tree knows these nodes as they are in Postgres. */
  async reread(addresses: readonly NodeAddress[]): Promise<void> {
    await this.#inTurn(() => this.#read([...addresses]));
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

  /** Where the node stood and is to stand, in order of time; the first since ever. */
  placements(address: NodeAddress): { parent: NodeAddress; from: Date }[] {
    const parents = this.#nodes.get(address)?.parents ?? [];
    return parents.map(({ parent, validFromMs }) => ({ parent, from: new Date(validFromMs) }));
  }

  /** Nodes right below, in the order of their addresses; agents are not listed. */
  children(address: NodeAddress): NodeRecord[] {
    return this.#inOrder(address).map((child) => this.#held(child));
  }

  /** `tops` and the nodes below them, each once, in the order of their addresses; agents are not listed. */
  list(tops: readonly NodeAddress[], { kind, parent, status, search, after, limit }: NodeListOptions): NodeRecord[] {
    const addresses = this.#inOrder(parent);
    const wanted = search?.toLowerCase();
    const found: NodeRecord[] = [];
    for (let index = after === undefined ? 0 : firstAfter(addresses, after); index < addresses.length; index++) {
      const record = this.#held(addresses[index] as NodeAddress);
      if (kind !== undefined && record.kind !== kind) continue;
      if (status !== undefined && record.status !== status) continue;
      if (wanted && ![record.name, record.id, record.externalId].some((text) => text?.toLowerCase().includes(wanted)))
        continue;
      if (!tops.some((top) => this.isWithin(record.node, top))) continue;
      found.push(record);
      if (found.length === limit) break;
    }
    return found;
  }

  /**
   * Makes those of the organizations that do not exist, below `parent`; when it resolves, this tree knows them. An id with
   * U+0000, which Postgres cannot hold, is passed over: there is no such organization afterwards either. Throws
   * TooManyNodesError where `emitterId`, or the tenant that `parent` belongs to, makes too many in so short a time.
   */
  async ensureOrganizations(
    ids: string[],
    parent: NodeAddress,
    by: Author = system,
    emitterId?: string,
  ): Promise<void> {
    const storable = [...new Set(ids)].filter((id) => !id.includes("\0"));
    if (storable.length === 0) return;
    const wanted = storable.map((id) => ({ kind: "organization" as const, id, name: id, parent }));
    if (emitterId !== undefined) {
      const made = wanted.filter((node) => !this.#nodes.has(addressOf(node))).length;
      this.#creations.spend([{ id: emitterId, rate: creationRates.ofEmitter }, this.#tenantOf(parent)], made);
    }
    await this.#insert(wanted, async (tx, inserted) => {
      const after = { organizations: [...inserted].sort() };
      await recordChange(tx, { by, node: parent, action: "organizations.created", subject: parent, after });
    });
  }

  /**
   * Makes a node, unless one with its address exists, which then stays as it is; answers the node that now stands there
   * and whether it is new. The caller has checked that `parent` exists and may be one.
   */
  async createNode(node: NewNode, by: Author = system): Promise<{ node: NodeRecord; isNew: boolean }> {
    const address = addressOf(node);
    if (by.kind !== "system" && !this.#nodes.has(address)) this.#creations.spend([this.#tenantOf(node.parent)], 1);
    const inserted = await this.#insert([node], (tx) =>
      recordChange(tx, { by, node: address, action: "node.created", subject: address, after: node }),
    );
    return { node: this.#held(address), isNew: inserted.has(address) };
  }

  /**
   * Makes those of the nodes that do not exist; parents may be among them. The caller has checked that each parent exists
   * or is made here, and may be one. Answers the addresses of the new ones. Each node that was there and got some has its
   * entry in the audit, with these alone.
   */
  async importNodes(wanted: NewNode[], by: Author): Promise<ReadonlySet<NodeAddress>> {
    const tops = wanted.map(({ parent }) => parent).filter((parent) => this.#nodes.has(parent));
    const tenants = new Map(tops.map((top) => this.#tenantOf(top)).map((tenant) => [tenant.id, tenant]));
    this.#creations.spend([...tenants.values()], wanted.length);
    return await this.#insert(wanted, async (tx, inserted) => {
      const made = new Map(wanted.map((node) => [addressOf(node), node] as const).filter(([one]) => inserted.has(one)));
      const topOf = (address: NodeAddress): NodeAddress => {
        const above = made.get(address);
        return above ? topOf(above.parent) : address;
      };
      const byTop = new Map<NodeAddress, NodeAddress[]>();
      for (const address of made.keys()) {
        const top = topOf(address);
        const list = byTop.get(top);
        if (list) list.push(address);
        else byTop.set(top, [address]);
      }
      for (const [node, nodes] of byTop)
        await recordChange(tx, { by, node, action: "nodes.imported", subject: node, after: { nodes } });
    });
  }

  /**
   * Runs `work` in a transaction and tells every process of the nodes that it changed; when this resolves, this tree
   * knows them itself.
   */
  async change<T>(work: (tx: Queries) => Promise<{ changed: readonly NodeAddress[]; result: T }>): Promise<T> {
    const { changed, result } = await this.#postgres.transaction(async (tx) => {
      const done = await work(tx);
      for (const payload of notices(done.changed)) await tx.execute(sql`SELECT pg_notify(${channel}, ${payload})`);
      return done;
    });
    await this.#inTurn(() => this.#read([...changed]));
    return result;
  }

  /** Who makes nodes below `parent`, as far as limits are concerned: all below one node right below the root. */
  #tenantOf(parent: NodeAddress): { id: NodeAddress; rate: BucketRate } {
    const id = tenantOf(parent, this);
    return { id, rate: id === "all" ? creationRates.ofOperator : creationRates.ofTenant };
  }

  #inOrder(parent: NodeAddress | undefined): NodeAddress[] {
    if (parent !== undefined) return [...(this.#children.get(parent) ?? [])].sort();
    this.#sorted ??= [...this.#nodes.keys()].sort();
    return this.#sorted;
  }

  #held(address: NodeAddress): HeldNode {
    const held = this.#nodes.get(address);
    if (!held) throw new Error(`node ${address} is not in the tree`);
    return held;
  }

  /**
   * Parents go before what stands below them, and nodes of one depth in the order of their addresses: two requests never
   * wait for each other in a ring.
   */
  async #insert(
    wanted: NewNode[],
    record: (tx: Queries, inserted: ReadonlySet<NodeAddress>) => Promise<void>,
  ): Promise<Set<NodeAddress>> {
    const ordered = wanted
      .map((node) => ({ ...node, node: addressOf(node) }))
      .sort((a, b) => nodeKinds.indexOf(a.kind) - nodeKinds.indexOf(b.kind) || (a.node < b.node ? -1 : 1));
    // A node that was there is read too: this tree may not have heard of it yet.
    const changed = ordered.map(({ node }) => node);
    return await this.change(async (tx) => {
      const inserted = new Set<NodeAddress>();
      for (let start = 0; start < ordered.length; start += insertChunk) {
        const chunk = ordered.slice(start, start + insertChunk);
        // Each column is one parameter: importing 100,000 nodes took 7 s so, 37 s with a parameter for each value.
        const column = <T>(of: (node: (typeof chunk)[number]) => T) => sql.param(chunk.map(of));
        const { rows: made } = await tx.execute<{ node: NodeAddress }>(sql`
          INSERT INTO nodes (node, kind, id, name, external_id, status, fields)
          SELECT * FROM unnest(
            ${column(({ node }) => node)}::text[], ${column(({ kind }) => kind)}::text[], ${column(({ id }) => id)}::text[],
            ${column(({ name }) => name)}::text[], ${column(({ externalId }) => externalId ?? null)}::text[],
            ${column(({ status }) => status ?? "active")}::text[],
            ${column(({ fields }) => JSON.stringify(fields ?? {}))}::jsonb[])
          ON CONFLICT DO NOTHING RETURNING node`);
        const fresh = new Set(made.map(({ node }) => node));
        const placed = chunk.filter(({ node }) => fresh.has(node));
        await tx.execute(sql`
          INSERT INTO node_parents (node, parent, valid_from)
          SELECT node, parent, 'epoch' FROM unnest(
            ${sql.param(placed.map(({ node }) => node))}::text[],
            ${sql.param(placed.map(({ parent }) => parent))}::text[]) AS placed (node, parent)`);
        for (const node of fresh) inserted.add(node);
      }
      if (inserted.size > 0) await record(tx, inserted);
      return { changed, result: inserted };
    });
  }

  #inTurn<T>(read: () => Promise<T>): Promise<T> {
    const result = this.#reads.then(read);
    this.#reads = result.catch(() => {});
    return result;
  }

  /** Notices that come while a read runs are answered by one read after it. A failed read is made up by reading all. */
  #readSoon(addresses: NodeAddress[] | "all"): void {
    const isScheduled = this.#isReadAllPending || this.#pending.size > 0;
    if (addresses === "all") this.#isReadAllPending = true;
    else for (const address of addresses) this.#pending.add(address);
    if (isScheduled) return;
    this.#inTurn(async () => {
      const wanted = [...this.#pending];
      const isAll = this.#isReadAllPending;
      this.#pending.clear();
      this.#isReadAllPending = false;
      if (isAll) await this.#readAll();
      else await this.#read(wanted);
    }).catch((error: unknown) => {
      if (this.#isClosed) return;
      this.#log.warn({ err: error }, "the account tree could not be read again; retrying");
      this.#retry = setTimeout(() => this.#readSoon("all"), rereadAfterMs);
    });
  }

  /** A move that lies ahead takes effect in this process at its instant; only the next one of a node is waited for. */
  #rereadAt(node: NodeAddress, atMs: number | undefined): void {
    clearTimeout(this.#moves.get(node));
    this.#moves.delete(node);
    if (atMs === undefined || this.#isClosed) return;
    const timer = setTimeout(() => this.#readSoon([node]), Math.min(atMs - Date.now() + 1, maxTimerMs));
    this.#moves.set(node, timer.unref());
  }

  async #readAll(): Promise<void> {
    const [nodeRows, parentRows] = await this.#postgres.transaction(
      async (tx) => [await tx.select().from(nodes), await tx.select().from(nodeParents)] as const,
      "snapshot",
    );
    this.#nodes = new Map();
    this.#children = new Map();
    this.#put(nodeRows, parentRows);
    this.#hasLoaded = true;
  }

  async #read(addresses: NodeAddress[]): Promise<void> {
    for (let start = 0; start < addresses.length; start += insertChunk) {
      const chunk = addresses.slice(start, start + insertChunk);
      const [nodeRows, parentRows] = await this.#postgres.transaction(
        async (tx) =>
          [
            await tx.select().from(nodes).where(inArray(nodes.node, chunk)),
            await tx.select().from(nodeParents).where(inArray(nodeParents.node, chunk)),
          ] as const,
        "snapshot",
      );
      this.#put(nodeRows, parentRows);
    }
  }

  #put(nodeRows: (typeof nodes.$inferSelect)[], parentRows: (typeof nodeParents.$inferSelect)[]): void {
    const parentsOf = new Map<NodeAddress, HeldNode["parents"]>();
    for (const { node, parent, validFrom } of parentRows) {
      const entry = { validFromMs: validFrom.getTime(), parent };
      const list = parentsOf.get(node);
      if (list) list.push(entry);
      else parentsOf.set(node, [entry]);
    }
    for (const row of nodeRows) {
      const parents = (parentsOf.get(row.node) ?? []).sort((a, b) => a.validFromMs - b.validFromMs);
      const parent = parentAt({ parents }, Date.now());
      this.#rereadAt(row.node, parents.find(({ validFromMs }) => validFromMs > Date.now())?.validFromMs);
      const earlier = this.#nodes.get(row.node);
      if (!earlier) this.#sorted = undefined;
      if (earlier?.parent) this.#children.get(earlier.parent)?.delete(row.node);
      if (parent !== null) {
        const siblings = this.#children.get(parent);
        if (siblings) siblings.add(row.node);
        else this.#children.set(parent, new Set([row.node]));
      }
      this.#nodes.set(row.node, { ...row, parent, parents });
    }
  }
}

/** Whether a node of `child` kind may stand right below one of `parent` kind: any depth may be skipped, none reversed. */
export function mayStandBelow(child: NodeKind, parent: NodeKind | "all"): boolean {
  return parent === "all" || nodeKinds.indexOf(child) > nodeKinds.indexOf(parent);
}

function addressOf({ kind, id }: Pick<NewNode, "kind" | "id">): NodeAddress {
  return nodeAddress(kind, id);
}

function organizationOfAgent(address: NodeAddress): NodeAddress | undefined {
  if (!address.startsWith("agent:")) return undefined;
  const slash = address.indexOf("/");
  return slash < 0 ? undefined : `organization:${address.slice("agent:".length, slash)}`;
}

function parentAt({ parents }: Pick<HeldNode, "parents">, timeMs: number): NodeAddress | null {
  for (let index = parents.length - 1; index > 0; index--) {
    const entry = parents[index];
    if (entry && entry.validFromMs <= timeMs) return entry.parent;
  }
  return parents[0]?.parent ?? null;
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

const noticeSchema = z.array(z.string());

function readAddresses(payload: string): NodeAddress[] {
  return noticeSchema.parse(JSON.parse(payload));
}

/** JSON arrays of addresses, each within what one NOTIFY carries. */
function notices(addresses: readonly NodeAddress[]): string[] {
  const payloads: string[] = [];
  let parts: string[] = [];
  let bytes = 2;
  for (const address of addresses) {
    const part = JSON.stringify(address);
    const partBytes = Buffer.byteLength(part) + 1;
    if (bytes + partBytes > maxNoticeBytes) {
      payloads.push(`[${parts.join(",")}]`);
      parts = [];
      bytes = 2;
    }
    parts.push(part);
    bytes += partBytes;
  }
  if (parts.length > 0) payloads.push(`[${parts.join(",")}]`);
  return payloads;
}
