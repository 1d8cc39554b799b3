/**
 * The viewers that have not taken yet what was sent to them. Each gets the newest message when it has: nothing piles up here for
 * who reads slowly, and its gap in the sequence says that there was more.
 */
export interface Viewer<Message> {
  /** Whether it has taken all that was sent to it. */
  isReady(): boolean;
  /** Calls back once when it has. */
  onceReady(then: () => void): void;
  send(message: Message): void;
}

export class SlowViewers<Message> {
  readonly #missed = new Map<Viewer<Message>, Message>();

  /** Call it before `message` is sent to those of the viewers that are ready. */
  keep(viewers: Iterable<Viewer<Message>>, message: Message): void {
    for (const viewer of viewers) {
      const isWaiting = this.#missed.has(viewer);
      if (viewer.isReady()) this.#missed.delete(viewer);
      else this.#missed.set(viewer, message);
      if (!isWaiting && !viewer.isReady()) viewer.onceReady(() => this.#sendMissed(viewer));
    }
  }

  /** What waits for the viewer is not for it any more. */
  forget(viewer: Viewer<Message>): void {
    this.#missed.delete(viewer);
  }

  #sendMissed(viewer: Viewer<Message>): void {
    const missed = this.#missed.get(viewer);
    this.#missed.delete(viewer);
    if (missed !== undefined) viewer.send(missed);
  }
}
