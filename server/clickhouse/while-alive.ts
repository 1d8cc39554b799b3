/** How long a statement is waited for: as long as its server answers at all. */
import { setTimeout as delay } from "node:timers/promises";

/** Milliseconds. */
export interface Patience {
  /** How long a statement runs before it is asked, and how long after each answer until it is asked again, whether the server is alive. */
  askAfterMs: number;
  /** How long the server has to answer that. */
  answerWithinMs: number;
}

/** Long enough for a machine that is busy with something else. */
const usualPatience: Patience = { askAfterMs: 4_000, answerWithinMs: 8_000 };

/**
 * Tells a statement that takes long from a server that hangs: a statement that runs for a while goes on for as long as the
 * server answers `/ping`, and is given up as soon as it does not. So a question may take its minute, and a server that is
 * frozen or cut off is known within seconds.
 */
export function createWatch(url: string, { askAfterMs, answerWithinMs }: Patience = usualPatience) {
  let asking: Promise<boolean> | undefined;

  /** Not through the client's sockets: statements that hang hold those. Whoever waits shares one request. */
  function isAlive(): Promise<boolean> {
    asking ??= fetch(new URL("/ping", url), { signal: AbortSignal.timeout(answerWithinMs) })
      .then(
        async (response) => (await response.text()) !== "",
        () => false,
      )
      .finally(() => {
        asking = undefined;
      });
    return asking;
  }

  /** What `statement` resolves with. Its signal aborts, and this rejects, when the server no longer answers. */
  return async function whileAlive<Result>(statement: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    const given = new AbortController();
    const ended = new AbortController();
    const watched = (async (): Promise<never> => {
      do await delay(askAfterMs, undefined, { signal: ended.signal, ref: false });
      while (await isAlive());
      throw new Error(`it did not answer for ${(askAfterMs + answerWithinMs) / 1000} s`);
    })();
    try {
      return await Promise.race([statement(given.signal), watched]);
    } catch (error) {
      given.abort();
      throw error;
    } finally {
      ended.abort();
    }
  };
}
