/** Notices between processes of which meters changed: only those are read again. */
import { z } from "zod";
import type { NodeAddress } from "../contract/nodes.ts";
import { parseJson } from "../json/parse-json.ts";

export interface MeterOwner {
  meter: string;
  node: NodeAddress;
}

export const keyOf = ({ meter, node }: MeterOwner) => `${meter} ${node}`;

/** Postgres takes less than 8,000 bytes. */
const maxBytes = 7_000;
const noticeSchema = z.object({ meter: z.string(), node: z.string() });

export function writeNotice({ meter, node }: MeterOwner): string {
  const payload = JSON.stringify({ meter, node });
  return Buffer.byteLength(payload) <= maxBytes ? payload : "";
}

/** Undefined where it does not say which, as those of the release before: any. */
export function readNotice(payload: string): MeterOwner | undefined {
  try {
    return noticeSchema.parse(parseJson(payload));
  } catch {
    return undefined;
  }
}

/** More at once are read with all others. */
const maxAtOnce = 200;

/** One read after another, so that an older state never replaces a newer one; what changes while one runs is read by the next. */
export class FollowedChanges {
  readonly #readThem: (owners: readonly MeterOwner[] | undefined) => Promise<void>;
  #running: Promise<unknown> = Promise.resolve();
  #next: Promise<void> | undefined;
  #wanted = new Map<string, MeterOwner>();
  #isAllWanted = false;

  constructor(readThem: (owners: readonly MeterOwner[] | undefined) => Promise<void>) {
    this.#readThem = readThem;
  }

  /** Resolves when what changed until now is known. `owner` undefined: all. A failed read is made up by the next, which reads all. */
  read(owner: MeterOwner | undefined): Promise<void> {
    if (owner) this.#wanted.set(keyOf(owner), owner);
    else this.#isAllWanted = true;
    if (this.#next) return this.#next;
    const next = this.#running.then(async () => {
      this.#next = undefined;
      const owners = this.#isAllWanted || this.#wanted.size > maxAtOnce ? undefined : [...this.#wanted.values()];
      this.#wanted = new Map();
      this.#isAllWanted = false;
      try {
        await this.#readThem(owners);
      } catch (error) {
        this.#isAllWanted = true;
        throw error;
      }
    });
    this.#next = next;
    this.#running = next.catch(() => undefined);
    return next;
  }
}
