/** In which form a list is answered, told by `Accept`, and how a long one is streamed. */
import { Readable } from "node:stream";

export type ListForm = "json" | "csv" | "ndjson";

/** JSON unless CSV or lines are accepted and JSON is not named. */
export function listFormOf(accept: string | undefined): ListForm {
  if (accept === undefined || /\bapplication\/json\b/.test(accept)) return "json";
  if (/\btext\/csv\b/.test(accept)) return "csv";
  return /\bapplication\/(?:x-)?ndjson\b/.test(accept) ? "ndjson" : "json";
}

/**
 * A body that is made while it is sent, as fast as it is taken. The first piece is made before it resolves, so that a
 * store that cannot be asked is still answered with a problem; a failure after that cuts the connection, so that nobody
 * takes a part for the whole.
 */
export async function streamOf(pieces: AsyncGenerator<string>): Promise<ReadableStream<Uint8Array>> {
  const first = await pieces.next();
  async function* all(): AsyncGenerator<Buffer> {
    if (!first.done) yield Buffer.from(first.value);
    for await (const piece of pieces) yield Buffer.from(piece);
  }
  return Readable.toWeb(Readable.from(all())) as ReadableStream<Uint8Array>;
}
