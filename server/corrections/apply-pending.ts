/** Applies what is on record and not applied yet, the oldest first, one after another; only where events are stored. */
import { asc, eq, isNull } from "drizzle-orm";
import type { ClickHouse } from "../clickhouse/client.ts";
import type { Ingest } from "../ingest/flush/start-ingest.ts";
import type { Postgres } from "../postgres/client.ts";
import { confirmPastChanges } from "../postgres/past-changes.ts";
import { eventCorrections } from "../postgres/schema/corrections.ts";
import { applyCorrection } from "./apply-correction.ts";
import { type Correction, causeOf } from "./record-correction.ts";

export interface OtherStorers {
  /** Whether this process is the one that applies corrections now. */
  isHere(): boolean;
  /** Asks the one that does to do it now. */
  applyThere(): Promise<void>;
  /** What every process accepted up to then can be found. */
  watermark(): Date;
}

export interface ApplyingDeps {
  postgres: Postgres;
  clickhouse: ClickHouse;
  /** Absent in a process that does not store events: then another one applies what is recorded here. */
  ingest: (Pick<Ingest, "materializer" | "sequence"> & { flush: Pick<Ingest["flush"], "exclusive"> }) | undefined;
  /** Where other processes store too, and one of them applies what is recorded. */
  others?: Pick<OtherStorers, "isHere" | "applyThere"> | undefined;
}

/** Answers a function that resolves when everything that was on record before its call is applied. */
export function createApplying({ postgres, clickhouse, ingest, others }: ApplyingDeps): () => Promise<void> {
  let applying: Promise<void> = Promise.resolve();

  async function applyOne(correction: Correction): Promise<void> {
    if (!ingest) return;
    const { flush, materializer, sequence } = ingest;
    await flush.exclusive(async () => {
      // The row may have been stored by a process whose clock is ahead: of one key the larger number stands.
      sequence.advance(correction.replaces);
      // Given within the turn, so that nothing of a larger number is settled before. A try that failed had them already, and what it
      // stored is replaced only under the same numbers.
      const numbers = {
        voidBatch: correction.voidBatch ?? sequence.next(),
        amendBatch: correction.after === null ? null : (correction.amendBatch ?? sequence.next()),
      };
      if (correction.voidBatch === null)
        await postgres.db.update(eventCorrections).set(numbers).where(eq(eventCorrections.id, correction.id));
      const levels = await applyCorrection(
        { clickhouse, materializer },
        {
          before: correction.before,
          voidBatch: numbers.voidBatch,
          after: correction.after ?? undefined,
          amendBatch: numbers.amendBatch ?? undefined,
        },
        Date.now(),
      );
      const organizations = new Set([correction.organization, correction.newOrganization ?? correction.organization]);
      // Those of an earlier try may be settled already: what goes by the newest number must see that something changed.
      return { batch: sequence.next(), organizations, levels };
    });
    await postgres.transaction(async (tx) => {
      await tx.update(eventCorrections).set({ appliedAt: new Date() }).where(eq(eventCorrections.id, correction.id));
      await confirmPastChanges(tx, causeOf(correction));
    });
  }

  return () => {
    if (others && !others.isHere()) return others.applyThere();
    const next = applying.then(async () => {
      const pending = await postgres.db
        .select()
        .from(eventCorrections)
        .where(isNull(eventCorrections.appliedAt))
        .orderBy(asc(eventCorrections.at), asc(eventCorrections.id));
      for (const correction of pending) await applyOne(correction);
    });
    applying = next.catch(() => undefined);
    return next;
  };
}
