import fc from "fast-check";
import { expect, test } from "vitest";
import { hashText, identityOf } from "../../../../server/ingest/accept/event-hash.ts";
import { IdFilter } from "../../../../server/ingest/accept/id-filter.ts";
import {
  type IdentifiedEvent,
  KnownIds,
  type KnownIdsOptions,
  type StoredIdentity,
} from "../../../../server/ingest/accept/known-ids.ts";
import { Claims, RecentIds } from "../../../../server/ingest/accept/recent-ids.ts";
import { renderRequestRecord } from "../../../../server/ingest/accept/request-record.ts";

function event(id: string, body: string, organization = "acme"): IdentifiedEvent {
  const identity = identityOf(organization, id);
  return { organization, id, timeMs: 0, identity, idHash: hashText(identity), bodyHash: hashText(body) };
}

async function* nothing(): AsyncGenerator<BigUint64Array> {
  yield new BigUint64Array(0);
}

async function knownIds(options: Partial<KnownIdsOptions> = {}): Promise<KnownIds> {
  const ids = new KnownIds({ lookupStored: async () => new Map(), filterBytes: 1 << 16, recentSlots: 64, ...options });
  await ids.fillFromStorage(nothing());
  return ids;
}

async function claimOf(ids: KnownIds, given: IdentifiedEvent, claims = new Claims()) {
  const answers = ids.mustAsk(given) ? await ids.ask([given]) : undefined;
  return ids.claim(given, answers, claims);
}

test("no two pairs of organization and id share an identity", () => {
  const text = fc.string({ unit: fc.constantFrom("a", ":", "1", "2", "é", "\0"), minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(text, text, text, text, (organization, id, otherOrganization, otherId) => {
      const areSame = organization === otherOrganization && id === otherId;
      expect(identityOf(organization, id) === identityOf(otherOrganization, otherId)).toBe(areSame);
    }),
    { numRuns: 5_000 },
  );
});

test("the filter never forgets a hash, and seldom takes a new one for known", () => {
  const filter = new IdFilter(1 << 16);
  const hashes = Array.from({ length: 40_000 }, (_, index) => hashText(`id ${index}`));
  for (const hash of hashes) filter.add(hash);
  expect(hashes.every((hash) => filter.has(hash))).toBe(true);
  let wrong = 0;
  for (let index = 0; index < 40_000; index++) if (filter.has(hashText(`other ${index}`))) wrong++;
  expect(wrong / 40_000).toBeLessThan(0.05);
});

test("a retry is a duplicate, the same id with another body a conflict, the same id of another organization is new", async () => {
  const ids = await knownIds();
  expect(await claimOf(ids, event("e1", "a"))).toEqual({ verdict: "new", isChecked: true });
  expect(await claimOf(ids, event("e1", "a"))).toMatchObject({ verdict: "duplicate" });
  expect(await claimOf(ids, event("e1", "b"))).toMatchObject({ verdict: "conflict" });
  expect(await claimOf(ids, event("e1", "b", "other"))).toMatchObject({ verdict: "new" });
});

test("identities of a failed append are new again", async () => {
  const ids = await knownIds();
  const claims = new Claims();
  await claimOf(ids, event("e1", "a"), claims);
  claims.forget();
  expect(await claimOf(ids, event("e1", "b"))).toMatchObject({ verdict: "new" });
  expect(await claimOf(ids, event("e1", "a"))).toMatchObject({ verdict: "conflict" });
});

test("a stored event is a duplicate or a conflict at any age, and the hash decides nothing alone", async () => {
  const stored = new Map([[identityOf("acme", "old"), String(hashText("a"))]]);
  const ids = new KnownIds({ lookupStored: async () => stored, filterBytes: 1 << 16, recentSlots: 64 });
  await ids.fillFromStorage(
    (async function* () {
      yield BigUint64Array.of(hashText(identityOf("acme", "old")), hashText(identityOf("acme", "hash only")));
    })(),
  );
  expect(await claimOf(ids, event("old", "a"))).toMatchObject({ verdict: "duplicate" });
  expect(await claimOf(ids, event("old", "b"))).toMatchObject({ verdict: "conflict" });
  expect(await claimOf(ids, event("hash only", "b"))).toEqual({ verdict: "new", isChecked: true });
});

test("until the filter is filled every identity is looked up, and unchecked when storage does not answer", async () => {
  const asked: string[] = [];
  let isDown = false;
  const ids = new KnownIds({
    filterBytes: 1 << 16,
    recentSlots: 64,
    lookupStored: async (identities: readonly StoredIdentity[]) => {
      asked.push(...identities.map(({ id }) => id));
      if (isDown) throw new Error("down");
      return new Map();
    },
  });
  expect(await claimOf(ids, event("e1", "a"))).toEqual({ verdict: "new", isChecked: true });
  isDown = true;
  expect(await claimOf(ids, event("e2", "a"))).toEqual({ verdict: "new", isChecked: false });
  expect(await claimOf(ids, event("e3", "a"))).toEqual({ verdict: "new", isChecked: false });
  expect(asked).toEqual(["e1", "e2"]);
  expect(await claimOf(ids, event("e3", "a"))).toMatchObject({ verdict: "duplicate" });
});

test("storage that hangs holds a request for its bound only, and is then left alone", async () => {
  let lookups = 0;
  const ids = new KnownIds({
    filterBytes: 1 << 16,
    recentSlots: 64,
    lookupTimeoutMs: 5,
    lookupStored: () => {
      lookups++;
      return new Promise(() => undefined);
    },
  });
  expect(await claimOf(ids, event("e1", "a"))).toEqual({ verdict: "new", isChecked: false });
  expect(await claimOf(ids, event("e2", "a"))).toEqual({ verdict: "new", isChecked: false });
  expect(lookups).toBe(1);
});

test("requests that wait at once are looked up together", async () => {
  const groups: number[] = [];
  const waiting: (() => void)[] = [];
  const ids = new KnownIds({
    filterBytes: 1 << 16,
    recentSlots: 64,
    lookupStored: (identities) => {
      groups.push(identities.length);
      return new Promise((resolve) => waiting.push(() => resolve(new Map())));
    },
  });
  const asks = Array.from({ length: 6 }, (_, index) => ids.ask([event(`e${index}`, "a")]));
  waiting.shift()?.();
  await asks[0];
  waiting.shift()?.();
  await Promise.all(asks);
  expect(groups).toEqual([1, 5]);
});

test("everything that is not settled stays known exactly, however much it is", async () => {
  const ids = await knownIds({ maxGenerations: 100 });
  for (let index = 0; index < 1_000; index++) {
    const claims = new Claims();
    await claimOf(ids, event(`e${index}`, "a"), claims);
    claims.logged({ segment: 1, offset: index + 1 });
  }
  for (let index = 0; index < 1_000; index++) {
    expect(await claimOf(ids, event(`e${index}`, "a"))).toMatchObject({ verdict: "duplicate" });
    expect(await claimOf(ids, event(`e${index}`, "b"))).toMatchObject({ verdict: "conflict" });
  }
});

test("an outage that outgrows memory makes events unchecked, never wrongly new, until storage has caught up", async () => {
  const ids = await knownIds({ maxGenerations: 2 });
  const last = { segment: 1, offset: 1_000 };
  for (let index = 0; index < 1_000; index++) {
    const claims = new Claims();
    await claimOf(ids, event(`e${index}`, "a"), claims);
    claims.logged({ segment: 1, offset: index + 1 });
  }
  expect(await claimOf(ids, event("e0", "a"))).toEqual({ verdict: "new", isChecked: false });
  ids.settledThrough(last);
  expect(await claimOf(ids, event("e1", "a"))).toEqual({ verdict: "new", isChecked: true });
});

test("generations that are settled are let go, so memory does not grow", () => {
  const recent = new RecentIds({ slots: 64, maxGenerations: 100 });
  for (let index = 0; index < 1_000; index++) {
    const claims = new Claims();
    const { identity, idHash, bodyHash } = event(`e${index}`, "a");
    recent.add(identity, idHash, bodyHash, claims);
    claims.logged({ segment: 1, offset: index + 1 });
    recent.settledThrough({ segment: 1, offset: index + 1 });
  }
  const known = Array.from({ length: 1_000 }, (_, index) => event(`e${index}`, "a")).filter(
    ({ identity, idHash, bodyHash }) => recent.find(identity, idHash, bodyHash) === "same_body",
  );
  expect(known.length).toBeGreaterThanOrEqual(48);
  expect(known.length).toBeLessThanOrEqual(96);
  expect(recent.isCertain).toBe(true);
});

test("two identities with one hash stay two: the second is never refused", () => {
  const recent = new RecentIds({ slots: 64, maxGenerations: 4 });
  const { identity, idHash, bodyHash } = event("e1", "a");
  recent.add(identity, idHash, bodyHash, new Claims());
  expect(recent.find(identityOf("acme", "e2"), idHash, hashText("b"))).toBe("unsure");
  expect(recent.find(identityOf("acme", "e2"), idHash, bodyHash)).toBe("unsure");
});

test("events that an earlier process logged are known before the first request", async () => {
  const ids = await knownIds();
  const line = (id: string, body: string) => `1\tac\\tme\t${id}\t${hashText(body)}\t0\t0\tchat.posted`;
  const payload = renderRequestRecord({
    receivedAtMs: 0,
    events: [line("e1", "a"), line("e2", "a")],
    quarantined: [],
    outcomes: [],
  });
  await ids.fillFromLog(
    (async function* () {
      yield { payload, end: { segment: 1, offset: 99 } };
    })(),
  );
  expect(await claimOf(ids, event("e1", "a", "ac\tme"))).toMatchObject({ verdict: "duplicate" });
  expect(await claimOf(ids, event("e2", "b", "ac\tme"))).toMatchObject({ verdict: "conflict" });
});
