/**
 * What recent events said of jobs and presences, for warnings that no event gives rise to alone. Bounded and best effort:
 * it forgets the oldest and starts empty; no figure rests on it.
 */
import type { EventType } from "../../catalog/event-types.ts";
import type { WarningCode } from "../../contract/events.ts";
import type { GivenEvent } from "./event-gate.ts";
import { hashText } from "./event-hash.ts";

export interface Doubt {
  code: WarningCode;
  field: string;
  message: string;
}

/** A few MB, however long ids are: hashes are kept. */
const maxSigns = 2 ** 15;
/** Stands for a presence that ended. */
const over = null;
const noDevice = 0n;

export class RecentSigns {
  readonly #signs = new Map<bigint, bigint | null>();

  /** A view of what is known, to which one request adds: `keep` makes it known to all, without it nothing was. */
  begin(): RequestSigns {
    return new RequestSigns(this.#signs);
  }
}

export class RequestSigns {
  readonly #known: Map<bigint, bigint | null>;
  readonly #added = new Map<bigint, bigint | null>();

  constructor(known: Map<bigint, bigint | null>) {
    this.#known = known;
  }

  /** What there is to doubt about an event that is taken, after all that were taken before it. */
  doubt(event: GivenEvent, type: EventType): Doubt | undefined {
    const { organization, job } = event;
    if (type.jobStep === "completed" && job !== undefined) {
      const key = hashText(`job\0${organization}\0${event.type}\0${job}`);
      if (this.#get(key) !== undefined) return completedTwice;
      this.#added.set(key, noDevice);
    }
    const isMove = type.action === "start" || type.action === "end";
    if (!isMove || type.level === "session" || event.session === undefined || event.user === undefined)
      return undefined;
    return this.#doubtPresence(event, type, `\0${organization}\0${type.level}\0${event.session}\0${event.user}`);
  }

  #doubtPresence({ interval, properties }: GivenEvent, { action }: EventType, who: string): Doubt | undefined {
    const [own, other] = interval === undefined ? ["paired", "named"] : ["named", "paired"];
    const key = hashText(own + who);
    const open = this.#get(key);
    const isOpen = open !== undefined && open !== over;
    if (action === "end") {
      this.#added.set(key, over);
      if (isOpen) return undefined;
      const isOtherOpen = (this.#get(hashText(other + who)) ?? over) !== over;
      return isOtherOpen ? (interval === undefined ? unnamedEnd : unnamedStart) : undefined;
    }
    const device = properties?.device === undefined ? noDevice : hashText(String(properties.device));
    this.#added.set(key, device);
    const isAnother = isOpen && open !== noDevice && device !== noDevice && open !== device;
    return interval === undefined && isAnother ? twoDevices : undefined;
  }

  #get(key: bigint): bigint | null | undefined {
    const added = this.#added.get(key);
    return added === undefined ? this.#known.get(key) : added;
  }

  keep(): void {
    for (const [key, sign] of this.#added) {
      this.#known.delete(key);
      this.#known.set(key, sign);
    }
    for (const key of this.#known.keys()) {
      if (this.#known.size <= maxSigns) return;
      this.#known.delete(key);
    }
  }
}

const completedTwice: Doubt = {
  code: "completed_twice",
  field: "job",
  message: "a job with this ID was already completed, and both completions count; to correct the first one, amend it",
};
const twoDevices: Doubt = {
  code: "ambiguous_pairing",
  field: "interval",
  message: "this user is already in the session on another device; without `interval`, both count as one presence",
};
const unnamedEnd: Doubt = {
  code: "interval_mismatch",
  field: "interval",
  message: "the start of this user in the session has an `interval`; without it, this end belongs to no start",
};
const unnamedStart: Doubt = {
  code: "interval_mismatch",
  field: "interval",
  message: "the start of this user in the session has no `interval`, so this end belongs to no start",
};
