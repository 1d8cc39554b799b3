/** What every live view shows of a node: its levels, and how they went in the last half hour. */
import type { LiveLevels } from "@contract/live.ts";
import type { UsageAnswer } from "@contract/usage.ts";
import { readUsage } from "../api/usage.ts";
import { Loaded } from "../state/loaded.svelte.ts";
import { LiveFeed } from "./live.svelte.ts";

export const counters = [
  { name: "live_participants", testid: "live-participants" },
  { name: "live_sessions", testid: "live-sessions" },
  { name: "active_recordings", testid: "active-recordings" },
] as const satisfies readonly { name: keyof LiveLevels; testid: string }[];
const halfHourMs = 30 * 60_000;

export class LiveFigures {
  readonly feed: LiveFeed;
  readonly #node: string | undefined;
  readonly #earlier = new Loaded<UsageAnswer>();

  /** What is shown may not be the present; nothing at all is shown where none has come yet. */
  readonly isOld = $derived.by(() => ["unreachable", "reconnecting", "stale"].includes(this.feed.state));

  /** Of `node` (the caller's own when undefined), from `open` until `close`. */
  constructor(node: string | undefined) {
    this.#node = node;
    this.feed = new LiveFeed(node);
  }

  open(): void {
    this.feed.open();
    const from = new Date(Date.now() - halfHourMs).toISOString();
    const question = { node: this.#node, from, to: "now", window: "minute", tz: "UTC" } as const;
    this.#earlier.load((signal) => readUsage({ ...question, meters: counters.map(({ name }) => name) }, signal));
  }

  close(): void {
    this.feed.close();
    this.#earlier.close();
  }

  /** The last half hour: from before the page was open, and since. */
  pointsOf(name: keyof LiveLevels): { atMs: number; value: number }[] {
    const { samples, shownMs } = this.feed;
    const firstSampleMs = samples[0]?.receivedAtMs ?? Date.now();
    const earlier = this.#earlier.value?.meters.find(({ meter }) => meter === name)?.series ?? [];
    return [
      ...earlier
        .map(({ end, value }) => ({ atMs: Date.parse(end), value: Number(value ?? 0) }))
        .filter(({ atMs }) => atMs > shownMs - halfHourMs && atMs < firstSampleMs),
      ...samples.map(({ receivedAtMs, levels }) => ({ atMs: receivedAtMs, value: levels[name] })),
    ];
  }
}
