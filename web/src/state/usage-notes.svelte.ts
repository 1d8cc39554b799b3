/** What is drawn beside the figures of a node: the limits of its plan, and what happened in the range. */
import type { Alert } from "@contract/alerts.ts";
import type { Period } from "@contract/quotas.ts";
import { api } from "../api/client.ts";
import type { ChartMark, ChartNotes } from "../charts/chart-content.ts";
import { plainLimit } from "../charts/cycle-course.ts";
import { formatFigure, withUnit } from "../words/format.ts";
import { Loaded } from "./loaded.svelte.ts";

/** More marks than these would hide the figures. */
const markedAtMost = 50;
/** As many past cycles as a year has, whose changes of plan are marked. */
const cycles = 12;

export class UsageNotes {
  readonly #period = new Loaded<{ asked: string | undefined; period: Period }>();
  #asked = $state.raw<string | undefined>();
  readonly #alerts = new Loaded<Alert[]>();

  /** For a node and a range; without either, or where it cannot be read, nothing is drawn beside the figures. */
  load(node: string | undefined, from: string, to: string, tz: string): void {
    this.#asked = node;
    this.#period.load(async (signal) => ({
      asked: node,
      period: await api.getPeriod({ query: { node, cycles }, signal }),
    }));
    this.#alerts.load(
      async (signal) => (await api.listAlerts({ query: { node, from, to, tz, limit: markedAtMost }, signal })).alerts,
    );
  }

  close(): void {
    this.#period.close();
    this.#alerts.close();
  }

  /** The node's billing cycle; null until it is known, though that of another node is. */
  get period(): Period | null {
    const read = this.#period.value;
    return read && read.asked === this.#asked ? read.period : null;
  }

  /** Limits of peaks and levels among `meters`: what adds up over a cycle has none that a day could be held against. */
  notesFor(meters: readonly string[]): ChartNotes {
    return { limits: this.#limits(meters), marks: [...this.#planChanges(), ...this.#fired()] };
  }

  #limits(meters: readonly string[]): NonNullable<ChartNotes["limits"]> {
    return (this.period?.quotas ?? []).flatMap(({ meter, unit, limit, projected }) =>
      limit === null || projected !== null || !meters.includes(meter) || !meter.startsWith("max_")
        ? []
        : [{ value: limit, unit, text: `Limit ${withUnit(formatFigure(plainLimit(limit)), unit)}` }],
    );
  }

  #planChanges(): ChartMark[] {
    const { period } = this;
    if (!period) return [];
    const parts = [period, ...period.past]
      .flatMap(({ plans }) => plans)
      .sort((a, b) => Date.parse(a.from) - Date.parse(b.from));
    return parts.flatMap(({ plan, version, name, from }, place) => {
      const before = parts[place - 1];
      if (!before || (before.plan === plan && before.version === version)) return [];
      return [{ at: from, text: `Plan: ${name}, version ${version}`, kind: "plan" as const }];
    });
  }

  #fired(): ChartMark[] {
    return (this.#alerts.value ?? []).flatMap(({ fired_at: at, rule_name: name, explanation }) =>
      at === null ? [] : [{ at, text: `Alert: ${name}. ${explanation}`, kind: "alert" as const }],
    );
  }
}
