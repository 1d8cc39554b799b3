/**
 * The account tree, whole in memory, so that rights and paths are answered without a query. Every process holds one and
 * follows the others through NOTIFY; after a lost connection it reads everything again.
 */

import { sql } from "drizzle-orm";
import type { Logger } from "pino";
import { type Author, recordChange, system } from "../audit/record-change.ts";
import { definitionLimits } from "../contract/definition-limits.ts";
import { dayMs } from "../contract/durations.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { BucketRate } from "../fairness/token-buckets.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import type { Subscriber } from "../postgres/notices.ts";
import { ProblemError } from "../problem.ts";
import { CreationLimits, creationRates } from "./creation-limits.ts";
import { bytesOfFields, checkFields, FieldBytes } from "./field-bytes.ts";
import { nodeChannel, readNotice, writeNotices } from "./node-notices.ts";
import { addressOf, type NewNode, type NodeRecord } from "./node-record.ts";
import { inOrderOfInsertion, insertNodeRows, type NodeRows, readAllNodeRows, readNodeRows } from "./node-rows.ts";
import { NodesInMemory } from "./nodes-in-memory.ts";
import { tenantOf } from "./tenant-of.ts";

const { ofTenant: mostOfTenant } = definitionLimits.nodes;
const rereadAfterMs = 1_000;
/** Node's timers take no more than 2^31 ms; a node that moves later than this is looked at again meanwhile. */
const maxTimerMs = dayMs;

export class NodeTree extends NodesInMemory {
  readonly #postgres: Postgres;
  readonly #log: Logger;
  readonly #creations = new CreationLimits();
  readonly #fields = new FieldBytes((tenant) => this.sizeWithin(tenant).fieldBytes);
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
    notified: (payload) => this.#readSoon(readNotice(payload)),
    listening: () => {
      if (this.#hasLoaded) this.#readSoon("all");
    },
  };

  private constructor(postgres: Postgres, log: Logger) {
    super();
    this.#postgres = postgres;
    this.#log = log;
  }

  /** Reads the tree and follows its changes from then on. Rejects when Postgres cannot be reached. */
  static async load(postgres: Postgres, log: Logger): Promise<NodeTree> {
    const tree = new NodeTree(postgres, log);
    await postgres.notices.subscribe(nodeChannel, tree.#subscriber);
    await tree.#inTurn(() => tree.#readAll());
    return tree;
  }

  /** Stops following changes; what is being read is read to its end. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    for (const timer of this.#moves.values()) clearTimeout(timer);
    this.#postgres.notices.unsubscribe(nodeChannel, this.#subscriber);
    await this.#reads;
  }

  /** When it resolves this tree knows these nodes as they are in Postgres. */
  async reread(addresses: readonly NodeAddress[]): Promise<void> {
    await this.#inTurn(() => this.#read([...addresses]));
  }

  /**
   * Makes those of the organizations that do not exist, below `parent`; when it resolves, this tree knows them. An id with
   * U+0000, which Postgres cannot hold, and those for which the tenant has no room are passed over: there is no such organization
   * afterwards either. Throws
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
    const named = storable.map((id) => ({ kind: "organization" as const, id, name: id, parent }));
    let room = this.#roomOf(tenantOf(parent, this));
    const wanted = named.filter((node) => this.has(addressOf(node)) || room-- > 0);
    if (emitterId !== undefined) {
      const made = wanted.filter((node) => !this.has(addressOf(node))).length;
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
    if (!this.has(address)) {
      checkFields(node.fields);
      if (by.kind !== "system") this.#creations.spend([this.#tenantOf(node.parent)], 1);
    }
    const inserted = await this.#withRoomFor([node], () =>
      this.#insert([node], (tx) =>
        recordChange(tx, { by, node: address, action: "node.created", subject: address, after: node }),
      ),
    );
    return { node: this.held(address), isNew: inserted.has(address) };
  }

  /**
   * Makes those of the nodes that do not exist; parents may be among them. The caller has checked that each parent exists
   * or is made here, and may be one. Answers the addresses of the new ones. Each node that was there and got some has its
   * entry in the audit, with these alone.
   */
  async importNodes(wanted: NewNode[], by: Author): Promise<ReadonlySet<NodeAddress>> {
    const tops = wanted.map(({ parent }) => parent).filter((parent) => this.has(parent));
    const tenants = new Map(tops.map((top) => this.#tenantOf(top)).map((tenant) => [tenant.id, tenant]));
    this.#creations.spend([...tenants.values()], wanted.length);
    const record = async (tx: Queries, inserted: ReadonlySet<NodeAddress>) => {
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
    };
    return await this.#withRoomFor(wanted, () => this.#insert(wanted, record));
  }

  /** Runs `change`, by which the node's fields become larger; throws as `FieldBytes.adding`. */
  async withLargerFields<T>(node: NodeAddress, bytes: number, change: () => Promise<T>): Promise<T> {
    return await this.#fields.adding(new Map([[tenantOf(node, this), bytes]]), change);
  }

  /** How many more nodes the tenant may have; the operator may have any number. */
  #roomOf(tenant: NodeAddress): number {
    return tenant === "all" ? Number.POSITIVE_INFINITY : mostOfTenant - this.sizeWithin(tenant).nodes;
  }

  /** Runs `insert`. Throws `conflict` where a tenant has no room for its nodes, or for their fields. */
  async #withRoomFor<T>(wanted: readonly NewNode[], insert: () => Promise<T>): Promise<T> {
    const made = new Map(wanted.map((node) => [addressOf(node), node]));
    const bytes = new Map<NodeAddress, number>();
    const nodes = new Map<NodeAddress, number>();
    for (const [address, { fields }] of made) {
      if (this.has(address)) continue;
      let top = address;
      for (let node = made.get(top); node && node.parent !== "all"; node = made.get(top)) top = node.parent;
      const tenant = made.has(top) ? top : tenantOf(top, this);
      bytes.set(tenant, (bytes.get(tenant) ?? 0) + bytesOfFields(fields));
      nodes.set(tenant, (nodes.get(tenant) ?? 0) + 1);
    }
    for (const [tenant, added] of nodes)
      if (added > this.#roomOf(tenant)) {
        const message = `the tenant would have more than ${mostOfTenant} nodes, and may not`;
        throw new ProblemError("conflict", message, { field: "parent" });
      }
    return await this.#fields.adding(bytes, insert);
  }

  /**
   * Runs `work` in a transaction and notifies every process of the nodes that it changed; when this resolves, this tree
   * knows them itself.
   */
  async change<T>(work: (tx: Queries) => Promise<{ changed: readonly NodeAddress[]; result: T }>): Promise<T> {
    const { changed, result } = await this.#postgres.transaction(async (tx) => {
      const done = await work(tx);
      for (const payload of writeNotices(done.changed))
        await tx.execute(sql`SELECT pg_notify(${nodeChannel}, ${payload})`);
      return done;
    });
    await this.#inTurn(() => this.#read([...changed]));
    return result;
  }

  /** Whose limits nodes below `parent` count against: those of the node right below the root. */
  #tenantOf(parent: NodeAddress): { id: NodeAddress; rate: BucketRate } {
    const id = tenantOf(parent, this);
    return { id, rate: id === "all" ? creationRates.ofOperator : creationRates.ofTenant };
  }

  async #insert(
    wanted: NewNode[],
    record: (tx: Queries, inserted: ReadonlySet<NodeAddress>) => Promise<void>,
  ): Promise<Set<NodeAddress>> {
    const ordered = inOrderOfInsertion(wanted);
    // A node that was there is read too: this tree may not know it yet.
    const changed = ordered.map(({ node }) => node);
    return await this.change(async (tx) => {
      const inserted = await insertNodeRows(tx, ordered);
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
    const rows = await readAllNodeRows(this.#postgres);
    const nowMs = Date.now();
    this.replace(rows, nowMs);
    this.#awaitMoves(rows, nowMs);
    this.#hasLoaded = true;
  }

  async #read(addresses: NodeAddress[]): Promise<void> {
    for await (const rows of readNodeRows(this.#postgres, addresses)) {
      const nowMs = Date.now();
      this.put(rows, nowMs);
      this.#awaitMoves(rows, nowMs);
    }
  }

  #awaitMoves({ nodes }: NodeRows, nowMs: number): void {
    for (const { node } of nodes) this.#rereadAt(node, this.nextMoveMs(node, nowMs));
  }
}
