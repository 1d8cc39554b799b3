/**
 * One node that somebody watches: read when something of it was stored, at most four times a second and never twice at
 * once, and pushed when its levels changed, and at least every five seconds so that viewers know how old the figures are.
 * While it cannot be read nothing is pushed: viewers see their figures grow old.
 */
import type { LiveAnswer, LiveChanged, LiveSnapshot } from "../contract/live.ts";

export interface WatchedNodeDeps {
  /** The node's live view now, from storage. */
  read: () => Promise<LiveAnswer>;
  /** A change for everyone who watches; sequences grow by one. */
  emit: (change: LiveChanged) => void;
  /** Reads began to fail; they are repeated until one succeeds, without another call. */
  failed: (error: unknown) => void;
}

const readEveryMs = 250;
/** Viewers get a node's figures at least every five seconds: the rest is for the read. */
const pushEveryMs = 4_000;
const retryAfterMs = 1_000;

interface Waiting {
  resolve: (snapshot: () => LiveSnapshot) => void;
  reject: (error: unknown) => void;
}

export class WatchedNode {
  readonly #deps: WatchedNodeDeps;
  #answer: LiveAnswer | undefined;
  #sequence = 0;
  #readAtMs = Number.NEGATIVE_INFINITY;
  /** The viewers got nothing for a while: the next answer is for them, changed or not. */
  #isPushDue = false;
  #isReading = false;
  #isStale = false;
  #isFailing = false;
  #isClosed = false;
  /** Those who want an answer from a read that starts from now on. */
  readonly #waiting = new Set<Waiting>();
  #nextRead: NodeJS.Timeout | undefined;
  #nextPush: NodeJS.Timeout | undefined;

  constructor(deps: WatchedNodeDeps) {
    this.#deps = deps;
  }

  /** Something that this node counts was stored. */
  touch(): void {
    this.#isStale = true;
    this.#schedule(readEveryMs);
  }

  /**
   * Resolves when an answer of the last quarter of a second is there, with a function that gives it: call it in the tick
   * of `socket.join`, then the next change that the viewer gets has the next sequence. Waits while storage
   * cannot be read; rejects when the node is closed, and at once when the viewer has given up.
   */
  async fresh(givenUp?: AbortSignal): Promise<() => LiveSnapshot> {
    if (this.#answer && !this.#isStale && performance.now() - this.#readAtMs < readEveryMs)
      return () => this.#snapshot();
    return new Promise((resolve, reject) => {
      const waiting = { resolve, reject };
      this.#waiting.add(waiting);
      givenUp?.addEventListener("abort", () => {
        if (this.#waiting.delete(waiting)) reject(new Error("the viewer waits for this no more"));
      });
      this.touch();
    });
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#nextRead);
    clearTimeout(this.#nextPush);
    for (const { reject } of this.#waiting) reject(new Error("nobody watches the node any more"));
    this.#waiting.clear();
  }

  #snapshot(): LiveSnapshot {
    if (!this.#answer) throw new Error("the node was not read yet");
    return { ...this.#answer, sequence: this.#sequence };
  }

  #schedule(sinceLastMs: number): void {
    if (this.#isClosed || this.#isReading || this.#nextRead) return;
    const delayMs = Math.max(0, this.#readAtMs + sinceLastMs - performance.now());
    this.#nextRead = setTimeout(() => {
      this.#nextRead = undefined;
      void this.#read();
    }, delayMs);
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    this.#isStale = false;
    this.#readAtMs = performance.now();
    const started = [...this.#waiting];
    let nextAfterMs = readEveryMs;
    try {
      const answer = await this.#deps.read();
      if (this.#isClosed) return;
      this.#isFailing = false;
      this.#take(answer);
      for (const waiting of started) if (this.#waiting.delete(waiting)) waiting.resolve(() => this.#snapshot());
    } catch (error) {
      this.#isStale = true;
      nextAfterMs = retryAfterMs;
      if (!this.#isFailing) this.#deps.failed(error);
      this.#isFailing = true;
    } finally {
      this.#isReading = false;
    }
    if (this.#isStale) this.#schedule(nextAfterMs);
  }

  #take(answer: LiveAnswer): void {
    const earlier = this.#answer;
    this.#answer = answer;
    const isChanged = earlier !== undefined && !hasSameLevels(earlier, answer);
    if (earlier && !isChanged && !this.#isPushDue) return;
    if (earlier) {
      const { node, at, watermark, levels } = answer;
      this.#deps.emit({ node, sequence: ++this.#sequence, at, watermark, levels });
    }
    this.#isPushDue = false;
    clearTimeout(this.#nextPush);
    this.#nextPush = setTimeout(() => {
      this.#isPushDue = true;
      this.touch();
    }, pushEveryMs);
  }
}

function hasSameLevels(a: LiveAnswer, b: LiveAnswer): boolean {
  return (
    a.levels.live_participants === b.levels.live_participants &&
    a.levels.live_sessions === b.levels.live_sessions &&
    a.levels.active_recordings === b.levels.active_recordings
  );
}
