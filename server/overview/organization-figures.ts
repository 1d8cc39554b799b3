/** The figures of organizations that the list and the overview share, cached between questions. */

import type { UsageSource } from "../billing/measure-span.ts";
import { meterIdentity } from "../catalog/catalog.ts";
import type { Meter } from "../catalog/meter.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { totalsBy } from "../metrics/usage.ts";
import type { Postgres } from "../postgres/client.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { type AccountState, AccountStates } from "./account-state.ts";
import type { FigureByOrganization } from "./measure-organizations.ts";
import { readStandings, type Standings } from "./read-standings.ts";
import { type CacheOptions, StaleWhileRevalidateCache } from "./stale-while-revalidate.ts";

export interface FiguresSource extends UsageSource {
  postgres: Postgres;
  tree: Pick<NodeTree, "size">;
  /** Another number whenever more is stored. */
  settledBatch: () => number;
}

/** An answer with its watermark: every event accepted up to then is in it. */
export interface Watermarked<Answer> {
  watermark: Date;
  answer: Answer;
}

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
  readonly #standings: StaleWhileRevalidateCache<Watermarked<Standings>>;
  readonly #usage: StaleWhileRevalidateCache<Watermarked<FigureByOrganization>>;

  constructor(source: FiguresSource, options = cacheOptions(source.tree)) {
    this.#source = source;
    this.#accounts = new AccountStates(source.postgres);
    this.#standings = new StaleWhileRevalidateCache(options);
    this.#usage = new StaleWhileRevalidateCache(options);
  }

  accounts(): Promise<AccountState> {
    return this.#accounts.read();
  }

  /** The standings of all subscribed nodes. `mustRevalidate` waits until everything that is stored is in it, here and below. */
  async standings(state: AccountState, nowMs: number, mustRevalidate: boolean): Promise<Watermarked<Standings>> {
    const stored = `${this.#source.settledBatch()} ${state.sequence}`;
    return await this.#standings.ask("", stored, mustRevalidate, async () => {
      const watermark = this.#source.watermark();
      return { watermark, answer: await readStandings(this.#source, state, nowMs) };
    });
  }

  /** A meter since an instant until now, by organization, as far as each was within the node. */
  async usage(
    node: NodeAddress,
    meter: Meter,
    fromMs: number,
    nowMs: number,
    mustRevalidate: boolean,
  ): Promise<Watermarked<FigureByOrganization>> {
    const key = JSON.stringify([node, meterIdentity(meter), fromMs]);
    return await this.#usage.ask(key, String(this.#source.settledBatch()), mustRevalidate, async () => {
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
