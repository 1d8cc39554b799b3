import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ApiError } from "../../../web/src/api/request.ts";
import { Loaded, lateReads } from "../../../web/src/state/loaded.svelte.ts";

let panel: Loaded<string>;

beforeEach(() => {
  vi.useFakeTimers();
  panel = new Loaded();
});
afterEach(() => {
  panel.close();
  vi.useRealTimers();
});

const after = (ms: number, value: string) => new Promise<string>((resolve) => setTimeout(() => resolve(value), ms));
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const away = (retryAfterSeconds?: number) =>
  new ApiError("store_unavailable", "away", { status: 503, retryAfterSeconds });

it("an answer that comes at once is shown without a skeleton, a slow one with", async () => {
  panel.load(() => after(100, "quick"));
  await pass(99);
  expect(panel.isSlow).toBe(false);
  await pass(1);
  expect(panel).toMatchObject({ value: "quick", isSlow: false, isLoading: false });
  panel.load(() => after(400, "slow"));
  await pass(200);
  expect(panel).toMatchObject({ value: "quick", isSlow: true, isLoading: true });
  await pass(200);
  expect(panel).toMatchObject({ value: "slow", isSlow: false, isLoading: false });
});

it("an answer that keeps people waiting is counted until it comes, or until nobody waits for it", async () => {
  panel.load(() => after(20_000, "late"));
  await pass(7_900);
  expect(lateReads.count).toBe(0);
  await pass(200);
  expect(lateReads.count).toBe(1);
  panel.reload();
  expect(lateReads.count).toBe(0);
  await pass(10_000);
  expect(lateReads.count).toBe(1);
  await pass(10_000);
  expect([lateReads.count, panel.value]).toEqual([0, "late"]);
  panel.reload();
  await pass(9_000);
  panel.close();
  expect(lateReads.count).toBe(0);
});

it("a store that is away is asked again until it answers, and the last good value stays meanwhile", async () => {
  let isAway = false;
  let reads = 0;
  panel.load(async () => {
    reads++;
    if (isAway) throw away();
    return `answer ${reads}`;
  });
  await pass(0);
  isAway = true;
  panel.reload();
  await pass(30_000);
  expect(panel.value).toBe("answer 1");
  expect(panel.error?.code).toBe("store_unavailable");
  expect(panel.retryAtMs).toBeGreaterThan(Date.now());
  expect(reads).toBeLessThan(10);
  isAway = false;
  await pass(15_000);
  expect(panel).toMatchObject({ value: `answer ${reads}`, error: null, retryAtMs: null });
});

it("a server that says how long to wait is not asked earlier", async () => {
  const read = vi.fn(() => Promise.reject(away(60)));
  panel.load(read);
  await pass(59_900);
  expect(read).toHaveBeenCalledTimes(1);
  await pass(200);
  expect(read).toHaveBeenCalledTimes(2);
});

it("a refusal that waiting does not change is not repeated", async () => {
  const read = vi.fn(() => Promise.reject(new ApiError("forbidden", "no", { status: 403 })));
  panel.load(read);
  await pass(120_000);
  expect(read).toHaveBeenCalledTimes(1);
  expect(panel).toMatchObject({ retryAtMs: null, isLoading: false });
});

it("an earlier question's late answer never replaces a later one's", async () => {
  const signals: AbortSignal[] = [];
  const read = (ms: number, value: string) => (signal: AbortSignal) => {
    signals.push(signal);
    return after(ms, value);
  };
  panel.load(read(500, "earlier"));
  panel.load(read(10, "later"));
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
  await pass(1_000);
  expect(panel.value).toBe("later");
});

it("a closed panel asks nothing more", async () => {
  const read = vi.fn(() => Promise.reject(away()));
  panel.load(read);
  await pass(100);
  panel.close();
  await pass(120_000);
  expect(read).toHaveBeenCalledTimes(1);
});
