/** The bytes of a request body off the wire, bounded in size and in time, so that no sender can hold memory or a slot for long. */
import type { Readable } from "node:stream";
import { ProblemError } from "../../problem.ts";

export interface ReceiveOptions {
  maxBytes: number;
  /** For the whole body, from the first wait to the last byte. */
  timeoutMs: number;
  /** Called with each chunk's size as it arrives; may throw to refuse. */
  onBytes: (bytes: number) => void;
}

/**
 * All bytes of `source`. Rejects with ProblemError: body_too_large, unreadable_body (cut off or too slow). The source
 * is left where it was, not destroyed, so that the answer still reaches the sender.
 */
export function receiveBody(
  source: Readable | ReadableStream<Uint8Array> | null,
  options: ReceiveOptions,
): Promise<Buffer> {
  if (source === null) return Promise.resolve(Buffer.alloc(0));
  return "getReader" in source ? receiveFromWeb(source, options) : receiveFromNode(source, options);
}

function receiveFromNode(source: Readable, options: ReceiveOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const body = new Gathered();
    let received = 0;
    const timer = setTimeout(() => finish(tooSlow(options.timeoutMs)), options.timeoutMs);
    const onData = (chunk: Buffer) => {
      received += chunk.length;
      try {
        if (received > options.maxBytes) throw tooLarge(options.maxBytes);
        options.onBytes(chunk.length);
      } catch (error) {
        finish(error as Error);
        return;
      }
      body.add(chunk);
    };
    const onEnd = () => finish(undefined);
    const onCut = () => finish(new ProblemError("unreadable_body", "the body was cut off"));
    function finish(error: Error | undefined): void {
      clearTimeout(timer);
      source.off("data", onData).off("end", onEnd).off("error", onCut).off("close", onCut);
      if (error) {
        source.pause();
        // The socket of a sender that was refused may still fail; its answer is already decided.
        source.on("error", () => undefined);
        reject(error);
      } else resolve(body.whole());
    }
    if (source.destroyed && !source.readableEnded) {
      onCut();
      return;
    }
    source.on("data", onData).on("end", onEnd).on("error", onCut).on("close", onCut);
  });
}

async function receiveFromWeb(source: ReadableStream<Uint8Array>, options: ReceiveOptions): Promise<Buffer> {
  const reader = source.getReader();
  const body = new Gathered();
  let received = 0;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(tooSlow(options.timeoutMs)), options.timeoutMs);
  });
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), late]);
      if (done) return body.whole();
      received += value.length;
      if (received > options.maxBytes) throw tooLarge(options.maxBytes);
      options.onBytes(value.length);
      body.add(value);
    }
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    throw new ProblemError("unreadable_body", "the body was cut off");
  } finally {
    clearTimeout(timer);
  }
}

/** A piece that keeps a buffer of the socket alive for less than this is copied out of it. */
const smallPieceBytes = 8 * 1024;
const blockBytes = 64 * 1024;
/** Not worth a block: most bodies come in one or two. */
const fewPieces = 4;

/** The pieces of a body. Held as they came, a body that comes a byte at a time would take a hundred times its size. */
class Gathered {
  readonly #pieces: Uint8Array[] = [];
  #block = Buffer.alloc(0);
  #used = 0;

  add(piece: Uint8Array): void {
    if (piece.length >= smallPieceBytes || this.#pieces.length < fewPieces) {
      this.#endBlock();
      this.#pieces.push(piece);
      return;
    }
    if (this.#used + piece.length > this.#block.length) {
      this.#endBlock();
      this.#block = Buffer.allocUnsafe(blockBytes);
    }
    this.#block.set(piece, this.#used);
    this.#used += piece.length;
  }

  whole(): Buffer {
    this.#endBlock();
    const [only] = this.#pieces;
    return this.#pieces.length === 1 && Buffer.isBuffer(only) ? only : Buffer.concat(this.#pieces);
  }

  #endBlock(): void {
    if (this.#used > 0) this.#pieces.push(this.#block.subarray(0, this.#used));
    this.#block = this.#block.subarray(this.#used);
    this.#used = 0;
  }
}

function tooLarge(maxBytes: number): ProblemError {
  return new ProblemError("body_too_large", `the body is larger than ${maxBytes} bytes`);
}

function tooSlow(timeoutMs: number): ProblemError {
  return new ProblemError("unreadable_body", `the body did not arrive within ${timeoutMs / 1000} seconds`);
}
