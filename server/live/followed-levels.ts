/**
 * The live levels of the process that derives: read from storage once, then kept by what each derivation changed. Whenever it
 * does not know whether it saw everything (a derivation that failed, another epoch) it answers nothing and
 * reads storage again, while nothing is derived; until then who asks reads storage. So does who asks for what is left out where
 * there is too much to keep.
 */
import type { Logger } from "pino";
import type { ClickHouse } from "../clickhouse/client.ts";
import type { LiveAnswer } from "../contract/live.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { LevelMaterializer } from "../rollups/derive-levels.ts";
import type { DerivationListener, DerivedChange } from "../rollups/derived-change.ts";
import { beyondShare } from "./fair-share.ts";
import { type LiveLevels, maxHeld } from "./live-levels.ts";
import { loadLiveLevels } from "./load-live-levels.ts";

export interface FollowedLevelsDeps {
  clickhouse: ClickHouse;
  /** Levels of these nodes are otherwise than they were. */
  onChanged: (nodes: ReadonlySet<NodeAddress>) => void;
  /** An organization's tenant: tenants share what may be kept. */
  tenantOf: (organization: string) => string;
  log: Pick<Logger, "warn">;
  maxHeld?: number;
  now?: () => number;
}

export interface FollowedSource {
  materializer: Pick<LevelMaterializer, "derive">;
  /** In which this process derives; undefined: another one does. */
  epoch: () => number | undefined;
  watermark: () => Date;
  /** An interval has timed out: its session is to be derived. */
  onTimedOut: () => Promise<unknown>;
}

const loadAgainMs = 250;
const longestLoadAgainMs = 10_000;
const fullForMs = 60_000;
const keptOfMost = 0.75;
/** Many changes that lie ahead, one right after the other, come to pass together. */
const changeEveryMs = 100;
/** Many that time out one after another are derived together. */
const timeOutEveryMs = 250;

export class FollowedLevels implements DerivationListener {
  readonly #deps: FollowedLevelsDeps;
  readonly #maxHeld: number;
  readonly #now: () => number;
  #source: FollowedSource | undefined;
  #levels: { kept: LiveLevels; epoch: number } | undefined;
  #loadTimer: NodeJS.Timeout | undefined;
  #loadDueMs = 0;
  #loadAfterMs = loadAgainMs;
  #changeTimer: NodeJS.Timeout | undefined;
  #changedAtMs = Number.NEGATIVE_INFINITY;
  #timeOutTimer: NodeJS.Timeout | undefined;
  #timedOutAtMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(deps: FollowedLevelsDeps) {
    this.#deps = deps;
    this.#maxHeld = deps.maxHeld ?? maxHeld;
    this.#now = deps.now ?? Date.now;
  }

  follow(source: FollowedSource): void {
    this.#source = source;
    this.#loadSoon(0);
  }

  close(): void {
    this.#isClosed = true;
    this.#levels = undefined;
    clearTimeout(this.#loadTimer);
    clearTimeout(this.#changeTimer);
    clearTimeout(this.#timeOutTimer);
  }

  /** Whether this process has levels: what it does not read then, no other process does. */
  get isKept(): boolean {
    return this.#kept() !== undefined;
  }

  /** undefined: storage is to be read. */
  read(node: NodeAddress): LiveAnswer | undefined {
    const kept = this.#kept();
    if (!kept || !this.#source) return undefined;
    const nowMs = this.#now();
    // Before the levels: what is stored after it may be in them.
    const watermark = this.#source.watermark().toISOString();
    const reading = kept.read(node, nowMs);
    return reading && { node, at: new Date(nowMs).toISOString(), watermark, ...reading };
  }

  onSessionsDerived(changes: readonly DerivedChange[]): void {
    const kept = this.#kept();
    if (!kept) return;
    kept.apply(changes, this.#now());
    if (kept.held > this.#maxHeld) this.#leaveOut(kept);
    this.#publish(kept);
  }

  /** Those beyond their share of somewhat less than may be kept: else a little more would leave out others at once. */
  #leaveOut(kept: LiveLevels): void {
    const { tenantOf } = this.#deps;
    const all = [...kept.heldByOrganization()].map(([organization, held]) => ({
      organization,
      held,
      tenant: tenantOf(organization),
    }));
    kept.leaveOut(beyondShare(all, keptOfMost * this.#maxHeld));
    this.#tooMany();
    this.#loadSoon(fullForMs);
  }

  #tooMany(): void {
    this.#deps.log.warn(
      { most: this.#maxHeld },
      "more runs than is kept in memory: live figures of who has most are read from storage",
    );
  }

  onInvalidated(): void {
    this.#levels = undefined;
    this.#loadSoon(this.#loadAfterMs);
  }

  #kept(): LiveLevels | undefined {
    if (!this.#levels) return undefined;
    if (this.#levels.epoch === this.#source?.epoch()) return this.#levels.kept;
    this.onInvalidated();
    return undefined;
  }

  /** No later than what is due already. */
  #loadSoon(afterMs: number): void {
    if (this.#isClosed || !this.#source) return;
    const dueMs = performance.now() + afterMs;
    if (this.#loadTimer && this.#loadDueMs <= dueMs) return;
    clearTimeout(this.#loadTimer);
    this.#loadDueMs = dueMs;
    this.#loadTimer = setTimeout(() => {
      this.#loadTimer = undefined;
      void this.#load(this.#source as FollowedSource);
    }, afterMs);
  }

  async #load({ materializer, epoch }: FollowedSource): Promise<void> {
    try {
      if (epoch() === undefined) {
        this.#loadSoon(loadAgainMs);
        return;
      }
      await materializer.derive([], this.#now(), "changes", async () => {
        const number = epoch();
        const { clickhouse, tenantOf } = this.#deps;
        const kept = await loadLiveLevels(clickhouse, this.#now(), this.#maxHeld, tenantOf);
        if (number === undefined || this.#isClosed) return;
        // Where storage has too much, what was followed until now is still right.
        if (kept) this.#levels = { kept, epoch: number };
        else if (this.#levels?.epoch !== number) this.#levels = undefined;
        if (!kept?.isComplete) this.#tooMany();
      });
      this.#loadAfterMs = loadAgainMs;
      clearTimeout(this.#loadTimer);
      this.#loadTimer = undefined;
      const kept = this.#levels?.kept;
      if (kept) this.#publish(kept);
      if (!kept?.isComplete) this.#loadSoon(fullForMs);
    } catch (error) {
      this.#deps.log.warn({ err: error }, "live levels could not be read, trying again until they can");
      this.#loadAfterMs = Math.min(longestLoadAgainMs, this.#loadAfterMs * 2);
      this.#loadSoon(this.#loadAfterMs);
    }
  }

  /** Says what has changed, and wakes when something changes by itself. */
  #publish(kept: LiveLevels): void {
    const changed = kept.takeChanged();
    if (changed.size > 0) this.#deps.onChanged(changed);
    clearTimeout(this.#changeTimer);
    const nextMs = kept.nextMs();
    if (nextMs === undefined) return;
    const restMs = Math.max(0, this.#changedAtMs + changeEveryMs - performance.now());
    const afterMs = Math.max(restMs, Math.min(nextMs - this.#now(), 60_000));
    this.#changeTimer = setTimeout(() => this.#changeByItself(), afterMs);
  }

  #changeByItself(): void {
    const kept = this.#kept();
    if (!kept) return;
    const nowMs = this.#now();
    this.#changedAtMs = performance.now();
    kept.advance(nowMs);
    if (kept.takeTimedOut(nowMs)) this.#timeOutSoon();
    this.#publish(kept);
  }

  #timeOutSoon(): void {
    if (this.#timeOutTimer) return;
    const afterMs = Math.max(0, this.#timedOutAtMs + timeOutEveryMs - performance.now());
    this.#timeOutTimer = setTimeout(() => {
      this.#timeOutTimer = undefined;
      this.#timedOutAtMs = performance.now();
      // What fails here is done by the job that looks for it every other second.
      this.#source
        ?.onTimedOut()
        .catch((err: unknown) => this.#deps.log.warn({ err }, "what timed out is derived later"));
    }, afterMs);
  }
}
