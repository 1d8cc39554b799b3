/**
 * Which events were taken before, by (organization, id): first the recent ones, exactly, in memory; then a filter that
 * says "definitely new"; then storage, asked for all waiting requests at once. Memory never refuses a good event: what it
 * cannot decide is logged unchecked, and sealing decides it against storage.
 */

import type { LogPosition, LogRecord } from "../log/write-ahead-log.ts";
import { hashText, identityOf } from "./event-hash.ts";
import { nameOfStored } from "./event-identity.ts";
import { splitEventLine } from "./event-row.ts";
import { IdFilter } from "./id-filter.ts";
import { Claims, RecentIds } from "./recent-ids.ts";
import { RecentSigns } from "./recent-signs.ts";
import { parseRequestRecord } from "./request-record.ts";

export interface StoredIdentity {
  organization: string;
  id: string;
  timeMs: number;
}

/** An event as far as its identity goes. */
export interface IdentifiedEvent extends StoredIdentity {
  /** `identityOf(organization, id)` and its hash. */
  identity: string;
  idHash: bigint;
  bodyHash: bigint;
  /**
   * For a CloudEvent: its identity as earlier versions had it, by the id alone. The same body under that is the same event.
   */
  withoutSource?: string | undefined;
}

/** Answers, for those of `identities` that are stored, `identityOf(organization, id)` to the body hash as decimal digits. */
export type LookupStored = (identities: readonly StoredIdentity[]) => Promise<ReadonlyMap<string, string>>;

export interface IdentityVerdict {
  verdict: "new" | "duplicate" | "conflict";
  /** Checked against all that was stored and logged before; sealing need not look again. */
  isChecked: boolean;
}

/** What storage said: undefined when it was not asked, did not answer in time, or is down. */
export type StoredAnswers = ReadonlyMap<string, string> | undefined;

export interface KnownIdsOptions {
  lookupStored: LookupStored;
  /** Memory of the "definitely new" filter; default 64 MiB. */
  filterBytes?: number;
  /** Slots of a generation of recent ids, 20 bytes each, a power of two; default 2^19. */
  recentSlots?: number;
  /** Default 4: with the default slots 40 MiB at most, 1.5 million events. */
  maxGenerations?: number;
  /** How long a request waits for storage; default 300. */
  lookupTimeoutMs?: number;
  now?: () => number;
}

/** How long storage is left alone after a lookup that failed or took too long. */
const lookupPauseMs = 1_000;

interface Waiting {
  events: readonly StoredIdentity[];
  answer: (answers: StoredAnswers) => void;
}

export class KnownIds {
  readonly signs = new RecentSigns();
  readonly #recent: RecentIds;
  readonly #filter: IdFilter;
  #isFilterComplete = false;
  #gains = 0;
  readonly #lookupStored: LookupStored;
  readonly #lookupTimeoutMs: number;
  readonly #now: () => number;
  #waiting: Waiting[] = [];
  #isAsking = false;
  #pausedUntilMs = 0;

  constructor(options: KnownIdsOptions) {
    this.#recent = new RecentIds({
      slots: options.recentSlots ?? 2 ** 19,
      maxGenerations: options.maxGenerations ?? 4,
    });
    this.#filter = new IdFilter(options.filterBytes ?? 64 * 1024 * 1024);
    this.#lookupStored = options.lookupStored;
    this.#lookupTimeoutMs = options.lookupTimeoutMs ?? 300;
    this.#now = options.now ?? Date.now;
  }

  /** Takes over what the log holds unsettled. Must have resolved before the first request is served. */
  async fillFromLog(records: AsyncIterable<LogRecord>): Promise<void> {
    for await (const { payload, end } of records) {
      const claims = new Claims();
      for (const line of parseRequestRecord(payload).events) {
        const { organization, id, bodyHash } = splitEventLine(line);
        const identity = identityOf(organization, id);
        const idHash = hashText(identity);
        this.#filter.add(idHash);
        if (this.#recent.find(identity, idHash, BigInt(bodyHash)) === "unknown") {
          this.#recent.add(identity, idHash, BigInt(bodyHash), claims);
        }
      }
      claims.logged(end);
    }
  }

  /**
   * Takes the hashes (`hashText` of `identityOf`) of all stored identities; may run while requests are served, and
   * until it has resolved once, every identity that is not recent is looked up.
   */
  async fillFromStorage(hashes: AsyncIterable<BigUint64Array>): Promise<void> {
    const gains = this.#gains;
    for await (const chunk of hashes) for (const hash of chunk) this.#filter.add(hash);
    this.#isFilterComplete = gains === this.#gains;
  }

  /** Storage holds identities that another process put there and that count here from now on: it must be read again. */
  hasGained(): void {
    this.#gains++;
    this.#isFilterComplete = false;
  }

  /** The flush loop calls this when everything in the log up to `position` can be found by `lookupStored`. */
  settledThrough(position: LogPosition): void {
    this.#recent.settledThrough(position);
  }

  /** Whether memory cannot decide and storage must be asked before `claim`. */
  mustAsk(event: IdentifiedEvent): boolean {
    const { withoutSource } = event;
    return this.#isUnsureOf(event) || (withoutSource !== undefined && this.#isUnsureOf(asBefore(event, withoutSource)));
  }

  #isUnsureOf(event: IdentifiedEvent): boolean {
    if (!this.#filter.has(event.idHash)) return !this.#isFilterComplete;
    const recent = this.#recent.find(event.identity, event.idHash, event.bodyHash);
    return recent === "unknown" || recent === "unsure";
  }

  /** Asks storage, together with all that other requests ask at the same time. Never rejects; bounded in time. */
  ask(asked: readonly (StoredIdentity & { withoutSource?: string | undefined })[]): Promise<StoredAnswers> {
    const events = asked.flatMap((event) =>
      event.withoutSource === undefined ? [event] : [event, { ...event, id: nameOfStored(event.id).id }],
    );
    if (this.#now() < this.#pausedUntilMs) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const entry: Waiting = {
        events,
        answer: (answers) => {
          clearTimeout(timer);
          resolve(answers);
        },
      };
      const timer = setTimeout(() => {
        // Storage that hangs must not gather what waits for it.
        this.#waiting = this.#waiting.filter((other) => other !== entry);
        this.#pausedUntilMs = this.#now() + lookupPauseMs;
        resolve(undefined);
      }, this.#lookupTimeoutMs);
      this.#waiting.push(entry);
      void this.#askNext();
    });
  }

  /**
   * The verdict on an event's identity, which counts as taken from here on when it is new. The caller must append its record in
   * the same turn as its claims, so that the log has them in the order in which they were decided on, and then settle `claims`.
   */
  claim(event: IdentifiedEvent, answers: StoredAnswers, claims: Claims): IdentityVerdict {
    const found = this.#find(event, answers);
    if (found.verdict === "new" && found !== newInTable) {
      this.#filter.add(event.idHash);
      this.#recent.add(event.identity, event.idHash, event.bodyHash, claims);
    }
    return found;
  }

  /** What `claim` would answer, of requests whose earlier events are in `before`; nothing is remembered but there. */
  verdictOn(event: IdentifiedEvent, answers: StoredAnswers, before: Map<string, bigint>): IdentityVerdict {
    const earlier = before.get(event.identity);
    if (earlier !== undefined) return earlier === event.bodyHash ? duplicate : conflict;
    const found = this.#find(event, answers);
    if (found.verdict === "new") before.set(event.identity, event.bodyHash);
    return found;
  }

  #find(event: IdentifiedEvent, answers: StoredAnswers): IdentityVerdict {
    const found = this.#findOne(event, answers);
    if (event.withoutSource === undefined || found.verdict !== "new") return found;
    const before = this.#findOne(asBefore(event, event.withoutSource), answers);
    if (before === duplicate) return duplicate;
    const isCertain = before === conflict || before === newAndChecked;
    return isCertain || found !== newAndChecked ? found : newUnchecked;
  }

  #findOne({ identity, idHash, bodyHash }: IdentifiedEvent, answers: StoredAnswers): IdentityVerdict {
    let isChecked = this.#isFilterComplete;
    let isInTable = false;
    if (this.#filter.has(idHash)) {
      const recent = this.#recent.find(identity, idHash, bodyHash);
      if (recent === "same_body") return duplicate;
      if (recent === "other_body") return conflict;
      isInTable = recent === "unsure";
      isChecked = false;
    }
    if (!isChecked && answers) {
      const stored = answers.get(identity);
      if (stored !== undefined) return stored === String(bodyHash) ? duplicate : conflict;
      isChecked = !isInTable && this.#recent.isCertain;
    }
    if (isInTable) return newInTable;
    return isChecked ? newAndChecked : newUnchecked;
  }

  async #askNext(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    while (this.#waiting.length > 0) {
      let keys = 0;
      const end = this.#waiting.findIndex(({ events }, index) => {
        keys += events.length;
        return index > 0 && keys > maxKeysPerLookup;
      });
      const group = this.#waiting.splice(0, end < 0 ? this.#waiting.length : end);
      let answers: StoredAnswers;
      try {
        answers = await this.#lookupStored(group.flatMap(({ events }) => events));
      } catch {
        // Whoever watches storage reports it; here the events are logged unchecked and sealing looks them up.
        this.#pausedUntilMs = this.#now() + lookupPauseMs;
      }
      for (const { answer } of group) answer(answers);
    }
    this.#isAsking = false;
  }
}

function asBefore(event: IdentifiedEvent, withoutSource: string): IdentifiedEvent {
  return { ...event, identity: withoutSource, idHash: hashText(withoutSource) };
}

/** Keeps a lookup within its time; a single request may have more. */
const maxKeysPerLookup = 20_000;

const duplicate: IdentityVerdict = { verdict: "duplicate", isChecked: true };
const conflict: IdentityVerdict = { verdict: "conflict", isChecked: true };
const newAndChecked: IdentityVerdict = { verdict: "new", isChecked: true };
const newUnchecked: IdentityVerdict = { verdict: "new", isChecked: false };
/** Its hash is in the table of recent ids already, perhaps for another identity. */
const newInTable: IdentityVerdict = { verdict: "new", isChecked: false };
