/**
 * All rules in memory, as the newest entry of the audit says: every change of one has its entry, written in the same transaction.
 * A rule that did not change stays the same object, so that what is made of it is made once.
 */
import { type Changes, changesSince, readById } from "../audit/changes-since.ts";
import type { Postgres } from "../postgres/client.ts";
import { auditHead } from "../postgres/schema/audit.ts";
import { listRules, type RuleRecord } from "./rules.ts";

export class HeldRules {
  readonly #postgres: Postgres;
  #held: { sequence: number; byId: ReadonlyMap<string, RuleRecord>; rules: readonly RuleRecord[] } | undefined;

  constructor(postgres: Postgres) {
    this.#postgres = postgres;
  }

  /** The oldest first, with all that changed up to that entry of the audit. */
  async read(sequence: number): Promise<readonly RuleRecord[]> {
    const held = this.#held;
    if (held && held.sequence >= sequence) return held.rules;
    this.#held = await this.#postgres.transaction(async (tx) => {
      const [head] = await tx.select({ sequence: auditHead.sequence }).from(auditHead);
      const changes = held && (await changesSince(tx, held.sequence));
      const byId = await readById(changes && held?.byId, changes && changedRules(changes, held?.rules), async (ids) =>
        (await listRules(tx, ids)).map((rule) => [rule.id, rule]),
      );
      const isSame = byId === held?.byId;
      return { sequence: head?.sequence ?? 0, byId, rules: isSame ? held.rules : [...byId.values()].sort(byAge) };
    }, "snapshot");
    return this.#held.rules;
  }
}

/** A channel that was removed is taken out of the rules that have it, without entries of their own. */
function changedRules(changes: Changes, held: readonly RuleRecord[] = []): readonly string[] | undefined {
  const gone = new Set(changes.get("channel"));
  const without = held.filter(({ channels }) => gone.size > 0 && channels.some((id) => gone.has(id)));
  const ids = [...new Set([...(changes.get("rule") ?? []), ...without.map(({ id }) => id)])];
  return ids.length > 0 ? ids : undefined;
}

const byAge = (one: RuleRecord, other: RuleRecord) =>
  one.createdAt.getTime() - other.createdAt.getTime() || (one.id < other.id ? -1 : 1);
