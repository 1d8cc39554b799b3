/**
 * The memory for bodies of requests that are being read or carried out: bounded in all, for each caller, and for all whom
 * nobody knows yet, so that neither one caller nor a crowd of strangers takes it from the others. Bodies of events have
 * memory of their own (server/ingest/accept/backpressure.ts).
 */
import { ProblemError } from "../problem.ts";

const mebibyte = 1024 * 1024;

/** Whose body it is: an id for who is known, an address for a stranger; another node of the cluster is neither. */
export interface BodyHolder {
  kind: "caller" | "stranger" | "peer";
  id: string;
}

/** `each`: of one holder; `all`: of all of the kind. The largest body of one must fit. */
const bounds: Record<BodyHolder["kind"], { each: number; all: number }> = {
  caller: { each: 40 * mebibyte, all: 96 * mebibyte },
  stranger: { each: mebibyte / 2, all: 8 * mebibyte },
  peer: { each: 128 * mebibyte, all: 256 * mebibyte },
};

export class BodyMemory {
  readonly #heldByKind = new Map<BodyHolder["kind"], number>();
  readonly #heldByHolder = new Map<string, number>();

  /** A request's reservation: what it took is given back by one `release`. */
  reservation(): BodyReservation {
    const taken: { holder: BodyHolder; bytes: number }[] = [];
    return {
      take: (holder, bytes) => {
        this.#add(holder, bytes);
        taken.push({ holder, bytes });
      },
      release: () => {
        for (const { holder, bytes } of taken.splice(0)) this.#subtract(holder, bytes);
      },
    };
  }

  #add(holder: BodyHolder, bytes: number): void {
    const key = keyOf(holder);
    const own = (this.#heldByHolder.get(key) ?? 0) + bytes;
    const all = (this.#heldByKind.get(holder.kind) ?? 0) + bytes;
    const { each, all: bound } = bounds[holder.kind];
    if (own > each)
      throw new ProblemError("too_fast", "too many request bodies from this caller are being read at once", {
        retryAfterSeconds: 1,
      });
    if (all > bound)
      throw new ProblemError("overloaded", "too many request bodies are being read at once", { retryAfterSeconds: 2 });
    this.#heldByHolder.set(key, own);
    this.#heldByKind.set(holder.kind, all);
  }

  #subtract(holder: BodyHolder, bytes: number): void {
    const key = keyOf(holder);
    const own = (this.#heldByHolder.get(key) ?? 0) - bytes;
    if (own > 0) this.#heldByHolder.set(key, own);
    else this.#heldByHolder.delete(key);
    this.#heldByKind.set(holder.kind, (this.#heldByKind.get(holder.kind) ?? 0) - bytes);
  }
}

export interface BodyReservation {
  /** Throws ProblemError: too_fast when it is more than one may hold, overloaded when it is more than there is. */
  take(holder: BodyHolder, bytes: number): void;
  release(): void;
}

function keyOf({ kind, id }: BodyHolder): string {
  return `${kind} ${id}`;
}
