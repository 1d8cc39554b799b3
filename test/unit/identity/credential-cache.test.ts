import { beforeEach, describe, expect, test } from "vitest";
import { CredentialCache, hashSecret } from "../../../server/identity/credential-cache.ts";

const holdMs = 60 * 60 * 1000;
const away = new Error("away");
let nowMs: number;
let isAway: boolean;
/** What each credential stands for. */
let stored: Map<string, string>;
let cache: CredentialCache<string>;
/** The hashes that each query asked for. */
let reads: (readonly string[])[];

beforeEach(() => {
  nowMs = Date.UTC(2026, 0, 1);
  isAway = false;
  stored = new Map();
  reads = [];
  const read = async (hashes: readonly string[]) => {
    reads.push(hashes);
    if (isAway) throw away;
    return new Map([...stored].map(([secret, value]) => [hashSecret(secret), value] as const));
  };
  cache = new CredentialCache<string>(read, () => nowMs, { holdMs, isUnavailable: (error) => error === away });
});

/** Known, and then the store goes. */
async function knownThenAway(): Promise<void> {
  stored.set("key", "known");
  expect(await cache.get("key")).toBe("known");
  isAway = true;
  nowMs += 3_000;
  expect(await cache.get("key")).toBe("known");
}

describe("while the store is away", () => {
  test("a known credential goes on to the last millisecond of the hour, and no further: then whoever asks is told to come back", async () => {
    await knownThenAway();
    const awaySinceMs = nowMs;
    for (const passedMs of [60_000, holdMs / 2, holdMs]) {
      nowMs = awaySinceMs + passedMs;
      expect(await cache.get("key")).toBe("known");
      expect(cache.isTrusted).toBe(true);
    }
    nowMs = awaySinceMs + holdMs + 1;
    expect(cache.isTrusted).toBe(false);
    await expect(cache.get("key")).rejects.toBe(away);
    nowMs += holdMs;
    await expect(cache.get("key")).rejects.toBe(away);
  });

  test("asking does not lengthen the hour, nor does one that was never known", async () => {
    await knownThenAway();
    const awaySinceMs = nowMs;
    while (nowMs <= awaySinceMs + holdMs) {
      await cache.get("key");
      await expect(cache.get("never known")).rejects.toBe(away);
      nowMs += 300_000;
    }
    await expect(cache.get("key")).rejects.toBe(away);
  });

  test("when it is back after the hour, the credential counts again with what it stands for now", async () => {
    await knownThenAway();
    nowMs += holdMs + 1;
    await expect(cache.get("key")).rejects.toBe(away);
    isAway = false;
    stored.set("key", "changed");
    expect(await cache.get("key")).toBe("changed");
    expect(cache.isTrusted).toBe(true);
  });

  test("one that is announced as ended does not go on", async () => {
    await knownThenAway();
    cache.clear((value) => value === "known");
    await expect(cache.get("key")).rejects.toBe(away);
  });
});

test("once the store is reached again it is trusted, also where nothing was known: a process that is sent nothing while it is not ready would else never be", async () => {
  isAway = true;
  await expect(cache.get("unknown")).rejects.toBe(away);
  nowMs += holdMs + 1;
  expect(cache.isTrusted).toBe(false);
  isAway = false;
  // The notices are listened to again.
  cache.clear();
  await expect.poll(() => cache.isTrusted).toBe(true);
});

describe("credentials that nobody has", () => {
  const madeUp = (count: number, address: string) =>
    Array.from({ length: count }, (_, index) => cache.get(`made up ${address} ${index}`, address));

  test("are looked up together: two thousand of one network cost three queries and not two thousand", async () => {
    expect(new Set(await Promise.all(madeUp(2_000, "192.0.2.1")))).toEqual(new Set([undefined]));
    expect(reads.map((hashes) => hashes.length)).toEqual([1, 1_000, 999]);
  });

  test("of one network beyond what it may have waiting are refused, and those of another are not", async () => {
    const many = await Promise.allSettled(madeUp(3_000, "2001:db8::1"));
    expect(many.filter(({ status }) => status === "rejected").length).toBe(999);
    expect(many.at(-1)).toMatchObject({ reason: { code: "too_fast", retryAfterSeconds: 1 } });
    const again = Promise.allSettled(madeUp(3_000, "2001:db8::2"));
    await expect(cache.get("of another network", "2001:db8:1::1")).resolves.toBeUndefined();
    await again;
  });

  test("keep nobody out: a valid one that was never seen here is found among them, and a known one does not wait for them", async () => {
    stored.set("key", "known").set("new", "new");
    expect(await cache.get("key", "192.0.2.1")).toBe("known");
    nowMs += 3_000;
    const many = Promise.allSettled(madeUp(1_500, "192.0.2.1"));
    const found = cache.get("new", "192.0.2.1");
    const queries = reads.length;
    expect(await cache.get("key", "192.0.2.1")).toBe("known");
    expect(reads.slice(queries)).toEqual([[hashSecret("key")]]);
    expect(await found).toBe("new");
    await many;
  });

  test("push no valid one out of memory", async () => {
    stored.set("key", "known");
    expect(await cache.get("key")).toBe("known");
    for (let round = 0; round < 8; round++) await Promise.all(madeUp(1_500, `192.0.2.${round}`));
    const queries = reads.length;
    expect(await cache.get("key")).toBe("known");
    expect(reads.length).toBe(queries);
  });
});
