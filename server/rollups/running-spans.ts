/**
 * The intervals of one session in their order, changed in place: in blocks, of which each remembers how its columns are written and
 * what its intervals come to. What a change costs to write is that of the blocks that it is in; of an interval that only ends, that of
 * their ends.
 */

import { type AgentSpan, agentSpansOf } from "./derived-change.ts";
import { firstAt } from "./first-at.ts";
import { compareSpans, type Span } from "./resolve-session.ts";
import {
  emptyEnds,
  emptyPlaces,
  joinLists,
  renderLists,
  type SpanLists,
  spanEndColumns,
  spanPlaceColumns,
} from "./session-rows.ts";
import { mergeSummaries, type SpanSummary, summarize } from "./span-summary.ts";

interface Block {
  readonly spans: Span[];
  /** undefined: to be made anew. */
  places: typeof emptyPlaces | undefined;
  ends: typeof emptyEnds | undefined;
  agentSpans: readonly AgentSpan[] | undefined;
  summary: SpanSummary | undefined;
}

/** A block that has more is halved. */
export const maxInBlock = 256;

export class RunningSpans {
  readonly #blocks: Block[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Whether it is worth memory to remember how it was written. */
  get isLarge(): boolean {
    return this.#blocks.length > 1;
  }

  /** `before` must be in it. */
  replace(before: readonly Span[], after: readonly Span[]): void {
    if (before.length === after.length && before.every((span, index) => isInPlaceOf(after[index] as Span, span))) {
      before.forEach((span, index) => {
        this.#renew(span, after[index] as Span);
      });
      return;
    }
    for (const span of before) this.#remove(span);
    for (const span of after) this.#add(span);
  }

  /** All of them, as columns of a row of sessions. */
  lists(): SpanLists {
    if (!this.isLarge) {
      const spans = this.#blocks[0]?.spans ?? [];
      return renderLists({ ...spanPlaceColumns(spans), ...spanEndColumns(spans) });
    }
    const places: (typeof emptyPlaces)[] = [];
    const ends: (typeof emptyEnds)[] = [];
    for (const block of this.#blocks) {
      block.places ??= renderLists(spanPlaceColumns(block.spans));
      block.ends ??= renderLists(spanEndColumns(block.spans));
      places.push(block.places);
      ends.push(block.ends);
    }
    return { ...joinLists(emptyPlaces, places), ...joinLists(emptyEnds, ends) };
  }

  summary(): SpanSummary {
    if (!this.isLarge) return summarize(this.#blocks[0]?.spans ?? []);
    return mergeSummaries(
      this.#blocks.map((block) => {
        block.summary ??= summarize(block.spans);
        return block.summary;
      }),
    );
  }

  agentSpans(): AgentSpan[] {
    if (!this.isLarge) return agentSpansOf(this.#blocks[0]?.spans ?? []);
    return this.#blocks.flatMap((block) => {
      block.agentSpans ??= agentSpansOf(block.spans);
      return block.agentSpans;
    });
  }

  #renew(before: Span, after: Span): void {
    const { block, index } = this.#placeOf(before);
    if (!block) return;
    block.spans[index] = after;
    block.summary = undefined;
    if (before.endMs === after.endMs && before.timedOut === after.timedOut) return;
    block.ends = undefined;
    block.agentSpans = undefined;
  }

  #add(span: Span): void {
    this.#size++;
    const { block, number, index } = this.#placeOf(span);
    if (!block) {
      this.#blocks.push(blockOf([span]));
      return;
    }
    block.spans.splice(index, 0, span);
    if (block.spans.length <= maxInBlock) forget(block);
    else {
      const half = block.spans.length >>> 1;
      this.#blocks.splice(number, 1, blockOf(block.spans.slice(0, half)), blockOf(block.spans.slice(half)));
    }
  }

  #remove(span: Span): void {
    const { block, number, index } = this.#placeOf(span);
    if (!block) return;
    this.#size--;
    block.spans.splice(index, 1);
    if (block.spans.length === 0) this.#blocks.splice(number, 1);
    else forget(block);
  }

  /** Where it is, or belongs. */
  #placeOf(span: Span): { block: Block | undefined; number: number; index: number } {
    const last = this.#blocks.length - 1;
    const number = Math.min(
      last,
      firstAt(this.#blocks, ({ spans }) => compareSpans(spans.at(-1) as Span, span) >= 0),
    );
    const block = this.#blocks[number];
    return { block, number, index: block ? firstAt(block.spans, (other) => compareSpans(other, span) >= 0) : 0 };
  }
}

/** Whether it differs from the other in nothing but how long it lasts. */
const isInPlaceOf = (after: Span, before: Span) =>
  compareSpans(before, after) === 0 && before.agent === after.agent && before.dims === after.dims;

const blockOf = (spans: Span[]): Block => ({ spans, ...unknown });
const unknown = { places: undefined, ends: undefined, agentSpans: undefined, summary: undefined };
const forget = (block: Block) => void Object.assign(block, unknown);
