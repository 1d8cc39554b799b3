/** Request bodies that somebody careless, broken or hostile might send, each the same for the same number and seed. */
import { isUtf8 } from "node:buffer";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { limits, usageEventSchema } from "../../server/contract/events.ts";
import { pick, type Random, seededRandom } from "../../server/programs/random.ts";

export interface PoisonBody {
  headers: Record<string, string>;
  body: Buffer;
  /** How many events a reader finds in it; undefined: none, it must be refused; "any": a coded body that was damaged. */
  events: number | undefined | "any";
  /** Sound events among them, that must be taken whatever their neighbours are. */
  sound: number;
}

type Json = Record<string, unknown>;

const organizations = [
  "acme",
  "globex",
  "o'brien\\\t",
  "漢字 🌊",
  "_",
  "a".repeat(256),
  "__proto__",
  "constructor",
  "%00",
  "-1",
];
const types = [
  "participant.joined",
  "participant.left",
  "chat.posted",
  "transcription.completed",
  "session.ended",
  "made.up",
  "recording.stored",
];
const fields = [...Object.keys(usageEventSchema.shape), "extra", "__proto__"];

const deepObject = `${'{"a":'.repeat(3_000)}1${"}".repeat(3_000)}`;
/** Values as JSON text, for some cannot be made by JSON.stringify. */
const badValues = [
  '""', "null", "true", "[]", "{}", "0", "-0", "1e400", "-1e400", "1e-400", "123456789012345678901234567890", "0.1234567890123",
  '"1e5"', '"NaN"', '"Infinity"', '" 1"', '"999999999999999999.999999999"', '"-999999999999999999.999999999"', '"9999999999999999999"',
  '"+1"', '"0x10"', '"1,5"', '"\\u0000"', '"a\\u0000b"', '"\\ud800"', '"\\udfff\\ud800"', '"\\ud83d"', '"\\u202e"', '"\\t\\n\\r\\\\"', "\"'; DROP TABLE usage_events; --\"",
  `"${"x".repeat(256)}"`, `"${"x".repeat(257)}"`, `"${"🌊".repeat(129)}"`, `"${"x".repeat(100_000)}"`,
  '"0000-01-01T00:00:00Z"', '"1969-12-31T23:59:59Z"', '"1999-12-31T23:59:59.999Z"', '"2000-01-01T00:00:00Z"', '"2026-02-30T00:00:00Z"',
  '"2016-12-31T23:59:60Z"', '"9999-12-31T23:59:59.999999999+23:59"', '"2149-06-07T00:00:00Z"', '"2106-02-07T06:28:16Z"', '"2026-01-01"', '"2026-01-01T00:00:00"',
  '"+275760-09-13T00:00:00Z"', "1795262750190", '"2026-01-01T24:00:00Z"', '"2026-01-01t00:00:00.123456789z"',
  '{"a":{"b":1}}', '{"a":[1]}', '{"":"x"}', '{"a":null}', '{"alive_within":"0"}', '{"alive_within":1e308}', '{"medium":"\\ud800"}', '{"language":"\\u0000"}',
  `{${Array.from({ length: 65 }, (_, at) => `"p${at}":${at}`).join(",")}}`, '{"__proto__":{"x":1}}', '{"a":1e400}', deepObject, `${"[".repeat(3_000)}${"]".repeat(3_000)}`,
]; // biome-ignore format: one table

const invalidBytes = [
  [0xff],
  [0xc0, 0x80],
  [0xed, 0xa0, 0x80],
  [0xf5, 0x80, 0x80, 0x80],
  [0x80],
  [0xe2, 0x82],
  [0x00],
  [0xef, 0xbb, 0xbf],
  [0x1f, 0x8b],
];
const codings = { gzip: gzipSync, br: brotliCompressSync, deflate: deflateSync } as const;
type Coding = keyof typeof codings;
const zeros = Buffer.alloc(3 * limits.maxInflatedBytes, 0x20);
const bombs = Object.entries(codings).map(([encoding, compress]) => ({ encoding, body: compress(zeros) }));
const wholeBodies = [
  "", " ", "\n\n", "{", "[", "]", "null", "1", '"text"', "[null]", "[[]]", "[1,2]", "{}", "[{}]", "nul", "undefined", "[,]", "\u0000", "{\"id\":}",
  "[".repeat(200_000), `${"[".repeat(50_000)}${"]".repeat(50_000)}`, `[${"{},".repeat(10_000)}{}]`, `[${"0,".repeat(9_999)}0]`, " ".repeat(2_000_000), `{"id":"${"x".repeat(3_000_000)}"}`,
]; // biome-ignore format: one table

/** `number` tells bodies of one run apart; ids repeat only among neighbours. */
export function poisonBody(number: number, seed: number): PoisonBody {
  const random = seededRandom(seed, number);
  const roll = random();
  if (roll < 0.001) {
    const { encoding, body } = pick(bombs, random);
    return {
      headers: { "content-type": "application/json", "content-encoding": encoding },
      body,
      events: undefined,
      sound: 0,
    };
  }
  const type = pick(limits.contentTypes, random);
  if (roll < 0.01) return coded(type, Buffer.from(pick(wholeBodies, random)), 0);
  return mutated(number, type, random);
}

function mutated(number: number, type: (typeof limits.contentTypes)[number], random: Random): PoisonBody {
  const isCloudEvent = type.startsWith("application/cloudevents");
  const count = type === "application/cloudevents+json" ? 1 : 1 + Math.floor(random() * 4);
  // A third is damaged as bytes, and some once they are coded: then nothing is known to be sound.
  const isDamaged = random() < 0.33;
  const coding = random() < 0.15 ? pick(Object.keys(codings) as Coding[], random) : undefined;
  const isCodedDamaged = coding !== undefined && random() < 0.2;
  let sound = 0;
  const texts = Array.from({ length: count }, (_, index) => {
    const isSound = count > 1 && index === 0 && !isDamaged && !isCodedDamaged;
    const id = isSound ? `sound-${number}` : random() < 0.05 ? `poison-${number - 1}-1` : `poison-${number}-${index}`;
    const event = makeEvent(
      id,
      isSound ? "acme" : pick(organizations, random),
      isSound ? "chat.posted" : pick(types, random),
      random,
    );
    if (isSound) sound++;
    const form = isCloudEvent ? asCloudEvent(event) : event;
    return isSound ? JSON.stringify(form) : mutateEvent(form, random);
  });
  const isList =
    type === "application/cloudevents-batch+json" || (type === "application/json" && (count > 1 || random() < 0.5));
  const whole =
    type === "application/x-ndjson" ? texts.join("\n") : isList ? `[${texts.join(",")}]` : (texts[0] as string);
  const bytes = Buffer.from(whole);
  return coded(type, isDamaged ? damaged(bytes, random) : bytes, sound, coding, isCodedDamaged ? random : undefined);
}

function makeEvent(id: string, organization: string, type: string, random: Random): Json {
  const time = new Date(Date.UTC(2026, 0, 1) + Math.floor(random() * 200) * 3_600_000).toISOString();
  const event: Json = { id, type, organization, time };
  if (random() < 0.7)
    Object.assign(event, { session: `s${Math.floor(random() * 50)}`, user: `u${Math.floor(random() * 50)}` });
  if (random() < 0.5) event.interval = `i-${id}`;
  if (random() < 0.3) event.value = `${Math.floor(random() * 1000)}.5`;
  if (random() < 0.3) event.properties = { language: "en", model: "standard", n: 1 };
  return event;
}

function asCloudEvent({ id, type, time, ...data }: Json): Json {
  return { specversion: "1.0", source: "/poison", id, type, time, data };
}

/** One or two fields replaced, removed or repeated, in the text. */
function mutateEvent(event: Json, random: Random): string {
  if (random() < 0.2) return JSON.stringify(event);
  const parts = new Map(Object.entries(event).map(([name, value]) => [name, JSON.stringify(value)]));
  const extra: string[] = [];
  for (let times = random() < 0.3 ? 2 : 1; times > 0; times--) {
    const name = random() < 0.7 ? pick(fields, random) : pick([...parts.keys(), "id"], random);
    const how = random();
    if (how < 0.2) parts.delete(name);
    else if (how < 0.3) extra.push(`${JSON.stringify(name)}:${pick(badValues, random)}`);
    else parts.set(name, pick(badValues, random));
  }
  return `{${[...[...parts].map(([name, value]) => `${JSON.stringify(name)}:${value}`), ...extra].join(",")}}`;
}

function damaged(bytes: Buffer, random: Random): Buffer {
  const at = Math.floor(random() * bytes.length);
  const how = random();
  if (how < 0.25) return bytes.subarray(0, at);
  if (how < 0.5)
    return Buffer.concat([bytes.subarray(0, at), Buffer.from(pick(invalidBytes, random)), bytes.subarray(at)]);
  if (how < 0.75) return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + Math.floor(random() * 5))]);
  const flipped = Buffer.from(bytes);
  if (flipped.length > 0) flipped[at] = (flipped[at] as number) ^ (1 << Math.floor(random() * 8));
  return flipped;
}

function coded(
  type: (typeof limits.contentTypes)[number],
  plain: Buffer,
  sound: number,
  coding?: Coding,
  damage?: Random,
): PoisonBody {
  const events = eventsIn(type, plain);
  const known = events === undefined ? 0 : sound;
  if (coding === undefined) return { headers: { "content-type": type }, body: plain, events, sound: known };
  const body = codings[coding](plain);
  const headers = { "content-type": type, "content-encoding": coding };
  if (damage) return { headers, body: damaged(body, damage), events: "any", sound: 0 };
  return { headers, body, events, sound: known };
}

/** Nesting that is evaluated by its bytes: each element of a list gets its verdict, and what is no list is refused whole. */
const isDeep = (text: string) => /(?:\{"a":){100}|\[{100}/.test(text);

/** How many events a reader of its own finds. */
function eventsIn(type: (typeof limits.contentTypes)[number], plain: Buffer): number | "any" | undefined {
  const text = plain.toString("utf8").replace(/^\ufeff/, "");
  if (isDeep(text) && type !== "application/x-ndjson") return "any";
  const bounded = (count: number) => (count > limits.maxEventsPerRequest || text.trim() === "" ? undefined : count);
  if (type === "application/x-ndjson")
    return bounded(text.split("\n").filter((line) => !/^[ \t\r]*$/.test(line)).length || Number.NaN);
  if (!isUtf8(plain)) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (Array.isArray(parsed)) return type === "application/cloudevents+json" ? undefined : bounded(parsed.length);
  return typeof parsed === "object" && parsed !== null && type !== "application/cloudevents-batch+json" ? 1 : undefined;
}
