/** What the usage page shows, or a panel of a dashboard, as its address says it. */
import type { WindowKind } from "@contract/usage.ts";
import type { UsageQuestion } from "../api/usage.ts";
import { parseSort } from "../charts/usage-table.ts";
import { queryValue } from "../router.ts";
import { parseComparison } from "./comparison.ts";
import { knownMeters } from "./directory.svelte.ts";
import { parseWhere } from "./filters.ts";
import { parseRange, spanOf, windowsFor } from "./range.ts";
import { zoneOf } from "./zone.ts";

const usualMeters = ["participation_minutes", "max_concurrent_participants"];
/** As many groups as one drawing can show apart, beside the others together. */
export const usualTop = 5;
export const tops = [usualTop, 10, 20, 50] as const;

export class UsageChoices {
  readonly #read: (name: string) => string | undefined;
  /** Moves on once a minute, so that a page left open knows when a new day has begun. */
  nowMs = $state(Date.now());

  readonly node = $derived(this.#value("node"));
  readonly tz = $derived(zoneOf(this.#value("tz")));
  readonly range = $derived(
    parseRange(this.#value("range"), this.#value("from"), this.#value("through"), this.#value("to")),
  );
  readonly span = $derived(spanOf(this.range, this.tz, this.nowMs));
  readonly windows = $derived(windowsFor(this.span.days));
  readonly window: WindowKind = $derived(
    this.windows.choices.find((kind) => kind === this.#value("window")) ?? this.windows.usual,
  );
  readonly meters = $derived.by(() => {
    const named = (this.#value("meters") ?? "").split(",").filter((name) => name !== "");
    const known = knownMeters.value?.map(({ meter }) => meter);
    const valid = known ? named.filter((name) => known.includes(name)) : named;
    return valid.length > 0 ? valid : usualMeters;
  });
  readonly comparison = $derived(parseComparison(this.#value("compare"), this.#value("match")));
  readonly sort = $derived(parseSort(this.#value("sort")));
  readonly groupSort = $derived(parseSort(this.#value("groups") ?? "-"));
  readonly only = $derived(this.#value("only"));
  /** The chart shows how the billing cycle fills up a limit, and not the range. */
  readonly isCourse = $derived(this.#value("course") !== undefined);

  /** What every chosen meter may be grouped and filtered by; undefined until the meters are known. */
  readonly dimensions = $derived.by(() => {
    const chosen = knownMeters.value?.filter(({ meter }) => this.meters.includes(meter));
    const [first, ...others] = chosen ?? [];
    return first?.dimensions.filter((one) => others.every(({ dimensions }) => dimensions.includes(one)));
  });
  readonly filters = $derived(parseWhere(this.#value("where")));
  readonly groupBy = $derived.by(() => {
    const named = this.#value("by");
    return named !== undefined && (this.dimensions?.includes(named) ?? true) ? named : undefined;
  });
  readonly top = $derived(tops.find((top) => String(top) === this.#value("top")) ?? usualTop);

  /** `read` gives one value of the address, reactively; without it that of the page. */
  constructor(read: (name: string) => string | undefined = queryValue) {
    this.#read = read;
  }

  #value(name: string): string | undefined {
    return this.#read(name);
  }

  /** Filters by what a chosen meter does not have would only be refused. */
  applies(dimension: string): boolean {
    return this.dimensions?.includes(dimension) ?? true;
  }

  readonly question: UsageQuestion = $derived({
    meters: this.meters,
    node: this.node,
    from: this.span.from,
    to: this.span.to,
    window: this.window,
    tz: this.tz,
    compare: this.comparison,
    filters: this.filters.filter(({ dimension }) => this.applies(dimension)),
    groupBy: this.groupBy,
    limit: this.groupBy === undefined ? undefined : this.top,
    fill: "null",
  });
}
