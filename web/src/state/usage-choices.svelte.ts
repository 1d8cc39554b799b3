/** What the usage page shows, or a panel of a dashboard, as its address says it. */

import { parseRange, spanOf, windowsFor } from "@contract/ranges.ts";
import {
  groupByOf,
  metersOf,
  parseComparison,
  parseWhere,
  type ReadValue,
  sharedDimensionsOf,
  topOf,
  type UsageQuestion,
  usageQuestion,
  windowOf,
} from "@contract/usage-question.ts";
import { zoneOf } from "@contract/zone-names.ts";
import { parseSort } from "../charts/usage-table.ts";
import { queryValue } from "../router.ts";
import { knownMeters } from "./directory.svelte.ts";

/** A key may hold a comma itself. */
export const formatHidden = (keys: readonly string[]): string => keys.map(encodeURIComponent).join(",");

function parseHidden(text: string | undefined): string[] {
  try {
    return (text ?? "").split(",").filter(Boolean).map(decodeURIComponent);
  } catch {
    return [];
  }
}

export class UsageChoices {
  readonly #read: ReadValue;
  readonly #ask: ReadValue = (name) => this.#read(name);
  /** Moves on once a minute, so that a page left open knows when a new day has begun. */
  nowMs = $state(Date.now());

  readonly node = $derived(this.#ask("node"));
  readonly tz = $derived(zoneOf(this.#ask("tz")));
  readonly range = $derived(parseRange(this.#ask("range"), this.#ask("from"), this.#ask("through"), this.#ask("to")));
  readonly span = $derived(spanOf(this.range, this.tz, this.nowMs));
  readonly windows = $derived(windowsFor(this.span.days));
  readonly window = $derived(windowOf(this.#ask, this.span));
  readonly meters = $derived(metersOf(this.#ask, knownMeters.value ?? undefined));
  readonly comparison = $derived(parseComparison(this.#ask("compare"), this.#ask("match")));
  readonly sort = $derived(parseSort(this.#ask("sort")));
  readonly groupSort = $derived(parseSort(this.#ask("groups") ?? "-"));
  readonly only = $derived(this.#ask("only"));
  /** The series that the chart does not draw, by their keys. */
  readonly hidden = $derived(parseHidden(this.#ask("hide")));
  /** The chart shows how the billing cycle fills up a limit, and not the range. */
  readonly isCourse = $derived(this.#ask("course") !== undefined);

  /** What every chosen meter may be grouped and filtered by; undefined until the meters are known. */
  readonly dimensions = $derived(sharedDimensionsOf(this.meters, knownMeters.value ?? undefined));
  readonly filters = $derived(parseWhere(this.#ask("where")));
  readonly groupBy = $derived(groupByOf(this.#ask, this.dimensions));
  readonly top = $derived(topOf(this.#ask));

  /** `read` gives one value of the address, reactively; without it that of the page. */
  constructor(read: ReadValue = queryValue) {
    this.#read = read;
  }

  /** Filters by what a chosen meter does not have would only be refused. */
  applies(dimension: string): boolean {
    return this.dimensions?.includes(dimension) ?? true;
  }

  readonly question: UsageQuestion = $derived(usageQuestion(this.#ask, knownMeters.value ?? undefined, this.nowMs));
}
