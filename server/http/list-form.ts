/** The form of a list, chosen by `Accept`, and how a long one is streamed. */
import { Readable } from "node:stream";
import { parseAccept } from "hono/utils/accept";
import { createPace } from "../fairness/pace.ts";
import type { Question } from "../fairness/questions.ts";

export type ListForm = "json" | "csv" | "ndjson" | "xlsx" | "parquet";

export const listMediaTypes: Readonly<Record<ListForm, string>> = {
  json: "application/json",
  csv: "text/csv; charset=utf-8",
  ndjson: "application/x-ndjson",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  parquet: "application/vnd.apache.parquet",
};

/** What each is asked for by; of those that are liked alike, the first is given. */
const namedBy: readonly (readonly [ListForm, readonly string[]])[] = [
  ["json", ["application/json"]],
  ["csv", ["text/csv"]],
  ["ndjson", ["application/x-ndjson", "application/ndjson"]],
  ["xlsx", [listMediaTypes.xlsx]],
  ["parquet", [listMediaTypes.parquet, "application/x-parquet", "application/parquet"]],
];

/** The form that the header likes best. One that it names comes before `*`; where it names none that there is, it is JSON. */
export function listFormOf(accept: string | undefined): ListForm {
  const liked = parseAccept(accept?.toLowerCase() ?? "");
  const weightOf = (types: readonly string[]) =>
    Math.max(0, ...liked.filter(({ type }) => types.includes(type)).map(({ q }) => q));
  const named = namedBy.map(([form, types]) => ({ form, weight: weightOf(types) }));
  const best = named.reduce((first, one) => (one.weight > first.weight ? one : first));
  const isNamed = best.weight > 0 && best.weight >= weightOf(["*/*"]);
  return isNamed ? best.form : "json";
}

/** Pieces are gathered up to this size before they are sent: many small ones cost more than their bytes. */
const chunkCharacters = 32 * 1024;

/** How long a reader may keep an answer waiting: `graceMs` in all, and a second more for each `bytesPerSecond` that it took. */
export interface ReaderPatience {
  graceMs: number;
  bytesPerSecond: number;
}

/** A slow line is waited for; who opens an answer and does not read it gives back what it holds. */
export const readerPatience: ReaderPatience = { graceMs: 30_000, bytesPerSecond: 64 * 1024 };

/**
 * A body that is made while it is sent, as fast as the reader takes it, in slices between which others have their turn. The
 * first piece is made before it resolves, so that an unreachable store is still answered with a problem; a later failure
 * cuts the connection, so that nobody takes a part for the whole; a reader that is too slow is cut off too. `question` ends
 * when the body has, or its reader.
 */
export async function streamOf(
  pieces: AsyncGenerator<string | Uint8Array> | Generator<string>,
  question?: Pick<Question, "send" | "signal">,
  patience: ReaderPatience = readerPatience,
): Promise<ReadableStream<Uint8Array>> {
  const first = await pieces.next();
  const pace = createPace(question?.signal);
  const { isSent } = question?.send() ?? { isSent: () => undefined };
  async function* chunks(): AsyncGenerator<Buffer> {
    let chunk = "";
    if (!first.done) {
      if (typeof first.value === "string") chunk = first.value;
      else yield Buffer.from(first.value);
    }
    for await (const piece of pieces) {
      await pace.rest();
      if (typeof piece !== "string") {
        yield Buffer.from(piece);
        continue;
      }
      chunk += piece;
      if (chunk.length < chunkCharacters) continue;
      yield Buffer.from(chunk);
      chunk = "";
    }
    yield Buffer.from(chunk);
  }
  async function* all(): AsyncGenerator<Buffer> {
    let leftMs = patience.graceMs;
    try {
      for await (const chunk of chunks()) {
        const waitsFromMs = performance.now();
        const timer = setTimeout(() => body.destroy(new Error("the answer was read too slowly")), leftMs);
        try {
          yield chunk;
        } finally {
          clearTimeout(timer);
        }
        leftMs += (chunk.length / patience.bytesPerSecond) * 1_000 - (performance.now() - waitsFromMs);
      }
    } finally {
      isSent();
    }
  }
  const body = Readable.from(all());
  // A reader that leaves before the first chunk is taken never lets the generator begin, nor end.
  body.once("close", isSent);
  return Readable.toWeb(body) as ReadableStream<Uint8Array>;
}

const itemsPerPiece = 500;

/** JSON of a value whose lists may be long, in pieces: the same text as JSON.stringify makes at once. For plain data only. */
export function* jsonPieces(value: unknown): Generator<string> {
  if (Array.isArray(value)) {
    const isOfLists = value.some((item) => holdsList(item));
    yield "[";
    for (let start = 0; start < value.length; start += isOfLists ? 1 : itemsPerPiece) {
      if (start > 0) yield ",";
      if (isOfLists) yield* jsonPieces(value[start] ?? null);
      else yield JSON.stringify(value.slice(start, start + itemsPerPiece)).slice(1, -1);
    }
    yield "]";
  } else if (holdsList(value)) {
    let separator = "{";
    for (const [key, member] of Object.entries(value as object)) {
      if (member === undefined) continue;
      yield `${separator}${JSON.stringify(key)}:`;
      yield* jsonPieces(member);
      separator = ",";
    }
    yield "}";
  } else yield JSON.stringify(value) ?? "null";
}

/** Whether a list is a member of it, or of one of its members. */
function holdsList(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return Array.isArray(value) || Object.values(value).some(holdsList);
}

export async function* mapped<From, To>(
  items: AsyncIterable<From> | Iterable<From>,
  change: (item: From) => To,
): AsyncGenerator<To> {
  for await (const item of items) yield change(item);
}
