import { describe, expect, test } from "vitest";
import { limits } from "../../../../server/contract/events.ts";
import { EventMemory } from "../../../../server/ingest/accept/event-memory.ts";

const mebibyte = 1024 * 1024;
const full = limits.maxInflatedBytes;
/** The n-th key of a tenant. */
const keyOf = (tenant: string, n = 1) => ({ tenant, key: `${tenant} ${n}` });
const impatient = () => new EventMemory({ timeoutMs: 20 });
const codeOf = (entering: Promise<unknown>) =>
  entering.then(
    () => "entered",
    (error: { code: string }) => error.code,
  );

test("bodies wait for memory in the order in which they came, and are told to return when there is none in time", async () => {
  const memory = impatient();
  const [slow] = await Promise.all([memory.reserve(keyOf("a"), full, false), memory.reserve(keyOf("a"), full, false)]);
  const late = memory.reserve(keyOf("a"), full, false).catch((error: Error) => error);
  expect(await late).toMatchObject({ code: "overloaded", retryAfterSeconds: expect.any(Number) });
  const order: string[] = [];
  const enter = async (name: string, bytes: number) => {
    const entered = await memory.reserve(keyOf("a"), bytes, false);
    order.push(name);
    return entered;
  };
  const first = enter("first", mebibyte);
  const second = enter("second", 1_000);
  slow.release();
  for (const entered of await Promise.all([first, second])) entered.release();
  expect(order).toEqual(["first", "second"]);
});

describe("however many full bodies are held", () => {
  test.each([
    ["by one key", (_: number) => keyOf("loud")],
    ["by many keys of one tenant", (n: number) => keyOf("loud", n)],
  ])("%s, another tenant's full body enters at once, and another key's small one", async (_, sender) => {
    const memory = impatient();
    const held = await Promise.all(
      Array.from({ length: 100 }, (_, n) => codeOf(memory.reserve(sender(n), full, false))),
    );
    expect(held.filter((code) => code === "entered").length).toBeLessThanOrEqual(3);
    expect(await codeOf(memory.reserve(keyOf("quiet"), full, false))).toBe("entered");
    expect(await codeOf(memory.reserve(keyOf("third"), full, false))).toBe("entered");
  });

  test("by one key, another key of the same tenant has memory", async () => {
    const memory = impatient();
    await Promise.all(Array.from({ length: 100 }, () => codeOf(memory.reserve(keyOf("same"), full, false))));
    expect(await codeOf(memory.reserve(keyOf("same", 2), full, false))).toBe("entered");
  });

  test("by one key, those of it that wait do not stand before others", async () => {
    const memory = new EventMemory();
    await Promise.all([memory.reserve(keyOf("loud"), full, false), memory.reserve(keyOf("loud"), full, false)]);
    const waiting = Array.from({ length: 50 }, () => memory.reserve(keyOf("loud"), full, false));
    const others = Array.from({ length: 20 }, (_, n) => memory.reserve(keyOf("quiet", n), 100_000, false));
    expect(
      await Promise.race([Promise.all(others).then(() => "quiet"), ...waiting.map((one) => one.then(() => "loud"))]),
    ).toBe("quiet");
    for (const one of waiting) one.catch(() => undefined);
  });
});

test("the growth of bodies is bounded, and one tenant's takes nothing of what another is assured of", async () => {
  const memory = impatient();
  const grow = async (sender: { tenant: string; key: string }) => {
    const entered = await memory.reserve(sender, undefined, true);
    entered.take(full);
  };
  const grownBy = async (tenant: string) => {
    let grown = 0;
    while (grown < 100 && (await codeOf(grow(keyOf(tenant, grown)))) === "entered") grown++;
    return grown;
  };
  const [loud, louder] = [await grownBy("loud"), await grownBy("louder")];
  expect(loud * full).toBeLessThanOrEqual(40 * mebibyte);
  expect((loud + louder) * full).toBeLessThanOrEqual(82 * mebibyte);
  expect(await codeOf(grow(keyOf("quiet")))).toBe("entered");
});

test("released memory can be reserved again, and a second release gives nothing", async () => {
  const memory = impatient();
  for (let round = 0; round < 50; round++) {
    const entered = await memory.reserve(keyOf("a"), full, false);
    entered.take(full);
    entered.release();
    entered.release();
  }
  const held = await Promise.all(Array.from({ length: 10 }, () => codeOf(memory.reserve(keyOf("a"), full, false))));
  expect(held.filter((code) => code === "entered")).toHaveLength(2);
});

test("a large body that waits is not passed by the small ones for ever", async () => {
  const memory = impatient();
  const held = await Promise.all(
    [keyOf("a"), keyOf("a"), keyOf("b")].map((sender) => memory.reserve(sender, full, false)),
  );
  const large = memory.reserve(keyOf("b", 2), full, false);
  const after = memory.reserve(keyOf("b", 3), 9 * mebibyte, false);
  const order: string[] = [];
  const noted = [large.then(() => order.push("large")), after.then(() => order.push("after"))];
  held[0]?.release();
  await Promise.allSettled(noted);
  expect(order[0]).toBe("large");
});
