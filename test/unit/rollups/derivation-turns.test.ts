import fc from "fast-check";
import { expect, test } from "vitest";
import { DerivationTurns } from "../../../server/rollups/derivation-turns.ts";

interface Gate {
  open: () => void;
  cut: () => void;
  passed: Promise<void>;
}

function gate(): Gate {
  let open = () => {};
  let cut = () => {};
  const passed = new Promise<void>((resolve, reject) => {
    open = resolve;
    cut = () => reject(new Error("cut off"));
  });
  passed.catch(() => undefined);
  return { open, cut, passed };
}

/** Until everything that can happen by itself has. */
const rest = () => new Promise<void>((resolve) => setImmediate(resolve));

function world(epoch = () => ({ number: 1, leftSince: undefined as number | undefined })) {
  const happened: string[] = [];
  let version = 0;
  const turns = new DerivationTurns({
    nextVersion: () => ++version,
    currentEpoch: epoch,
    enterEpoch: () => happened.push("epoch"),
    undo: async (_, since) => void happened.push(`undo from ${since}`),
    invalidate: () => happened.push("invalidate"),
  });
  const works = new Map<string, Gate>();
  const writes = new Map<string, Gate>();
  const derive = (name: string, onWorked?: () => void) => {
    works.set(name, gate());
    writes.set(name, gate());
    return turns.overlapping(async () => {
      happened.push(`work ${name}`);
      await works.get(name)?.passed;
      const write = async () => {
        happened.push(`write ${name}`);
        await writes.get(name)?.passed;
        happened.push(`written ${name}`);
      };
      return { result: name, write };
    }, onWorked);
  };
  const work = (name: string) => works.get(name) as Gate;
  const write = (name: string) => writes.get(name) as Gate;
  return { turns, happened, derive, work, write };
}

test("while one is written the next one works, and no third, and each is written after the one before it", async () => {
  const { happened, derive, work, write, turns } = world();
  const all = ["a", "b", "c"].map((name) => derive(name));
  for (const name of ["a", "b", "c"]) work(name).open();
  await rest();
  expect(happened).toEqual(["invalidate", "epoch", "work a", "write a", "work b"]);
  expect(turns.unfinishedSince).toBe(1);
  expect(happened).not.toContain("write b");
  write("a").open();
  await rest();
  expect(happened.slice(5)).toEqual(["written a", "write b", "work c"]);
  write("b").open();
  await rest();
  expect(happened.slice(8)).toEqual(["written b", "write c"]);
  expect(turns.unfinishedSince).toBe(3);
  write("c").open();
  expect(await Promise.all(all)).toEqual(["a", "b", "c"]);
  expect(turns.unfinishedSince).toBeUndefined();
});

test("the next one is called for when it would work at once, and not while it would wait for what is written", async () => {
  const { happened, derive, work, write } = world();
  const all = ["a", "b"].map((name) => derive(name, () => happened.push(`next after ${name}`)));
  work("a").open();
  work("b").open();
  await rest();
  expect(happened.slice(-3).sort()).toEqual(["next after a", "work b", "write a"]);
  expect(happened).not.toContain("next after b");
  write("a").open();
  await rest();
  expect(happened).toContain("next after b");
  expect(happened).not.toContain("written b");
  write("b").open();
  await Promise.all(all);
});

test("one that cannot be written takes with it what worked meanwhile: nothing of that is written, and both are undone before anything else works", async () => {
  const { happened, derive, work, write, turns } = world();
  const [a, b] = ["a", "b"].map((name) => derive(name));
  a?.catch(() => undefined);
  b?.catch(() => undefined);
  work("a").open();
  await rest();
  write("a").cut();
  await rest();
  work("b").open();
  await expect(a).rejects.toThrow("cut off");
  await expect(b).rejects.toThrow("could not be written");
  expect(turns.unfinishedSince).toBe(1);
  const c = derive("c");
  work("c").open();
  write("c").open();
  expect(await c).toBe("c");
  expect(happened).not.toContain("write b");
  expect(happened.slice(happened.indexOf("undo from 1"))).toEqual(["undo from 1", "work c", "write c", "written c"]);
  // Once for what could not be written, and once for what worked on with what memory held of it.
  expect(happened.filter((one) => one === "invalidate")).toHaveLength(3);
});

test("who asks for a turn alone has it when all that came before is written, and nobody works until it ends", async () => {
  const { turns, happened, derive, work, write } = world();
  const a = derive("a");
  const ended = gate();
  const alone = turns.alone(async () => {
    happened.push("alone");
    await ended.passed;
    happened.push("alone no more");
  });
  const b = derive("b");
  work("a").open();
  work("b").open();
  await rest();
  expect(happened.at(-1)).toBe("write a");
  write("a").open();
  await rest();
  expect(happened.at(-1)).toBe("alone");
  ended.open();
  write("b").open();
  await Promise.all([a, alone, b]);
  expect(happened.slice(-4)).toEqual(["alone no more", "work b", "write b", "written b"]);
});

test("one that has to read storage waits until it has what was derived before, and fails where it does not", async () => {
  const { turns, happened, derive, work, write } = world();
  const read = () =>
    turns.overlapping(async ({ allWritten }) => {
      happened.push("asks");
      await allWritten();
      happened.push("reads");
      return { result: undefined, write: async () => undefined };
    });
  const a = derive("a");
  const b = read();
  work("a").open();
  await rest();
  expect(happened.at(-1)).toBe("asks");
  write("a").open();
  await Promise.all([a, b]);
  expect(happened.slice(-2)).toEqual(["written a", "reads"]);
  const c = derive("c");
  const d = read();
  work("c").open();
  write("c").cut();
  await expect(c).rejects.toThrow("cut off");
  await expect(d).rejects.toThrow("could not be written");
  expect(happened.filter((one) => one === "reads")).toHaveLength(1);
});

test("another epoch is entered when all is written that the one before derived, and what it left is undone", async () => {
  let current: { number: number; leftSince: number | undefined } = { number: 1, leftSince: undefined };
  const { happened, derive, work, write } = world(() => current);
  const a = derive("a");
  work("a").open();
  await rest();
  current = { number: 2, leftSince: 40 };
  const b = derive("b");
  work("b").open();
  write("b").open();
  await rest();
  expect(happened.at(-1)).toBe("write a");
  write("a").open();
  await Promise.all([a, b]);
  expect(happened.slice(4)).toEqual([
    "written a",
    "invalidate",
    "epoch",
    "undo from 40",
    "work b",
    "write b",
    "written b",
  ]);
});

type Fate = "written" | "work fails" | "write fails";
const fates = fc.constantFrom<Fate>("written", "written", "written", "work fails", "write fails");

test("in whatever order works and writes end, and whichever of them fail, what is written was worked on from what was written before it, or after all was let go", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fates, { maxLength: 8 }), fc.scheduler(), async (drawn, scheduler) => {
      let version = 0;
      /** What memory and storage have: the numbers of the derivations, in their order. */
      let memory: number[] = [];
      const storage: number[] = [];
      const wrong: string[] = [];
      const turns = new DerivationTurns({
        nextVersion: () => ++version,
        currentEpoch: () => ({ number: 1, leftSince: undefined }),
        enterEpoch: () => undefined,
        undo: async () => {
          if (memory.length > 0) wrong.push("something is held while others are undone");
        },
        // Read from storage when it is needed the next time.
        invalidate: () => {
          memory = [];
        },
      });
      const derived = drawn.map((fate, number) =>
        turns.overlapping(async ({ allWritten }) => {
          if (memory.length === 0) {
            await allWritten();
            memory = [...storage];
          }
          await scheduler.schedule(Promise.resolve(), `work ${number}`);
          if (fate === "work fails") throw new Error("work fails");
          memory.push(number);
          const asWorked = [...memory];
          const write = async () => {
            await scheduler.schedule(Promise.resolve(), `write ${number}`);
            if (fate === "write fails") throw new Error("write fails");
            storage.push(number);
            if (`${storage}` !== `${asWorked}`) wrong.push(`${asWorked} was written where storage has ${storage}`);
          };
          return { result: number, write };
        }),
      );
      const ended = Promise.allSettled(derived);
      await scheduler.waitFor(ended);
      const written = (await ended).flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
      expect(wrong).toEqual([]);
      expect(written).toEqual(storage);
      // Whatever has failed, the next one is derived, and leaves nothing to be undone.
      await turns.overlapping(async () => ({ result: undefined, write: async () => undefined }));
      expect(turns.unfinishedSince).toBeUndefined();
    }),
    { numRuns: 500 },
  );
});
