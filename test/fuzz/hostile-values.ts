/** Values that somebody careless, broken or hostile might send where a JSON value or a text is expected. */
import { pick, type Random } from "../../server/programs/random.ts";

export const hostileTexts: readonly string[] = [
  "",
  " ",
  ".",
  "..",
  "%",
  "%00",
  "%zz",
  "\u0000",
  "a\u0000b",
  "\ud800",
  "a\udfffb",
  "\u202e\u200b",
  "🌊".repeat(200),
  "x".repeat(255),
  "x".repeat(257),
  "x".repeat(7_000),
  "/".repeat(300),
  "a/".repeat(100),
  "'; DROP TABLE usage_events; --",
  '" OR ""="',
  "{x:String}",
  "\\N",
  "\t\r\n",
  "=cmd|' /C calc'!A0",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "null",
  "undefined",
  "true",
  "NaN",
  "Infinity",
  "-Infinity",
  "0",
  "-0",
  "-1",
  "1",
  "01",
  "+1",
  "1e9",
  "1e400",
  "0x10",
  "1,5",
  " 1",
  "0.0000000001",
  "99999999999999999999999999999.999999999",
  "-99999999999999999999999999999",
  "9007199254740993",
  "9223372036854775808",
  "18446744073709551616",
  "0000-01-01T00:00:00Z",
  "-000001-01-01T00:00:00Z",
  "+275760-09-13T00:00:00.001Z",
  "1969-12-31T23:59:59Z",
  "1970-01-01",
  "2000-01-01T00:00:00Z",
  "2024-02-29",
  "2026-02-30",
  "2026-03-29T02:30:00",
  "2016-12-31T23:59:60Z",
  "2106-02-07T06:28:16Z",
  "2149-06-07T00:00:00Z",
  "2299-12-31T23:59:59.999Z",
  "9999-12-31T23:59:59.999999999+23:59",
  "2026-01-01T24:00:00Z",
  "now",
  "Europe/Berlin",
  "Pacific/Apia",
  "Etc/GMT+12",
  "BST",
  "+05:30",
  "Mars/Olympus",
  "all",
  "all:",
  "all:all",
  "organization:",
  "organization:acme",
  "organization:acme/a1",
  "agent:acme",
  "agent:acme/",
  "agent:/a1",
  "agent:a%2Fb/c",
  "agent:a%/b",
  "reseller:%E0%A4%A",
  "organization:__proto__",
  "organization:..",
  "session:x",
  "chat_posts",
  "max_concurrent_participants",
  "participation_minutes/sessions",
  `${"a".repeat(50)}!`,
  `${"(".repeat(500)}1${")".repeat(500)}`,
  "1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1/1",
  "eyJhIjoxfQ",
  "eyJhIjoxfQ.x.y",
  "W10",
  "http://127.0.0.1:1/",
  "javascript:alert(1)",
  "a@b.c",
  `${"a@".repeat(100)}b.c`,
  `${"a".repeat(3_000)}@b`,
  "<script>alert(1)</script>",
];

const hostileNumbers: readonly number[] = [
  0,
  -0,
  1,
  -1,
  0.1,
  1e-9,
  1e-10,

  2 ** 31,
  2 ** 32,
  2 ** 53,
  2 ** 53 + 2,
  2 ** 63,
  2 ** 64,
  1e30,
  -1e30,
  1e308,
  Number.MIN_VALUE,
  8.64e15,
  8.64e15 + 1,
];

/** JSON as text: some of it cannot be written by JSON.stringify. */
const hostileJson: readonly string[] = [
  "1e400",
  "-1e400",
  "1e-400",
  "123456789012345678901234567890.123456789012",
  `0.${"0".repeat(400)}1`,
  "9".repeat(2_000),
  '"\\u0000"',
  '"\\ud800"',
  '{"__proto__":{"x":1}}',
  '{"constructor":{"prototype":{"x":1}}}',
  '{"a":1,"a":2}',
  `${"[".repeat(5_000)}${"]".repeat(5_000)}`,
  `${'{"a":'.repeat(5_000)}1${"}".repeat(5_000)}`,
  `{${Array.from({ length: 2_000 }, (_, at) => `"k${at}":${at}`).join(",")}}`,
  `[${"0,".repeat(20_000)}0]`,
  `["${"x".repeat(200_000)}"]`,
];

export function hostileText(random: Random): string {
  return pick(hostileTexts, random);
}

/** A JSON text of any shape. */
export function randomJson(random: Random, depth = 0): string {
  const kind = random();
  if (kind < 0.1) return pick(hostileJson, random);
  if (kind < 0.35) return JSON.stringify(hostileText(random));
  if (kind < 0.5) return String(pick(hostileNumbers, random));
  if (kind < 0.6 || depth > 4) return pick(["null", "true", "false", "[]", "{}", '""'], random);
  const members = Array.from({ length: Math.floor(random() * 4) }, () => randomJson(random, depth + 1));
  if (kind < 0.75) return `[${members.join(",")}]`;
  return `{${members.map((member) => `${JSON.stringify(hostileText(random))}:${member}`).join(",")}}`;
}

/** `text` with a fault that no serializer makes. */
export function damaged(text: string, random: Random): Buffer {
  const bytes = Buffer.from(text);
  const at = Math.floor(random() * bytes.length);
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  const kind = Math.floor(random() * 7);
  if (kind === 0) return before;
  if (kind === 1) return Buffer.concat([before, Buffer.from([Math.floor(random() * 256)]), after]);
  if (kind === 2) return Buffer.concat([before, Buffer.from([0xed, 0xa0, 0x80]), after]);
  if (kind === 3) return Buffer.concat([before, Buffer.alloc(1 + Math.floor(random() * 20_000), "["), after]);
  if (kind === 4) return Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes]);
  if (kind === 5) return Buffer.concat([bytes, bytes]);
  return Buffer.concat([before, after.subarray(1)]);
}
