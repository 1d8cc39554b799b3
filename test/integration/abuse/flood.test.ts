/** Bodies that only cost: memory stays bounded and another caller is answered while they come. */
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type AbusedService, startAbusedService } from "../../support/abused-service.ts";
import { type Harm, harmOf } from "../../support/bystander.ts";
import { chunkOf, sendHead } from "../../support/raw-sender.ts";

const mebibyte = 1024 * 1024;
/** What a request may cost that is refused for its size, with what the garbage collector leaves for later. */
const maxGrownBytes = 192 * mebibyte;
/** Longer than any slice of work, shorter than the reading of one such body whole. */
const maxRatio = 20;

let abused: AbusedService;
beforeAll(async () => {
  abused = await startAbusedService();
});
afterAll(() => abused.stop());

function expectLittleHarm({ statuses, ratio, grownBytes }: Harm<unknown>): void {
  expect([...statuses.keys()]).toEqual([200]);
  expect(ratio).toBeLessThan(maxRatio);
  expect(grownBytes).toBeLessThan(maxGrownBytes);
}

/** The status that a chunked body of `bytes` is answered with, sent until it is answered. */
async function flood(path: string, bytes: number, headers: Record<string, string>): Promise<number | undefined> {
  const sender = await sendHead(abused.service.url, "POST", path, { "transfer-encoding": "chunked", ...headers });
  const piece = chunkOf(Buffer.alloc(mebibyte, " "));
  for (let sent = 0; sent < bytes && !sender.isClosed(); sent += mebibyte) await sender.write(piece);
  const status = await sender.answered;
  sender.destroy();
  return status;
}

const ofKey = () => ({ authorization: `Bearer ${abused.attacker.key}` });
const atOnce = <Result>(count: number, one: () => Promise<Result>) => Promise.all(Array.from({ length: count }, one));

test("four strangers who sign in with 450 MB each take no memory, and nobody waits for them", async () => {
  const json = { "content-type": "application/json" };
  const harm = await harmOf(abused.bystander, () => atOnce(4, () => flood("/v1/session", 450 * mebibyte, json)));
  expect(harm.result).toEqual([413, 413, 413, 413]);
  expectLittleHarm(harm);
});

test("eight compressed bodies of brackets are refused before anything parses them", async () => {
  const body = gzipSync("[".repeat(10_000_000));
  const headers = { ...ofKey(), "content-type": "application/json", "content-encoding": "gzip" };
  const send = async () => (await fetch(`${abused.service.url}/v1/events`, { method: "POST", headers, body })).status;
  const harm = await harmOf(abused.bystander, () => atOnce(8, send));
  expect(new Set(harm.result)).toEqual(new Set([400]));
  expectLittleHarm(harm);
});

test.each([
  ["line ends", `kind,id\n${"\n".repeat(2_000_000)}`, 200],
  ["commas", ",".repeat(4_000_000), 400],
  ["quotes", `kind,id\n${'"'.repeat(4_000_000)}`, 400],
  ["columns", `kind,id${",name".repeat(400_000)}`, 400],
  ["lines", `kind,id\n${"organization,x\n".repeat(60_000)}`, 200],
])("tables of %s are read in slices", async (_, body, status) => {
  const headers = { ...ofKey(), "content-type": "text/csv" };
  const send = async () =>
    (await fetch(`${abused.service.url}/v1/nodes/import?dry_run=true`, { method: "POST", headers, body })).status;
  const harm = await harmOf(abused.bystander, () => atOnce(3, send));
  expect(harm.result).toEqual([status, status, status]);
  expectLittleHarm(harm);
});
