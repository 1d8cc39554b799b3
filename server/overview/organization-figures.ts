/** The figures of organizations that the list and the overview share, cached between questions. */

import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import type { SubscriptionRecord } from "../billing/billing-cycle.ts";
import type { UsageSource } from "../billing/measure-span.ts";
import { meterIdentity } from "../catalog/catalog.ts";
import type { Meter } from "../catalog/meter.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { FairTurns } from "../fairness/fair-turns.ts";
import { totalsBy } from "../metrics/usage.ts";
import type { Postgres } from "../postgres/client.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { tenantOf } from "../tree/tenant-of.ts";
import { type AccountState, AccountStates } from "./account-state.ts";
import type { FigureByOrganization } from "./measure-organizations.ts";
import { byCost, type ReadStandings, readStandings, type Standings } from "./read-standings.ts";
import { type CacheOptions, StaleWhileRevalidateCache } from "./stale-while-revalidate.ts";

export interface FiguresSource extends UsageSource {
  postgres: Postgres;
  tree: Pick<NodeTree, "size" | "ancestors">;
  log: Pick<Logger, "warn">;
  /** Another number whenever more is stored. */
  settledBatch: () => number;
}

/** An answer with its watermark: every event accepted up to then is in it. */
export interface Watermarked<Answer> {
  watermark: Date;
  answer: Answer;
}

/** All of them together hold one standing for each subscribed node. */
const maxTenants = 10_000;

/** Tenants whose standings are read at once, of each tenant one reading. */
const readingTurns = {
  most: 4,
  maxWithFirst: 8,
  maxOfTenant: 1,
  maxOfCaller: 1,
  patienceMs: 600_000,
  maxWaitingOfCaller: Number.POSITIVE_INFINITY,
  maxWaitingOfTenant: Number.POSITIVE_INFINITY,
};

/** Nodes that one line of the log names. */
const maxNamed = 20;

/** How long an answer of the root waits for one tenant's standings. */
interface RootPatience {
  patienceMs: number;
  patienceOfRevalidationMs: number;
}
const rootPatience: RootPatience = { patienceMs: 5_000, patienceOfRevalidationMs: 20_000 };

/** For a tenant whose standings were not read yet. */
const nothingKnownOf = (subscriptions: readonly SubscriptionRecord[]): Watermarked<ReadStandings> => ({
  watermark: new Date(0),
  answer: { standings: new Map(), failed: new Map(subscriptions.map(({ node }) => [node, "not read yet"])) },
});

/** In a larger tree only a cached answer can come within 300 ms. */
const manyNodes = 2_000;

/** Minutes of what is open grow by a few seconds within `freshMs`, of which a person sees nothing. */
export function cacheOptions(tree: Pick<NodeTree, "size">): CacheOptions {
  const waitMs = () => (tree.size > manyNodes ? 100 : 1_000);
  return { freshMs: 5_000, maxAgeMs: 600_000, waitMs, maxAnswers: 200 };
}

export class OrganizationFigures {
  readonly #source: FiguresSource;
  readonly #accounts: AccountStates;
  /** What a few statements read of all tenants, with the subscriptions whose limits cost more, by tenant. */
  readonly #shared: StaleWhileRevalidateCache<
    Watermarked<ReadStandings> & { costly: Map<NodeAddress, SubscriptionRecord[]> }
  >;
  readonly #ofTenant: StaleWhileRevalidateCache<Watermarked<ReadStandings>>;
  readonly #turns = new FairTurns(readingTurns);
  readonly #usage: StaleWhileRevalidateCache<Watermarked<FigureByOrganization>>;

  readonly #rootPatience: RootPatience;

  constructor(source: FiguresSource, options = cacheOptions(source.tree), patience = rootPatience) {
    this.#source = source;
    this.#rootPatience = patience;
    this.#accounts = new AccountStates(source.postgres);
    this.#shared = new StaleWhileRevalidateCache(options);
    this.#ofTenant = new StaleWhileRevalidateCache({ ...options, maxAnswers: maxTenants });
    this.#usage = new StaleWhileRevalidateCache(options);
  }

  accounts(): Promise<AccountState> {
    return this.#accounts.read();
  }

  /**
   * The standings of the node and all below it, and others' as far as they are cheap to read. `mustRevalidate` waits until
   * everything that is stored is in it, here and below; at the root no longer than a while for each tenant, whose older
   * standings are given then, unless `isWhole`: what is kept must have them all, or fail. A node whose standing could not be read
   * has none, which is logged, and is `missing`; it is read again as soon as the answer is not fresh any more.
   */
  async standings(
    node: NodeAddress,
    state: AccountState,
    nowMs: number,
    mustRevalidate: boolean,
    { isWhole = false } = {},
  ): Promise<Watermarked<Standings> & { missing: NodeAddress[] }> {
    const stored = `${this.#source.settledBatch()} ${state.sequence}`;
    const shared = await this.#shared.ask({ tenant: "all", key: "" }, stored, mustRevalidate, async () => {
      const watermark = this.#source.watermark();
      const { cheap, costly } = byCost(this.#source, state, nowMs);
      const answer = await this.#read({ ...state, subscriptions: cheap }, nowMs);
      return { watermark, answer, costly: this.#byReading(costly) };
    });
    const isOwn = node !== "all";
    const own = new Set([tenantOf(node, this.#source.tree), this.#readingOf(node)]);
    const costly = [...shared.costly].filter(([tenant]) => !isOwn || own.has(tenant));
    const read = await Promise.all(
      costly.map(async ([tenant, subscriptions]): Promise<Watermarked<ReadStandings>> => {
        const asked = this.#ofTenant.ask({ tenant, key: tenant }, stored, mustRevalidate, () =>
          this.#readInTurn(tenant, { ...state, subscriptions }, nowMs),
        );
        if (isOwn || isWhole) return await asked;
        const older = () => this.#ofTenant.latest(tenant) ?? nothingKnownOf(subscriptions);
        const { patienceMs, patienceOfRevalidationMs } = this.#rootPatience;
        const waitMs = mustRevalidate ? patienceOfRevalidationMs : patienceMs;
        return await Promise.race([asked.catch(older), delay(waitMs, undefined, { ref: false }).then(older)]);
      }),
    );
    const answer = new Map(shared.answer.standings);
    for (const one of read) for (const [place, standing] of one.answer.standings) answer.set(place, standing);
    const missing: NodeAddress[] = [];
    for (const { answer: one } of [shared, ...read])
      for (const [place, error] of one.failed) {
        if (!this.#source.tree.ancestors(place).includes(node)) continue;
        if (isWhole) throw error;
        missing.push(place);
      }
    const watermarks = [shared, ...read].map(({ watermark }) => watermark.getTime());
    return { watermark: new Date(Math.min(...watermarks)), answer, missing };
  }

  /** Organizations right below the root are its own customers: they are read together. */
  #readingOf(node: NodeAddress): NodeAddress {
    const tenant = tenantOf(node, this.#source.tree);
    return node === tenant && node.startsWith("organization:") ? "all" : tenant;
  }

  #byReading(subscriptions: readonly SubscriptionRecord[]): Map<NodeAddress, SubscriptionRecord[]> {
    const found = new Map<NodeAddress, SubscriptionRecord[]>();
    for (const one of subscriptions) {
      const reading = this.#readingOf(one.node);
      const same = found.get(reading);
      if (same) same.push(one);
      else found.set(reading, [one]);
    }
    return found;
  }

  async #readInTurn(tenant: NodeAddress, state: AccountState, nowMs: number): Promise<Watermarked<ReadStandings>> {
    const end = await this.#turns.take({ tenant, id: tenant });
    try {
      const watermark = this.#source.watermark();
      return { watermark, answer: await this.#read(state, nowMs) };
    } finally {
      end();
    }
  }

  async #read(state: AccountState, nowMs: number): Promise<ReadStandings> {
    const read = await readStandings(this.#source, state, nowMs);
    const [first] = read.failed;
    if (first) {
      const about = { err: first[1], nodes: [...read.failed.keys()].slice(0, maxNamed), count: read.failed.size };
      this.#source.log.warn(about, "limits of nodes could not be read");
    }
    return read;
  }

  /** A meter since an instant until now, by organization, as far as each was within the node. */
  async usage(
    node: NodeAddress,
    meter: Meter,
    fromMs: number,
    nowMs: number,
    mustRevalidate: boolean,
  ): Promise<Watermarked<FigureByOrganization>> {
    const about = {
      tenant: tenantOf(node, this.#source.tree),
      key: JSON.stringify([node, meterIdentity(meter), fromMs]),
    };
    return await this.#usage.ask(about, String(this.#source.settledBatch()), mustRevalidate, async () => {
      const watermark = this.#source.watermark();
      const span = { node, fromMs, toMs: nowMs };
      return { watermark, answer: await totalsBy(this.#source.clickhouse, meter, "organization", span) };
    });
  }
}

/** The users with a role at one of the nodes, each once. */
export function usersAt({ users }: Pick<AccountState, "users">, isThere: (node: NodeAddress) => boolean): Set<string> {
  const found = new Set<string>();
  for (const [node, ids] of users) if (isThere(node)) for (const id of ids) found.add(id);
  return found;
}
