/** The bytes of a request body off the wire, bounded in size and in time, so that no sender can hold memory or a slot for long. */
import type { Readable } from "node:stream";
import { RefusedRequestError } from "./refused-request.ts";

export interface ReceiveOptions {
  maxBytes: number;
  /** For the whole body, from the first wait to the last byte. */
  timeoutMs: number;
  /** Called with each chunk's size as it arrives; may throw to refuse. */
  onBytes: (bytes: number) => void;
}

/**
 * All bytes of `source`. Rejects with RefusedRequestError: body_too_large, unreadable_body (cut off or too slow). The source
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
    const chunks: Buffer[] = [];
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
      chunks.push(chunk);
    };
    const onEnd = () => finish(undefined);
    const onCut = () => finish(new RefusedRequestError("unreadable_body", "the body was cut off"));
    function finish(error: Error | undefined): void {
      clearTimeout(timer);
      source.off("data", onData).off("end", onEnd).off("error", onCut).off("close", onCut);
      if (error) {
        source.pause();
        // The socket of a sender that was refused may still fail; its answer is already decided.
        source.on("error", () => undefined);
        reject(error);
      } else resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, received));
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
  const chunks: Uint8Array[] = [];
  let received = 0;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(tooSlow(options.timeoutMs)), options.timeoutMs);
  });
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), late]);
      if (done) return Buffer.concat(chunks, received);
      received += value.length;
      if (received > options.maxBytes) throw tooLarge(options.maxBytes);
      options.onBytes(value.length);
      chunks.push(value);
    }
  } catch (error) {
    if (error instanceof RefusedRequestError) throw error;
    throw new RefusedRequestError("unreadable_body", "the body was cut off");
  } finally {
    clearTimeout(timer);
  }
}

function tooLarge(maxBytes: number): RefusedRequestError {
  return new RefusedRequestError("body_too_large", `the body has more than ${maxBytes} bytes`);
}

function tooSlow(timeoutMs: number): RefusedRequestError {
  return new RefusedRequestError("unreadable_body", `the body did not arrive within ${timeoutMs / 1000} seconds`);
}
