/** What is read of a body, and which bodies are refused as a whole. */
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { limits } from "../../../../server/contract/events.ts";
import { acceptRequest } from "../../../../server/ingest/accept/accept-request.ts";
import { rootKey } from "../../../support/accepting.ts";
import { type PostOptions, posting } from "../../../support/posting.ts";

const nowMs = Date.UTC(2026, 10, 21, 9);
const world = posting(nowMs);
const { event, post, refusal } = world;

const ndjson = { headers: { "content-type": "application/x-ndjson" } };

test("each line has its own verdict; blank lines are none; an unreadable line is not_json", async () => {
  const [first, last] = [event({ user: "é" }), event()];
  const body = Buffer.concat([
    Buffer.from(`\uFEFF${JSON.stringify(first)}\r\n\n  \t\n{"id":\n`),
    Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d, 0x0a]),
    Buffer.from(`[1]\n${JSON.stringify(last)}`),
  ]);
  const decision = await post(body, ndjson);
  expect(decision.rejected).toMatchObject([
    { index: 1, id: null, code: "not_json", field: null },
    { index: 2, id: null, code: "not_json" },
    { index: 3, id: null, code: "not_an_object" },
  ]);
  expect((await world.accepting.loggedEvents()).map(({ id }) => id)).toEqual([first.id, last.id]);
  expect(await world.accepting.loggedQuarantine()).toMatchObject([{ raw: '{"id":' }, {}, { raw: "[1]" }]);
});

test.each<[string, unknown, PostOptions | undefined, string]>([
  ["an empty body", "", undefined, "unreadable_body"],
  ["a blank body", " \n\n", ndjson, "unreadable_body"],
  ["half an object", '{"id":"e1"', undefined, "unreadable_body"],
  ["a number", "5", undefined, "unreadable_body"],
  ["null", "null", undefined, "unreadable_body"],
  ["bytes that are no UTF-8", Buffer.from([0x5b, 0x22, 0xc3, 0x28, 0x22, 0x5d]), undefined, "unreadable_body"],
  ["10,001 events", JSON.stringify(Array.from({ length: 10_001 }, () => 1)), undefined, "too_many_events"],
  ["10,001 lines", "1\n".repeat(10_001), ndjson, "too_many_events"],
  ["a form", "a=b", { headers: { "content-type": "application/x-www-form-urlencoded" } }, "unsupported_media_type"],
  [
    "another charset",
    "[]",
    { headers: { "content-type": "application/json; charset=latin1" } },
    "unsupported_media_type",
  ],
  ["an unknown coding", "[]", { headers: { "content-encoding": "zstd" } }, "unsupported_media_type"],
  ["two codings", "[]", { headers: { "content-encoding": "gzip, gzip" } }, "unsupported_media_type"],
  ["gzip that is none", "[]", { headers: { "content-encoding": "gzip" } }, "unreadable_body"],
  [
    "gzip that is cut",
    gzipSync(JSON.stringify([event()])).subarray(0, -9),
    { headers: { "content-encoding": "gzip" } },
    "unreadable_body",
  ],
  ["brotli that is none", "hello", { headers: { "content-encoding": "br" } }, "unreadable_body"],
  ["an announced length beyond the limit", "[]", { headers: { "content-length": "99999999" } }, "body_too_large"],
  ["a body beyond the limit", Buffer.alloc(limits.maxInflatedBytes + 1, 32), undefined, "body_too_large"],
  [
    "a batch that is none",
    "{}",
    { headers: { "content-type": "application/cloudevents-batch+json" } },
    "unreadable_body",
  ],
  [
    "a CloudEvent that is an array",
    "[]",
    { headers: { "content-type": "application/cloudevents+json" } },
    "unreadable_body",
  ],
])("%s is refused as a whole and leaves nothing behind", async (_, body, options, code) => {
  expect(await refusal(body, options)).toMatchObject({ code });
  expect(world.accepting.log.backlogBytes).toBe(0);
});

test("deep nesting is a rejected event, not a crash", async () => {
  const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  expect(await post(`[{"id":"d","type":"t","organization":"acme","properties":{"a":${deep}}}]`)).toMatchObject({
    rejected: [{ index: 0, id: null, code: "too_complex", field: null }],
  });
});

test.each([
  ["gzip", gzipSync],
  ["x-gzip", gzipSync],
  ["br", brotliCompressSync],
  ["deflate", deflateSync],
] as const)("%s is inflated, and a bomb stops at the limit", async (encoding, compress) => {
  const headers = { "content-encoding": encoding };
  expect(await post(compress(JSON.stringify([event(), event()])), { headers })).toMatchObject({ accepted: 2 });
  const bomb = compress(Buffer.alloc(3 * limits.maxInflatedBytes, 32));
  expect(await refusal(bomb, { headers })).toMatchObject({ code: "body_too_large" });
});

test("a sender that stalls is refused when its time is over", async () => {
  world.accepting.bodyTimeoutMs = 5;
  const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(Buffer.from("[")) });
  const headers = new Headers({ "content-type": "application/json" });
  await expect(
    acceptRequest(world.accepting, { headers, body, sendingKey: rootKey, isAtomic: false }),
  ).rejects.toMatchObject({
    code: "unreadable_body",
    message: expect.stringContaining("did not arrive"),
  });
});
