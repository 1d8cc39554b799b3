/**
 * `npm run bench:unusual`: how often `unusual` and `low_usage` are right, on organizations that are made up: offices, schools,
 * communities and desks around the clock, that grow, have holidays, or are new; with spikes, drops and customers who leave planted.
 * Needs no store: what is measured is the evaluating itself. ORGANIZATIONS (default 240) and SEED choose the history.
 */
import { isLowUsage, usualOfPast } from "../../server/alerts/evaluate-low-usage.ts";
import { areUnusual, evaluateHour } from "../../server/alerts/evaluate-unusual.ts";

const organizations = Number(process.env.ORGANIZATIONS ?? 240);
const seed = Number(process.env.SEED ?? 1);
const quartersOfDay = 96;
const quartersOfWeek = 7 * quartersOfDay;
const weeksBefore = 8;
/** Who looks at an alert within this time after it began to hold finds the spike still there or just over. */
const slackQuarters = 5;

/** A generator with a seed, so that a run can be had again. */
function random(start: number): () => number {
  let state = start;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
const draw = random(seed);
const between = (low: number, high: number) => low + draw() * (high - low);

/** Drawn from a Poisson distribution, for large means from a normal one. */
function count(mean: number): number {
  if (mean <= 0) return 0;
  if (mean > 60) {
    const normal = Math.sqrt(-2 * Math.log(draw() + 1e-12)) * Math.cos(2 * Math.PI * draw());
    return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal));
  }
  let [events, product] = [0, draw()];
  for (const bound = Math.exp(-mean); product > bound; events++) product *= draw();
  return events;
}

const shapes = {
  office: (hour: number, day: number) => (day > 4 ? 0.04 : hour >= 8 && hour < 18 ? 1 : 0.03),
  school: (hour: number, day: number) => (day > 4 ? 0.01 : hour >= 8 && hour < 14 ? 1 : 0.02),
  community: (hour: number, day: number) => (hour >= 18 && hour < 22 ? 1 : day > 4 && hour >= 10 ? 0.6 : 0.03),
  always: (hour: number) => 0.7 + 0.3 * Math.sin((2 * Math.PI * hour) / 24),
};
type Shape = keyof typeof shapes;

interface Planted {
  kind: "spike" | "drop";
  from: number;
  to: number;
  times: number;
}

interface Organization {
  /** Events of each quarter of an hour, the last week the evaluated one. */
  quarters: number[];
  weeks: number;
  planted: Planted | undefined;
}

function make(place: number): Organization {
  const shape = (Object.keys(shapes) as Shape[])[place % 4] ?? "office";
  const weeks = place % 10 === 9 ? 1 + (place % 3) : weeksBefore;
  const perQuarter = 10 ** between(0.5, 2.3);
  const growth = 1 + between(-0.02, 0.08);
  // One in four weeks.
  const holidays = new Set(
    Array.from({ length: weeks }, (_, week) => week)
      .filter(() => draw() < 0.25)
      .map((week) => 7 * week + Math.floor(between(0, 5))),
  );
  const meanAt = (index: number) => {
    const day = Math.floor(index / quartersOfDay);
    const base = shapes[shape](Math.floor((index % quartersOfDay) / 4), day % 7);
    const week = Math.floor(index / quartersOfWeek) - weeks;
    const isHoliday = holidays.has(day) && day < 7 * weeks;
    return perQuarter * base * growth ** week * (isHoliday ? 0.1 : 1);
  };
  // Days differ as a whole, not only by chance of each event.
  const moods = Array.from({ length: 7 * (weeks + 1) }, () => between(0.85, 1.15));
  const start = weeks * quartersOfWeek;
  const planted = plant(place, start, meanAt);
  const quarters = Array.from({ length: start + quartersOfWeek }, (_, index) => {
    const isPlanted = planted && index >= planted.from && index < planted.to;
    return count(meanAt(index) * (moods[Math.floor(index / quartersOfDay)] ?? 1) * (isPlanted ? planted.times : 1));
  });
  return { quarters, weeks, planted };
}

/** In the evaluated week, in hours that are busy enough to be evaluated; in three of four organizations. */
function plant(place: number, start: number, meanAt: (index: number) => number): Planted | undefined {
  if (place % 4 === 3 && place % 8 < 4) return undefined;
  const length = Math.floor(between(8, 24));
  const busy = Array.from({ length: quartersOfWeek - length - 8 }, (_, index) => start + index + 4).filter((from) =>
    Array.from({ length }, (_, step) => meanAt(from + step)).every((mean) => 4 * mean >= floor),
  );
  const from = busy[Math.floor(draw() * busy.length)];
  if (from === undefined) return undefined;
  const isSpike = draw() < 0.6;
  const times = isSpike ? between(3, 6) : between(0, 0.1);
  return { kind: isSpike ? "spike" : "drop", from, to: from + length, times };
}

interface Score {
  hits: number;
  misses: number;
  wrong: number;
}
const floor = 20;

function evaluate(
  { quarters, weeks, planted }: Organization,
  condition: { sensitivity: "low" | "medium" | "high"; at_least: string; direction: "up" | "down" },
): Score {
  const hourUntil = (end: number) => quarters.slice(end - 4, end).reduce((sum, one) => sum + one, 0);
  const readingAt = (end: number) =>
    evaluateHour(condition, {
      value: hourUntil(end),
      before: Array.from({ length: weeks }, (_, week) => end - (week + 1) * quartersOfWeek)
        .filter((before) => before >= 4)
        .map(hourUntil),
    });
  const wanted = planted?.kind === (condition.direction === "up" ? "spike" : "drop") ? planted : undefined;
  let [isHit, wrong, wasUnusual] = [false, 0, false];
  for (let end = weeks * quartersOfWeek + 1; end <= quarters.length; end++) {
    const isUnusual = areUnusual(condition, [readingAt(end), readingAt(end - 1)]) !== undefined;
    if (isUnusual && !wasUnusual) {
      if (wanted && end > wanted.from && end <= wanted.to + slackQuarters) isHit = true;
      else wrong++;
    }
    wasUnusual = isUnusual;
  }
  return { hits: Number(isHit), misses: Number(Boolean(wanted) && !isHit), wrong };
}

const sum = (scores: readonly Score[]): Score =>
  scores.reduce(
    (all, one) => ({ hits: all.hits + one.hits, misses: all.misses + one.misses, wrong: all.wrong + one.wrong }),
    {
      hits: 0,
      misses: 0,
      wrong: 0,
    },
  );

function row(name: string, { hits, misses, wrong }: Score): Record<string, string | number> {
  const share = (of: number, all: number) => (all === 0 ? "-" : (of / all).toFixed(3));
  return {
    name,
    planted: hits + misses,
    precision: share(hits, hits + wrong),
    recall: share(hits, hits + misses),
    wrong,
  };
}

const made = Array.from({ length: organizations }, (_, place) => make(place));
const rows: Record<string, string | number>[] = [];
for (const direction of ["up", "down"] as const)
  for (const sensitivity of ["low", "medium", "high"] as const)
    for (const at_least of ["0", String(floor)])
      rows.push(
        row(
          `unusual ${direction}, ${sensitivity}, at least ${at_least}`,
          sum(made.map((one) => evaluate(one, { direction, sensitivity, at_least }))),
        ),
      );

/** A customer's cycles: level with noise, growth and a holiday month; the last one with a planted loss or none. */
function lowUsage(belowPercent: number): Score {
  const scores: Score = { hits: 0, misses: 0, wrong: 0 };
  for (let place = 0; place < organizations; place++) {
    const level = 10 ** between(2, 5);
    const growth = 1 + between(-0.05, 0.1);
    const hasLeft = place % 3 === 0;
    const holidayMonth = Math.floor(between(0, 4));
    const cycles = Array.from({ length: 4 }, (_, cycle) => {
      const mean = level * growth ** cycle * between(0.8, 1.2) * (cycle === holidayMonth && cycle < 3 ? 0.6 : 1);
      return count(mean * (cycle === 3 && hasLeft ? between(0, 0.35) : 1));
    });
    const [own = 0, ...past] = cycles.reverse();
    const usual = usualOfPast(past.map(String));
    const isLow = usual !== undefined && isLowUsage(String(own), usual, belowPercent);
    if (hasLeft && isLow) scores.hits++;
    else if (hasLeft) scores.misses++;
    else if (isLow) scores.wrong++;
  }
  return scores;
}
for (const percent of [30, 40, 50, 60, 70]) rows.push(row(`low_usage of past, below ${percent} %`, lowUsage(percent)));
console.table(rows);
