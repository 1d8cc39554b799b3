/** Undoes a body's content coding. Inflating stops at the limit, and few bodies inflate at once, so a zip bomb cannot fill memory. */
import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate } from "node:zlib";
import pLimit from "p-limit";
import { limits } from "../../contract/events.ts";
import { ProblemError } from "../../problem.ts";

export type ContentEncoding = (typeof limits.contentEncodings)[number];

const inflaters = {
  gzip: promisify(gunzip),
  br: promisify(brotliDecompress),
  deflate: promisify(inflate),
};

/** As many as libuv has threads for; each may hold `maxInflatedBytes`. */
const turn = pLimit(4);

/** The plain bytes. Throws ProblemError: body_too_large, unreadable_body. */
export async function inflateBody(bytes: Buffer, encoding: ContentEncoding): Promise<Buffer> {
  if (encoding === "identity" || bytes.length === 0) return bytes;
  try {
    return await turn(() => inflaters[encoding](bytes, { maxOutputLength: limits.maxInflatedBytes }));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
      throw new ProblemError(
        "body_too_large",
        `the body is larger than ${limits.maxInflatedBytes} bytes after decompression`,
      );
    }
    throw new ProblemError("unreadable_body", `the body is not valid ${encoding}`);
  }
}
