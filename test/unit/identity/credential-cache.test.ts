import { expect, test } from "vitest";
import { CredentialCache, hashSecret } from "../../../server/identity/credential-cache.ts";

/** A store that answers when the test says so, and a clock that stands still. */
function storeOf(known: Record<string, string>) {
  const byHash = new Map(Object.entries(known).map(([secret, value]) => [hashSecret(secret), value]));
  const pending: (() => void)[] = [];
  const store = {
    nowMs: 1_000_000,
    reads: 0,
    waits: false,
    isAway: false,
    answer: () => {
      for (const go of pending.splice(0)) go();
    },
    end: (secret: string) => byHash.delete(hashSecret(secret)),
  };
  async function read(hash: string): Promise<string | undefined> {
    store.reads++;
    const value = byHash.get(hash);
    if (store.isAway) throw new Error("away");
    if (store.waits) await new Promise<void>((resolve) => pending.push(resolve));
    return value;
  }
  const cache = new CredentialCache<string>(read, () => store.nowMs, {
    holdMs: 60_000,
    isUnavailable: (error) => error instanceof Error && error.message === "away",
    readMany: async (hashes) => {
      if (store.isAway) throw new Error("away");
      return new Map(hashes.flatMap((hash) => (byHash.has(hash) ? [[hash, byHash.get(hash) as string]] : [])));
    },
  });
  return { store, cache };
}

test("however many ask at once, a credential costs one read in two seconds", async () => {
  const { store, cache } = storeOf({ secret: "ada" });
  store.waits = true;
  const asked = [cache.get("secret"), cache.get("secret")];
  store.answer();
  expect(await Promise.all(asked)).toEqual(["ada", "ada"]);
  expect(await cache.get("secret")).toBe("ada");
  expect(store.reads).toBe(1);
  store.nowMs += 2_000;
  store.waits = false;
  expect(await cache.get("secret")).toBe("ada");
  expect(store.reads).toBe(2);
});

test.each([
  ["of everything", undefined],
  ["of this credential", (value: string) => value === "ada"],
] as const)("what was read before a notice %s is not remembered after it", async (_, isOfThese) => {
  const { store, cache } = storeOf({ secret: "ada" });
  store.waits = true;
  const asked = cache.get("secret");
  store.end("secret");
  cache.clear(isOfThese);
  store.answer();
  await asked;
  store.waits = false;
  expect(await cache.get("secret")).toBeUndefined();
});

test("made-up credentials push nobody's out of memory", async () => {
  const { store, cache } = storeOf({ secret: "ada" });
  await cache.get("secret");
  for (let one = 0; one < 11_000; one++) await cache.get(`made up ${one}`);
  const { reads } = store;
  expect(await cache.get("secret")).toBe("ada");
  expect(store.reads).toBe(reads);
});

test("while the store is away what was known goes on for the time of holding, and what has ended does not", async () => {
  const { store, cache } = storeOf({ kept: "ada", ended: "bob" });
  await cache.get("kept");
  await cache.get("ended");
  cache.clear((value) => value === "bob");
  store.isAway = true;
  store.nowMs += 10_000;
  expect(await cache.get("kept")).toBe("ada");
  await expect(cache.get("ended")).rejects.toThrow("away");
  store.nowMs += 60_001;
  await expect(cache.get("kept")).rejects.toThrow("away");
  expect(cache.isTrusted).toBe(false);
});
