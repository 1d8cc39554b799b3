import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { jsonPieces, listFormOf, streamOf } from "../../../server/http/list-form.ts";

test("an answer made in pieces is the text that it is made of at once", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
      expect([...jsonPieces(value)].join("")).toBe(JSON.stringify(value));
    }),
  );
  const long = {
    list: Array.from({ length: 1_201 }, (_, n) => ({ n })),
    nested: [[1], { more: [2] }],
    none: undefined,
  };
  expect([...jsonPieces(long)].join("")).toBe(JSON.stringify(long));
});

test.each([
  [undefined, "json"],
  ["*/*", "json"],
  ["text/html", "json"],
  ["text/csv", "csv"],
  ["Text/CSV; charset=utf-8", "csv"],
  ["text/csv;q=0", "json"],
  ["application/json;q=0.1, text/csv", "csv"],
  ["application/json;q=0, text/csv;q=0.2", "csv"],
  ["text/csv;q=0.5, application/x-ndjson ; Q=0.9", "ndjson"],
  ["text/csv, application/json", "json"],
  ["text/csv, */*", "csv"],
  ["text/csv;q=0.5, */*", "json"],
  ["application/vnd.apache.parquet", "parquet"],
  ["application/vnd.openxmlformats-officedocument.spreadsheetml.sheet, */*;q=0.1", "xlsx"],
])("who accepts %s gets %s", (accept, form) => {
  expect(listFormOf(accept)).toBe(form);
});

test("a reader that takes nothing is cut off, and the question ends; one that is slow and goes on is waited for", async () => {
  async function* long() {
    for (let n = 0; n < 40; n++) yield "x".repeat(100_000);
  }
  let ended = 0;
  const question = { signal: new AbortController().signal, send: () => ({ isSent: () => void ended++ }) };
  const left = (await streamOf(long(), question, { graceMs: 50, bytesPerSecond: 1e9 })).getReader();
  await left.read();
  await expect.poll(() => ended).toBeGreaterThan(0);
  await expect(
    (async () => {
      while (!(await left.read()).done);
    })(),
  ).rejects.toThrow("too slow");

  const slow = await streamOf(long(), question, { graceMs: 300, bytesPerSecond: 100_000 });
  let bytes = 0;
  for await (const chunk of slow) {
    bytes += chunk.length;
    await delay(20);
  }
  expect(bytes).toBe(4_000_000);
});

test("a question lasts until its answer is sent or its reader has left, and ends once", async () => {
  let ended = 0;
  const question = { signal: new AbortController().signal, send: () => ({ isSent: () => void ended++ }) };
  const read = await streamOf(jsonPieces([1, 2, 3]), question);
  expect(await new Response(read).text()).toBe("[1,2,3]");
  expect(ended).toBeGreaterThan(0);
  ended = 0;
  async function* endless() {
    for (;;) yield "x".repeat(100_000);
  }
  const left = await streamOf(endless(), question);
  await left.cancel();
  await expect.poll(() => ended).toBeGreaterThan(0);
});
