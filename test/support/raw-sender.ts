/** A request that is written as its sender likes: without an end, with a length that is not so, a byte at a time. */
import { once } from "node:events";
import { connect } from "node:net";

export interface RawSender {
  /** Resolves when the other end has room for more; rejects when it has closed. */
  write(bytes: string | Buffer): Promise<void>;
  /** The status of the first answer; undefined when the connection was closed without one. */
  answered: Promise<number | undefined>;
  /** Whether the other end has closed. */
  isClosed(): boolean;
  destroy(): void;
}

/** Sends the head of a request at once; what follows is up to the caller. */
export async function sendHead(
  url: string,
  method: string,
  path: string,
  headers: Record<string, string>,
): Promise<RawSender> {
  const { hostname, port, host } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, "connect");
  let text = "";
  const answered = new Promise<number | undefined>((resolve) => {
    socket.on("data", (chunk) => {
      text += chunk;
      const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
      if (status !== undefined && status !== "100") resolve(Number(status));
    });
    socket.on("close", () => resolve(undefined));
    socket.on("error", () => resolve(undefined));
  });
  const lines = Object.entries({ host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
  return {
    answered,
    isClosed: () => socket.destroyed,
    destroy: () => socket.destroy(),
    async write(bytes) {
      if (socket.destroyed) throw new Error("the other end has closed");
      if (socket.write(bytes)) return;
      const waiting = new AbortController();
      const { signal } = waiting;
      await Promise.race([once(socket, "drain", { signal }), once(socket, "close", { signal }), answered]);
      waiting.abort();
    },
  };
}

/** One chunk of a body of `transfer-encoding: chunked`. */
export function chunkOf(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
}
