import fc from "fast-check";
import { expect, test } from "vitest";
import { eventType } from "../../../../server/catalog/catalog.ts";
import { eventTypes } from "../../../../server/catalog/event-types.ts";
import { type UsageEvent, usageEventSchema } from "../../../../server/contract/events.ts";
import { acceptRequest } from "../../../../server/ingest/accept/accept-request.ts";
import type { GivenEvent } from "../../../../server/ingest/accept/event-gate.ts";
import { identityPrefix } from "../../../../server/ingest/accept/event-hash.ts";
import {
  eventOfLine,
  type LineColumn,
  lineColumns,
  unescapeColumn,
} from "../../../../server/ingest/accept/event-row.ts";
import { readEvent, renderEventRow } from "../../../../server/ingest/accept/read-event.ts";
import { parseJson } from "../../../../server/json/parse-json.ts";
import { ProblemError } from "../../../../server/problem.ts";
import { rootKey, startAccepting } from "../../../support/accepting.ts";

const receivedAtMs = Date.UTC(2026, 10, 21, 9);
const context = (isPlain: boolean) => ({
  receivedAtMs,
  isPlain,
  eventType,
  prefixOf: identityPrefix,
  warn: () => undefined,
});

/** With every field of the contract; of `value` and `seconds`, which exclude each other, one at most. */
function events(text: fc.Arbitrary<string>): fc.Arbitrary<UsageEvent> {
  const name = text.filter((value) => value !== "" && value !== "__proto__");
  const amount = fc.constantFrom("1.50", 2, -0, 0.25);
  const time = fc.constantFrom("2026-11-21T08:00:00Z", "2026-11-21T10:00:00.123456+02:00");
  const event = fc.record(
    {
      id: name,
      type: fc.oneof(name, fc.constantFrom("participant.joined", "transcription.completed", "broadcast.started")),
      organization: name,
      time,
      agent: name,
      user: name,
      session: name,
      room: name,
      interval: name,
      job: name,
      started_at: time,
      value: amount,
      seconds: amount,
      properties: fc.dictionary(
        fc.oneof(name, fc.constantFrom("language", "medium", "10", "9")),
        fc.oneof(
          text,
          fc.integer(),
          fc.integer().map((units) => units / 1000),
          fc.boolean(),
        ),
        { maxKeys: 8 },
      ),
    } satisfies Record<keyof UsageEvent, fc.Arbitrary<unknown>>,
    { requiredKeys: ["id", "type", "organization", "user", "session"] },
  );
  return event.map(({ seconds, value, ...rest }) =>
    seconds === undefined
      ? { ...rest, ...(value !== undefined && { value }) }
      : { ...rest, type: "call.completed", seconds },
  );
}

const bodyHashAt = lineColumns.indexOf("body_hash");
const shared = { organization: "o", partner: "p", reseller: "r", key: "k" };
const row = (event: GivenEvent, isPlain: boolean) => {
  const read = readEvent(0, event, context(isPlain));
  return "code" in read ? read.code : renderEventRow(read, true, receivedAtMs, shared, isPlain);
};

test("a line holds the event that it came from: read again, it makes the same line", () => {
  const text = fc.string({
    unit: fc.oneof(fc.constantFrom("\t", "\n", "\\", '"', "é"), fc.string({ maxLength: 2 })),
  });
  fc.assert(
    fc.property(events(text), (event) => {
      const line = row(event, false);
      fc.pre(line.includes("\t"));
      const parsed = eventOfLine(line);
      expect([parsed.receivedAtMs, parsed.key, parsed.event.organization]).toEqual([
        receivedAtMs,
        shared.key,
        shared.organization,
      ]);
      const again = row({ ...parsed.event, organization: event.organization }, false);
      const withoutBody = (one: string) =>
        one.split("\t").filter((_, index) => event.time !== undefined || index !== bodyHashAt);
      expect(withoutBody(again)).toEqual(withoutBody(line));
    }),
  );
});

test("the fast way for requests without a backslash gives the same line as the careful way", () => {
  const plain = fc.string({ unit: "grapheme", maxLength: 12 }).filter((text) => !JSON.stringify(text).includes("\\"));
  fc.assert(
    fc.property(events(plain), (event) => {
      expect(row(event, true)).toBe(row(event, false));
    }),
    { numRuns: 2_000 },
  );
});

test("any event is one line of all columns, from which its texts and properties come back", () => {
  const any = fc
    .string({
      unit: fc.oneof(fc.constantFrom("\t", "\n", "\\", "\r", "\0", '"'), fc.string({ unit: "grapheme", maxLength: 2 })),
      maxLength: 12,
    })
    .filter((text) => text.isWellFormed());
  fc.assert(
    fc.property(events(any), (event) => {
      const columns = row(event, false).split("\t");
      fc.pre(columns.length > 1);
      expect(columns).toHaveLength(lineColumns.length);
      const column = (name: LineColumn) => unescapeColumn(columns[lineColumns.indexOf(name)] ?? "");
      expect([column("id"), column("type"), column("user"), column("agent")]).toEqual([
        event.id,
        event.type,
        event.user,
        event.agent ?? "",
      ]);
      expect(parseJson(column("properties"))).toEqual(parseJson(JSON.stringify({ ...event.properties })));
    }),
    { numRuns: 2_000 },
  );
});

test("of each type, what it says itself and the properties that it declares are the dimensions of an event, with others or without", () => {
  const dimsOf = (type: string, properties?: Record<string, string>) => {
    const ids = { id: "e", organization: "o", user: "u", session: "s", interval: "i" };
    const columns = row({ ...ids, type, ...(properties && { properties }) }, true).split("\t");
    return JSON.parse(columns[lineColumns.indexOf("dims")] ?? "");
  };
  for (const [type, { dimensions, fixed, properties }] of eventTypes) {
    const own = Object.fromEntries(fixed ? [fixed] : []);
    const given = Object.fromEntries(dimensions.map((name) => [name, properties?.[name]?.oneOf?.[0] ?? "x"]));
    expect({ type, dims: dimsOf(type) }).toEqual({ type, dims: own });
    expect({ type, dims: dimsOf(type, { ...given, more: "x" }) }).toEqual({ type, dims: { ...own, ...given } });
  }
});

const sent: Required<Omit<UsageEvent, "seconds">> = {
  id: "e1",
  type: "call.completed",
  organization: "acme",
  time: "2026-11-21T08:00:00Z",
  agent: "a",
  user: "u",
  session: "s",
  room: "r",
  interval: "i",
  job: "j",
  started_at: "2026-11-21T07:00:00Z",
  value: "5",
  properties: { language: "en" },
};
const hashOf = (event: GivenEvent) => row(event, false).split("\t")[bodyHashAt];

test("the hash of the body differs with each field that is sent, and with the unit of the amount", () => {
  const identity = ["id", "type", "organization"];
  const { value: amount, ...others } = sent;
  const hashes = [hashOf(sent), hashOf({ ...others, seconds: amount })];
  for (const field of Object.keys(usageEventSchema.shape).filter(
    (one) => !identity.includes(one) && one !== "seconds",
  )) {
    expect(sent, field).toHaveProperty(field);
    hashes.push(hashOf(Object.fromEntries(Object.entries(sent).filter(([name]) => name !== field)) as GivenEvent));
  }
  expect(new Set(hashes).size).toBe(hashes.length);
});

test("no text of one field has the hash of another field's, nor of an amount in seconds", () => {
  const { id, type, organization, value: amount } = sent;
  const base = { id, type, organization };
  const texts = Object.entries(sent).filter(([field, one]) => typeof one === "string" && !(field in base));
  const names = texts.map(([field]) => field).filter((field) => !["time", "started_at", "value"].includes(field));
  const said = ["seconds", "x", ...names].flatMap((text) =>
    names.map((field) => hashOf({ ...base, value: amount, [field]: text })),
  );
  const hashes = [...said, hashOf({ ...base, seconds: amount })];
  expect(new Set(hashes).size).toBe(hashes.length);
});

test("whatever bytes arrive, each event of a request has exactly one outcome and no request fails", async () => {
  const accepting = await startAccepting({ now: () => receivedAtMs });
  const types = [
    "application/json",
    "application/x-ndjson",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
  ];
  const text = fc.string({ unit: "binary", maxLength: 6 }).filter((value) => value.isWellFormed());
  const body = fc.oneof(
    fc.array(fc.oneof(events(text), fc.jsonValue()), { maxLength: 5 }).map((list) => JSON.stringify(list)),
    fc
      .array(fc.oneof(events(text), fc.jsonValue()), { maxLength: 5 })
      .map((list) => list.map((event) => JSON.stringify(event)).join("\n")),
    fc.jsonValue().map((value) => JSON.stringify(value)),
  );
  let accepted = 0;
  try {
    await fc.assert(
      fc.asyncProperty(
        body,
        fc.constantFrom(...types),
        fc.boolean(),
        fc.nat(),
        fc.nat(255),
        async (sent, type, isMutated, at, byte) => {
          const bytes = Buffer.from(sent);
          if (isMutated && bytes.length > 0) bytes[at % bytes.length] = byte;
          const stream = new ReadableStream<Uint8Array>({
            start(controller) {
              if (bytes.length > 0) controller.enqueue(bytes);
              controller.close();
            },
          });
          const headers = new Headers({ "content-type": type });
          const outcome = await acceptRequest(accepting, {
            headers,
            body: stream,
            sendingKey: rootKey,
            isAtomic: false,
          }).catch((error: unknown) => error);
          if (outcome instanceof ProblemError) {
            expect(outcome.code).toBe("unreadable_body");
            return;
          }
          if (outcome instanceof Error) throw outcome;
          const { decision } = outcome as Awaited<ReturnType<typeof acceptRequest>>;
          const rejected = decision.rejected.map(({ index }) => index);
          expect(new Set(rejected).size).toBe(rejected.length);
          accepted += decision.accepted;
          if (!isMutated && type === "application/json" && sent.startsWith("[")) {
            expect(decision.accepted + decision.duplicates + rejected.length).toBe(
              (JSON.parse(sent) as unknown[]).length,
            );
          }
        },
      ),
      { numRuns: 1_500 },
    );
    const events = await accepting.loggedEvents();
    expect(events).toHaveLength(accepted);
    expect(events.length + (await accepting.loggedQuarantine()).length).toBeGreaterThan(100);
  } finally {
    await accepting.close();
  }
});
