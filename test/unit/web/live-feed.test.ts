import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { LiveSnapshot } from "../../../server/contract/live.ts";
import { LiveFeed } from "../../../web/src/live/live.svelte.ts";

const shared = vi.hoisted(() => ({
  socket: undefined as unknown,
  watching: 0,
}));
vi.mock("../../../web/src/live/socket.ts", () => ({
  joinSocket: () => shared.socket,
  leaveSocket: () => undefined,
  beginWatch: () => {
    shared.watching++;
  },
  endWatch: () => {
    shared.watching--;
  },
}));

let participants: number;
let watched: number;
let page: EventTarget & { hidden: boolean };
let feed: LiveFeed;

beforeEach(() => {
  vi.useFakeTimers();
  [participants, watched, shared.watching] = [1, 0, 0];
  page = Object.assign(new EventTarget(), { hidden: false });
  vi.stubGlobal("document", page);
  vi.stubGlobal("requestAnimationFrame", (draw: () => void) => setTimeout(draw, 16));
  vi.stubGlobal("cancelAnimationFrame", clearTimeout);
  const emitWithAck = async () => {
    watched++;
    return { ok: true, snapshot: snapshot() };
  };
  shared.socket = { connected: true, on: () => undefined, off: () => undefined, timeout: () => ({ emitWithAck }) };
  feed = new LiveFeed("organization:acme");
  feed.open();
});
afterEach(() => {
  feed.close();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

function snapshot(): LiveSnapshot {
  const at = new Date().toISOString();
  const levels = { live_participants: participants, live_sessions: 1, active_recordings: 0 };
  return { node: "organization:acme", at, watermark: at, levels, rooms: [], sequence: 1 };
}

function look(isLookedAt: boolean): void {
  page.hidden = !isLookedAt;
  page.dispatchEvent(new Event("visibilitychange"));
}

test("a page that nobody looks at watches nothing after a while, and shows the present when it is looked at again", async () => {
  await vi.advanceTimersByTimeAsync(100);
  expect(feed.levels?.live_participants).toBe(1);
  look(false);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(shared.watching).toBe(0);
  participants = 5;
  look(true);
  await vi.advanceTimersByTimeAsync(100);
  expect([shared.watching, watched, feed.levels?.live_participants]).toEqual([1, 2, 5]);
});

test("a page that is hidden for a moment goes on watching", async () => {
  look(false);
  await vi.advanceTimersByTimeAsync(5_000);
  look(true);
  await vi.advanceTimersByTimeAsync(60_000);
  expect([shared.watching, watched]).toEqual([1, 1]);
});

test("a page that is left while it is hidden stops watching once", async () => {
  look(false);
  await vi.advanceTimersByTimeAsync(60_000);
  feed.close();
  expect(shared.watching).toBe(0);
});
