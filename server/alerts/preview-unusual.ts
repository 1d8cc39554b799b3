/** When hours would have been unlike their season: evaluated each quarter of an hour, as the rule is. */
import { measureSpans } from "../billing/measure-span.ts";
import type { PeriodSource } from "../billing/period.ts";
import type { Meter } from "../catalog/meter.ts";
import { hourMs, weekMs } from "../contract/durations.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import type { ConditionOf } from "../contract/rules.ts";
import { firings } from "./crossings.ts";
import { areUnusual, evaluateHour, seasonedHour, seasonWeeks, type UnusualHour } from "./evaluate-unusual.ts";
import type { Reading } from "./next-state.ts";
import { type Would, wouldOf } from "./preview-entry.ts";
import { evenWindows } from "./read-history.ts";
import { unusualStepMs, unusualText } from "./read-usage.ts";

const weekHours = weekMs / hourMs;
/** Hours begin at each quarter. */
export const hoursAtOnce = hourMs / unusualStepMs;

/** `span`: ms since 1970, UTC. What held when the span began is not among it. */
export async function previewUnusual(
  source: PeriodSource,
  condition: ConditionOf<"unusual">,
  node: NodeAddress,
  { fromMs, toMs }: { fromMs: number; toMs: number },
): Promise<Would[]> {
  const meter = source.meterOf(condition.meter, node, toMs - 1);
  if (!meter) return [];
  const hourUntil = await readHours(source, condition, meter, node, { fromMs: fromMs - hourMs, toMs });
  const readings: (Reading & { value: string; usual: number })[] = [];
  for (let atMs = stepBefore(fromMs) - unusualStepMs; atMs <= toMs; atMs += unusualStepMs) {
    const now = hourUntil(atMs);
    const usual = now.hour?.usual;
    const isUnusual = areUnusual(condition, [now.hour, hourUntil(atMs - unusualStepMs).hour]) !== undefined;
    const finding = usual === undefined ? "unknown" : isUnusual ? "holds" : "clears";
    readings.push({ atMs, finding, value: now.value, usual: usual ?? 0 });
  }
  const found = firings(readings).filter(({ atMs }) => atMs >= fromMs && atMs < toMs);
  return found.map(({ atMs, value, usual }) => {
    const explanation = unusualText(meter, atMs, { value, usual });
    return wouldOf({ node, meter: meter.meter, value, limit: usual.toFixed(2), explanation }, atMs);
  });
}

const stepBefore = (ms: number) => Math.floor(ms / unusualStepMs) * unusualStepMs;

/** Hours that end at each quarter: those that end at the same quarter of the hour lie beside each other. */
async function readHours(
  source: PeriodSource,
  condition: ConditionOf<"unusual">,
  meter: Meter,
  node: NodeAddress,
  { fromMs, toMs }: { fromMs: number; toMs: number },
): Promise<(endMs: number) => { value: string; hour: UnusualHour | undefined }> {
  const firstMs = Math.floor(fromMs / hourMs) * hourMs - seasonWeeks * weekMs - hourMs;
  const starts = Array.from({ length: hoursAtOnce }, (_, step) => firstMs + step * unusualStepMs);
  const spans = starts.map((startMs) => {
    const endMs = startMs + Math.max(0, Math.floor((toMs - startMs) / hourMs)) * hourMs;
    const windows = evenWindows(startMs, endMs, hourMs);
    return { meters: [meter], fromMs: startMs, toMs: endMs, window: "total" as const, windows, tz: "UTC" };
  });
  const measured = await measureSpans(source, node, spans, toMs);
  const rows = measured.map((usage) => {
    const values = (usage.get(meter.meter)?.series ?? []).map(({ value }) => String(value ?? 0));
    return { values, nextUsed: nextUsedOf(values) };
  });
  return (endMs) => {
    const row = rows[((endMs - firstMs) / unusualStepMs) % hoursAtOnce];
    const index = Math.floor((endMs - firstMs) / hourMs) - 1;
    const hours = Array.from({ length: seasonWeeks + 1 }, (_, week) =>
      Number(row?.values[index - week * weekHours] ?? 0),
    );
    const used = row?.nextUsed[index + 1 - seasonWeeks * weekHours];
    const weeks = used === undefined || used > index ? undefined : Math.floor((used - index - 1) / weekHours);
    const usedMs = weeks === undefined ? undefined : endMs + weeks * weekMs;
    return { value: row?.values[index] ?? "0", hour: evaluateHour(condition, seasonedHour(hours, { endMs, usedMs })) };
  };
}

/** For each place the first one from there on with any use. */
function nextUsedOf(values: readonly string[]): (number | undefined)[] {
  const next: (number | undefined)[] = [];
  let used: number | undefined;
  for (let index = values.length - 1; index >= 0; index--) {
    if (Number(values[index]) > 0) used = index;
    next[index] = used;
  }
  return next;
}
