/**
 * Projects where the usage of a running span will end at the pace so far. How far to trust it follows from what the same
 * projection would have said in past spans. Estimates are floats; what is billed never comes from here.
 */
export interface Forecast {
  value: number;
  /**
   * 8 of 10 past ones ended between the two, in proportion; wider where that would leave `value` itself out. Null with fewer
   * than `minTests`.
   */
  low: number | null;
  high: number | null;
  /** Mean of |projected - actual| / actual over the tests, in percent; null with fewer than `minTests`. */
  errorPercent: number | null;
}

/** The usage from the span's start until the ends of its days, in order. */
export interface Course {
  startMs: number;
  endMs: number;
  points: readonly { ms: number; used: number }[];
}

const minTests = 3;
/** A test uses a past span at a share of its time that differs from the present one by at most this. */
const nearShare = 0.1;

/** `used` since `startMs`. Undefined before the span begins. */
export function forecast(
  { startMs, endMs, points }: Course,
  used: number,
  nowMs: number,
  past: readonly Course[],
): Forecast | undefined {
  if (nowMs <= startMs) return undefined;
  const elapsed = Math.min(1, (nowMs - startMs) / (endMs - startMs));
  const value = used / elapsed;
  if (elapsed === 1) return { value, low: value, high: value, errorPercent: 0 };
  const whole = sinceUsageBegan(past).flatMap((course) => testsOf(course, elapsed));
  const soFar = points.flatMap((point) => testOf({ startMs, endMs: nowMs, used }, point) ?? []);
  const tests = whole.length >= minTests ? whole : soFar;
  if (tests.length < minTests) return { value, low: null, high: null, errorPercent: null };
  const ratios = tests.map(({ projected, actual }) => actual / projected).sort((a, b) => a - b);
  const errors = tests.map(({ projected, actual }) => Math.abs(projected - actual) / actual);
  return {
    value,
    low: Math.max(used, Math.min(value, value * quantile(ratios, 0.1))),
    high: Math.max(value, value * quantile(ratios, 0.9)),
    errorPercent: (100 * errors.reduce((sum, error) => sum + error, 0)) / errors.length,
  };
}

/** When the pace so far reaches the limit: ms since 1970; undefined when not before `endMs`. */
export function reachesAt({ startMs, endMs }: Course, used: number, limit: number, nowMs: number): number | undefined {
  const pace = used / (nowMs - startMs);
  if (!(pace > 0) || used >= limit) return undefined;
  const atMs = nowMs + (limit - used) / pace;
  return atMs < endMs ? Math.ceil(atMs) : undefined;
}

/** Leaves out the span in which usage first began: its total says nothing about a pace that it had for a part only. */
function sinceUsageBegan(past: readonly Course[]): Course[] {
  const used = [...past].sort((a, b) => a.startMs - b.startMs).filter(({ points }) => (points.at(-1)?.used ?? 0) > 0);
  return (used[0]?.points[0]?.used ?? 0) > 0 ? used : used.slice(1);
}

interface BackTest {
  projected: number;
  actual: number;
}

/** What would have been projected in a past span at about the same share of its time as the running one. */
function testsOf(course: Course, elapsed: number): BackTest[] {
  const { startMs, endMs, points } = course;
  const used = points.at(-1)?.used ?? 0;
  return points
    .filter(({ ms }) => Math.abs((ms - startMs) / (endMs - startMs) - elapsed) <= nearShare)
    .flatMap((point) => testOf({ startMs, endMs, used }, point) ?? []);
}

function testOf(
  span: { startMs: number; endMs: number; used: number },
  { ms, used }: { ms: number; used: number },
): BackTest | undefined {
  if (ms <= span.startMs || ms >= span.endMs || used <= 0) return undefined;
  return { projected: (used * (span.endMs - span.startMs)) / (ms - span.startMs), actual: span.used };
}

/** The values must be sorted; it interpolates between neighbours. */
function quantile(sorted: readonly number[], share: number): number {
  const place = (sorted.length - 1) * share;
  const [below, above] = [sorted[Math.floor(place)] ?? 0, sorted[Math.ceil(place)] ?? 0];
  return below + (above - below) * (place - Math.floor(place));
}
