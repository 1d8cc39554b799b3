/** Requests of events against an accepting side of their own, made anew for each test, whose clock stands still. */
import { afterEach, beforeEach } from "vitest";
import { acceptRequest } from "../../server/ingest/accept/accept-request.ts";
import { ProblemError } from "../../server/problem.ts";
import { type Accepting, rootKey, startAccepting } from "./accepting.ts";

export interface PostOptions {
  headers?: Record<string, string>;
  sendingKey?: typeof rootKey;
  isAtomic?: boolean;
}

export function streamOf(bytes: Buffer): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += 65_536) controller.enqueue(bytes.subarray(at, at + 65_536));
      controller.close();
    },
  });
}

/** Call it at the top of a test file. */
export function posting(nowMs: number) {
  let accepting: Accepting;
  beforeEach(async () => {
    accepting = await startAccepting({ now: () => nowMs });
  });
  afterEach(() => accepting.close());

  async function post(body: unknown, { headers, sendingKey = rootKey, isAtomic = false }: PostOptions = {}) {
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
    const given = new Headers({ "content-type": "application/json", ...headers });
    return (await acceptRequest(accepting, { headers: given, body: streamOf(bytes), sendingKey, isAtomic })).decision;
  }

  async function refusal(body: unknown, options?: PostOptions) {
    const error = await post(body, options).then(
      () => undefined,
      (caught: unknown) => caught,
    );
    if (!(error instanceof ProblemError)) throw new Error(`not refused: ${error}`);
    return error;
  }

  let made = 0;
  const event = (fields: Record<string, unknown> = {}) => ({
    id: `e${++made}`,
    type: "chat.posted",
    organization: "acme",
    time: "2026-11-21T08:59:00Z",
    ...fields,
  });

  return {
    get accepting() {
      return accepting;
    },
    /** In place of the one that stands, with other settings. */
    async restart(options: Parameters<typeof startAccepting>[0]): Promise<void> {
      await accepting.close();
      accepting = await startAccepting(options);
    },
    post,
    refusal,
    event,
  };
}
