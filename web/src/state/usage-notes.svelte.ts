/** What is drawn beside the figures of a node: the limits of its plan, what happened in the range, and what people noted. */
import type { Alert } from "@contract/alerts.ts";
import type { Annotation } from "@contract/annotations.ts";
import type { DataChanges } from "@contract/data-changes.ts";
import type { Period } from "@contract/quotas.ts";
import { api } from "../api/client.ts";
import type { ChartMark, ChartNotes } from "../charts/chart-content.ts";
import { plainLimit } from "../charts/cycle-course.ts";
import { usageTexts as t } from "../texts/en/usage.ts";
import { formatExact, formatFigure, formatMoment, withUnit } from "../words/format.ts";
import { Loaded } from "./loaded.svelte.ts";

/** More marks than these would hide the figures. */
const markedAtMost = 50;
const notedAtMost = 200;
/** As many past cycles as a year has, whose changes of plan are marked. */
const cycles = 12;

/** Something that happened, with the note itself where somebody wrote it. */
export type Happening = ChartMark & { kind: NonNullable<ChartMark["kind"]>; annotation?: Annotation; href?: string };

interface Asked {
  node: string | undefined;
  from: string;
  to: string;
  tz: string;
}

export class UsageNotes {
  readonly #period = new Loaded<{ asked: string | undefined; period: Period }>();
  #asked = $state.raw<Asked | undefined>();
  readonly #alerts = new Loaded<Alert[]>();
  readonly annotations = new Loaded<Annotation[]>();
  readonly #changes = new Loaded<DataChanges>();

  /** For a node and a range; without either, or where it cannot be read, nothing is drawn beside the figures. */
  load(node: string | undefined, from: string, to: string, tz: string): void {
    this.#asked = { node, from, to, tz };
    this.#period.load(async (signal) => ({
      asked: node,
      period: await api.getPeriod({ query: { node, cycles }, signal }),
    }));
    this.#alerts.load(
      async (signal) => (await api.listAlerts({ query: { node, from, to, tz, limit: markedAtMost }, signal })).alerts,
    );
    this.annotations.load(
      async (signal) =>
        (await api.listAnnotations({ query: { node, from, to, tz, limit: notedAtMost }, signal })).annotations,
    );
    this.#changes.load((signal) => api.getDataChanges({ query: { node, from, to, tz }, signal }));
  }

  close(): void {
    for (const read of [this.#period, this.#alerts, this.annotations, this.#changes]) read.close();
  }

  /** The node's billing cycle; null until it is known, though that of another node is. */
  get period(): Period | null {
    const read = this.#period.value;
    return read && read.asked === this.#asked?.node ? read.period : null;
  }

  /** Limits of peaks and levels among `meters`: what adds up over a cycle has none that a day could be held against. */
  notesFor(meters: readonly string[], isMarked = true): ChartNotes {
    return { limits: this.#limits(meters), marks: isMarked ? this.happenings : [] };
  }

  /** What people noted before what the service saw by itself. */
  get happenings(): Happening[] {
    return [...this.#noted(), ...this.#planChanges(), ...this.#fired(), ...this.#changed()];
  }

  #limits(meters: readonly string[]): NonNullable<ChartNotes["limits"]> {
    return (this.period?.quotas ?? []).flatMap(({ meter, unit, limit, projected }) =>
      limit === null || projected !== null || !meters.includes(meter) || !meter.startsWith("max_")
        ? []
        : [{ value: limit, unit, text: t.limit(withUnit(formatFigure(plainLimit(limit)), unit)) }],
    );
  }

  #noted(): Happening[] {
    return (this.annotations.value ?? []).map((annotation) => ({
      at: annotation.at,
      text: annotation.text,
      kind: "note",
      annotation,
    }));
  }

  #planChanges(): Happening[] {
    const { period } = this;
    if (!period) return [];
    const parts = [period, ...period.past]
      .flatMap(({ plans }) => plans)
      .sort((a, b) => Date.parse(a.from) - Date.parse(b.from));
    return parts.flatMap(({ plan, version, name, from }, place) => {
      const before = parts[place - 1];
      if (!before || (before.plan === plan && before.version === version)) return [];
      return [{ at: from, text: t.planVersion(name, version), kind: "plan" as const }];
    });
  }

  #fired(): Happening[] {
    return (this.#alerts.value ?? []).flatMap(({ id, fired_at: at, rule_name: name, explanation }) =>
      at === null
        ? []
        : [{ at, text: t.alertExplanation(name, explanation), kind: "alert" as const, href: `/alerts/${id}` }],
    );
  }

  #changed(): Happening[] {
    const { corrected = [], late, tz = "UTC" } = this.#changes.value ?? {};
    const count = (events: number) => `${formatExact(events)} ${events === 1 ? "event" : "events"}`;
    return [
      ...corrected.map(({ start: at, events, last_at: lastAt }) => ({
        at,
        kind: "correction" as const,
        text: t.corrected(count(events), formatMoment(lastAt, tz)),
      })),
      ...(late ?? []).map(({ start: at, events }) => ({
        at,
        kind: "late" as const,
        text: t.lateDataArrived(count(events)),
      })),
    ];
  }
}
