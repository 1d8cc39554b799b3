/**
 * Meters that users make. They are answered from the raw events, so a new meter knows the whole past at once and needs no
 * filling; every process holds the definitions in memory and follows the others through NOTIFY.
 */
import { and, desc, eq, or, sql } from "drizzle-orm";
import type { Logger } from "pino";
import { type Author, recordChange } from "../audit/record-change.ts";
import { plansInUse } from "../billing/statements/plans-in-use.ts";
import { commonDimensions, meterByName } from "../catalog/catalog.ts";
import type { EventType } from "../catalog/event-types.ts";
import type { Meter, MeterRule } from "../catalog/meter.ts";
import { definitionLimits } from "../contract/definition-limits.ts";
import { limits } from "../contract/events.ts";
import type { MeterDefinition } from "../contract/meters.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { createPace } from "../fairness/pace.ts";
import { InvalidFormulaError, operationsIn } from "../numbers/formula.ts";
import type { Postgres, Queries } from "../postgres/client.ts";
import type { Subscriber } from "../postgres/notices.ts";
import { announcePastChanges, confirmPastChanges } from "../postgres/past-changes.ts";
import { customMeters } from "../postgres/schema/meters.ts";
import { ProblemError } from "../problem.ts";
import { checkBytes, checkLimit } from "../tree/check-limit.ts";
import type { NodeTree } from "../tree/node-tree.ts";
import { CountedTypes } from "./counted-types.ts";
import { FormulaUses, type ReadFormula, readFormula } from "./formula-uses.ts";
import { FollowedChanges, keyOf, type MeterOwner, readNotice, writeNotice } from "./meter-notices.ts";
import { type MeterVersion, type Versions, versionsOnRecord } from "./meter-versions.ts";

const channel = "tidemark_meters";
type Tree = Pick<NodeTree, "isWithin" | "ancestors" | "children" | "pathsBetween">;

const { versions: maxVersions, bytes: most, bytesOfTenant, ...counts } = definitionLimits.meters;
const limit = { what: "meters", table: customMeters, which: eq(customMeters.version, 1), ...counts };

/** In a formula: each is computed exactly for every window that somebody asks for. */
const maxOperations = 100;

/** Within each other, as only moves can bring them: what the innermost is made of beyond this is no meter to it. */
const maxFormulas = 2;

interface Asked {
  node: NodeAddress;
  atMs: number;
  isOnRecord: boolean;
  /** The formulas that name it, the outermost first. */
  within: readonly string[];
}

export class CustomMeters {
  readonly #postgres: Postgres;
  readonly #tree: Tree;
  /** By name, of each node that has a meter by it, the newest version first. */
  readonly #owned = new Map<string, Versions[]>();
  /** By node, the names of its meters. */
  readonly #namesOf = new Map<NodeAddress, Set<string>>();
  readonly #types = new CountedTypes();
  readonly #formulas = new FormulaUses();
  readonly #changed: FollowedChanges;
  readonly #subscriber: Subscriber;

  private constructor(postgres: Postgres, tree: Tree, log: Logger) {
    this.#postgres = postgres;
    this.#tree = tree;
    this.#changed = new FollowedChanges((owners) => this.#read(owners));
    const readAgain = (owner: MeterOwner | undefined) =>
      void this.#changed.read(owner).catch((error: unknown) => {
        log.warn({ err: error }, "the meters that users made could not be read again");
      });
    this.#subscriber = {
      notified: (payload) => readAgain(readNotice(payload)),
      listening: () => readAgain(undefined),
    };
  }

  static async load(postgres: Postgres, tree: Tree, log: Logger): Promise<CustomMeters> {
    const meters = new CustomMeters(postgres, tree, log);
    await postgres.notices.subscribe(channel, meters.#subscriber);
    await meters.#changed.read(undefined);
    return meters;
  }

  close(): void {
    this.#postgres.notices.unsubscribe(channel, this.#subscriber);
  }

  /** The type as the catalog and the meters in use know it: a property that one of them adds up must be a number. */
  typeOf(type: string): EventType | undefined {
    return this.#types.get(type);
  }

  /** All versions of the node's custom meter by that name, the newest first; undefined when there never was one. */
  versionsOf(name: string, node: NodeAddress): readonly MeterVersion[] | undefined {
    return this.#owned.get(name)?.find(([newest]) => newest.node === node);
  }

  /** The nodes that have, or had, a meter by that name. */
  ownersOf(name: string): NodeAddress[] {
    return (this.#owned.get(name) ?? []).map(([newest]) => newest.node);
  }

  /** Whether a meter of one of the nodes is a level that events of the type raise or lower: what they say is carried on. */
  isCarriedOnFor(type: string, nodes: readonly NodeAddress[]): boolean {
    const isLevelOf = ({ definition: { events } }: MeterVersion) =>
      events?.aggregation === "level" && [...events.types, ...events.lowered_by].includes(type);
    return [...this.#owned.values()]
      .flat()
      .some(
        ([newest, ...older]) => !newest.retiredAt && nodes.includes(newest.node) && [newest, ...older].some(isLevelOf),
      );
  }

  /** Whose the meter is that answers questions about the node by that name, or `name@2`; null where it is nobody's. */
  ownerFor(name: string, node: NodeAddress): NodeAddress | null {
    const [plain = ""] = name.split("@", 1);
    return this.#answering(plain, node)?.[0].node ?? null;
  }

  /** The meters in use that answer questions about the node, as of now. */
  listFor(node: NodeAddress): Meter[] {
    const places = new Set([...this.#tree.ancestors(node), "all"]);
    const names = new Set([...places].flatMap((place) => [...(this.#namesOf.get(place) ?? [])]));
    return [...names].sort().flatMap((name) => this.find(name, node, Date.now()) ?? []);
  }

  /**
   * The meter by that name, built in or the node's own, for a question about the node whose range ends at `atMs` (ms since
   * 1970, UTC): the newest version that is effective by then, or the very version that `name@2` names, which is then the meter's
   * name. Undefined when there is none for this node. On record: as the node knew it at `atMs`, wherever it stands now and what was
   * retired since included.
   */
  find(name: string, node: NodeAddress, atMs: number, { isOnRecord } = { isOnRecord: false }): Meter | undefined {
    return this.#found(name, { node, atMs, isOnRecord, within: [] });
  }

  #found(name: string, asked: Asked): Meter | undefined {
    const { node, atMs, isOnRecord, within } = asked;
    const builtIn = meterByName(name);
    if (builtIn) return builtIn;
    // Nobody may make a formula of formulas, but a move can bring a name below another's formula, even back to its own.
    if (within.includes(name) || within.length > maxFormulas) return undefined;
    const [plain = "", wanted] = name.split("@", 2);
    const versions = isOnRecord ? this.#answeringThen(plain, node, atMs) : this.#answering(plain, node);
    const version =
      wanted === undefined
        ? versions?.find((one) => one.effectiveFrom === null || one.effectiveFrom.getTime() < atMs)
        : versions?.find((one) => String(one.version) === wanted);
    // What a formula on record is made of is its owner's too.
    const meter = version && this.#meterOf(version, isOnRecord ? { ...asked, node: version.node } : asked);
    return meter && wanted !== undefined ? { ...meter, meter: `${plain}@${wanted}` } : meter;
  }

  /** In use, at the node or above it: the nearest, where a node that moved came below another's of that name. */
  #answering(name: string, node: NodeAddress): Versions | undefined {
    const above = (this.#owned.get(name) ?? []).filter(
      ([newest]) => !newest.retiredAt && this.#tree.isWithin(node, newest.node),
    );
    return above.find(([one]) => above.every(([other]) => this.#tree.isWithin(one.node, other.node)));
  }

  /** As `versionsOnRecord`. */
  #answeringThen(name: string, node: NodeAddress, atMs: number): Versions | undefined {
    return versionsOnRecord(this.#owned.get(name) ?? [], this.#tree, node, atMs);
  }

  /**
   * Throws ProblemError: `conflict` when the name is taken above or below the node, or it has as many as it may,
   * `invalid_request` where the definition makes no meter. Others' names are not revealed: two may be the same.
   */
  async create(name: string, node: NodeAddress, definition: MeterDefinition, by: Author): Promise<void> {
    const isRelated = (other: NodeAddress) => this.#tree.isWithin(other, node) || this.#tree.isWithin(node, other);
    if (meterByName(name) || this.ownersOf(name).some(isRelated))
      throw new ProblemError("conflict", `there is already a meter named ${name}`, { field: "meter" });
    this.#check(name, definition, node);
    await this.#add(name, node, 1, definition, undefined, by);
  }

  /** Adds a version to the node's custom meter. `check` throws where it is not what the caller saw. Throws as `create` does. */
  async change(
    name: string,
    node: NodeAddress,
    definition: MeterDefinition,
    { by, check }: { by: Author; check: (newest: MeterVersion) => void },
  ): Promise<void> {
    const newest = this.#inUse(name, node);
    check(newest);
    if (newest.version >= maxVersions)
      throw new ProblemError("conflict", `the meter has ${maxVersions} versions, the most allowed`);
    this.#check(name, definition, node);
    // Where two saw the same version, the unique number of the next refuses one of them.
    await this.#add(name, node, newest.version + 1, definition, newest.definition, by);
  }

  /**
   * No question is answered by it any more; its versions stay on record. Throws `conflict` where another meter is made of it, or
   * a plan by which somebody is or will be charged is measured by it.
   */
  async retire(
    name: string,
    node: NodeAddress,
    { by, check }: { by: Author; check: (newest: MeterVersion) => void },
  ): Promise<void> {
    const newest = this.#inUse(name, node);
    check(newest);
    const user = this.#madeOf(name, node);
    if (user) throw new ProblemError("conflict", `the meter ${user.meter} depends on it`);
    await this.#postgres.transaction(async (tx) => {
      const ofThis = and(eq(customMeters.node, node), eq(customMeters.meter, name));
      const versions = await tx
        .select()
        .from(customMeters)
        .where(ofThis)
        .orderBy(desc(customMeters.version))
        .for("update");
      if (versions[0]?.version !== newest.version || versions[0].retiredAt)
        throw new ProblemError("conflict", "somebody else changed it at the same time; read it again");
      await this.#checkUnplanned(tx, name, node);
      await tx.update(customMeters).set({ retiredAt: new Date() }).where(ofThis);
      await tx.execute(sql`SELECT pg_notify(${channel}, ${writeNotice({ meter: name, node })})`);
      const { definition } = newest;
      await recordChange(tx, { by, node, action: "meter.retired", subject: name, before: definition });
    });
    await this.#changed.read({ meter: name, node });
  }

  /** Another meter in use, of the node or one below it, that answers some question by a formula with this one in it. */
  #madeOf(name: string, node: NodeAddress): MeterVersion | undefined {
    return this.#formulas
      .usersOf(name)
      .filter(([{ meter, node: owner, retiredAt }]) => !retiredAt && meter !== name && this.#tree.isWithin(owner, node))
      .flatMap(answeringVersions)
      .find((version) => this.#formulas.of(version)?.names.includes(name));
  }

  async #checkUnplanned(tx: Queries, name: string, node: NodeAddress): Promise<void> {
    const named = await plansInUse(tx, name);
    const plan = named.find((one) => this.#answeringThen(name, one.node, Date.now())?.[0].node === node);
    if (!plan) return;
    // One that moved away from below the node is another's now.
    const what = this.#tree.isWithin(plan.node, node) ? `the plan ${JSON.stringify(plan.name)}` : "another node's plan";
    throw new ProblemError("conflict", `${what}, which is in use, is measured by it`);
  }

  #inUse(name: string, node: NodeAddress): MeterVersion {
    const [newest] = this.versionsOf(name, node) ?? [];
    if (!newest || newest.retiredAt) throw new ProblemError("not_found", `there is no custom meter named ${name}`);
    return newest;
  }

  async #add(
    meter: string,
    node: NodeAddress,
    version: number,
    definition: MeterDefinition,
    before: MeterDefinition | undefined,
    by: Author,
  ): Promise<void> {
    const { effective_from: effectiveFrom } = definition;
    const row = {
      meter,
      version,
      node,
      definition,
      effectiveFrom: effectiveFrom === undefined ? null : new Date(effectiveFrom),
      createdAt: new Date(),
      createdBy: by.name,
    };
    await this.#postgres.transaction(async (tx) => {
      if (version === 1) await checkLimit(tx, this.#tree, node, limit);
      await checkMeterBytes(tx, this.#tree, node, definition);
      const made = await tx.insert(customMeters).values(row).onConflictDoNothing().returning();
      if (made.length === 0)
        throw new ProblemError("conflict", "somebody else changed it at the same time; read it again");
      const cause = `meter:${node}:${meter}:${version}`;
      const fromMs = row.effectiveFrom?.getTime() ?? Date.parse(limits.oldestTime);
      await announcePastChanges(tx, cause, [{ node, meter, fromMs, toMs: null }]);
      await confirmPastChanges(tx, cause);
      await tx.execute(sql`SELECT pg_notify(${channel}, ${writeNotice({ meter, node })})`);
      const action = version === 1 ? "meter.created" : "meter.changed";
      await recordChange(tx, { by, node, action, subject: meter, ...(before && { before }), after: definition });
    });
    await this.#changed.read({ meter, node });
  }

  /** `owners`: whose meters changed; undefined: all. */
  async #read(owners: readonly MeterOwner[] | undefined): Promise<void> {
    const changed = owners?.map(({ meter, node }) => and(eq(customMeters.meter, meter), eq(customMeters.node, node)));
    const rows = await this.#postgres.db
      .select()
      .from(customMeters)
      .where(changed && or(...changed))
      .orderBy(desc(customMeters.version));
    const byOwner = new Map<string, [MeterVersion, ...MeterVersion[]]>();
    for (const row of rows) {
      const list = byOwner.get(keyOf(row));
      if (list) list.push(row);
      else byOwner.set(keyOf(row), [row]);
    }
    // Versions are never removed: what is not read is as it was.
    const pace = createPace();
    for (const versions of byOwner.values()) {
      await pace.rest();
      const [newest] = versions;
      const others = (this.#owned.get(newest.meter) ?? []).filter(([other]) => other.node !== newest.node);
      this.#owned.set(newest.meter, [...others, versions]);
      const names = this.#namesOf.get(newest.node);
      if (names) names.add(newest.meter);
      else this.#namesOf.set(newest.node, new Set([newest.meter]));
      this.#types.put(keyOf(newest), versions);
      this.#formulas.put(keyOf(newest), versions);
    }
  }

  #check(meter: string, { events, formula }: MeterDefinition, node: NodeAddress): void {
    const refuse = (field: string, message: string) => new ProblemError("invalid_request", message, { field });
    if (formula !== undefined) {
      const { names, formula: parsed } = askedFormula(formula);
      if (names.length === 0) throw refuse("formula", "must name at least one meter");
      if (operationsIn(parsed) > maxOperations) throw refuse("formula", `can have at most ${maxOperations} operations`);
      for (const name of names) {
        if (name === meter) throw refuse("formula", `cannot name ${name} itself`);
        if (!this.find(name, node, Number.MAX_SAFE_INTEGER)) throw refuse("formula", `there is no meter named ${name}`);
        const versions = this.#answering(name, node) ?? [];
        if (answeringVersions(versions).some(({ definition }) => definition.formula !== undefined))
          throw refuse("formula", `${name} is itself a formula`);
      }
      const user = this.#madeOf(meter, node);
      if (user) throw refuse("formula", `the meter ${user.meter} depends on it, and a formula cannot use formulas`);
    }
    if (!events) return;
    if (events.aggregation === "unique" && events.unique_of === undefined)
      throw refuse("events.unique_of", "is required to count distinct values");
    if (events.aggregation !== "unique" && events.unique_of !== undefined)
      throw refuse("events.unique_of", "can only be set with the aggregation unique");
    if (events.aggregation !== "level" && (events.lowered_by.length > 0 || events.each))
      throw refuse(events.each ? "events.each" : "events.lowered_by", "can only be set with the aggregation level");
    const known = new Set<string>([...commonDimensions, ...events.dimensions]);
    const named = [
      ...events.filters.map((filter) => filter.dimension),
      ...(events.unique_of ? [events.unique_of] : []),
    ];
    const unknown = named.find((dimension) => !known.has(dimension));
    if (unknown !== undefined) throw refuse("events.dimensions", `must include ${unknown}, which the meter uses`);
  }

  #meterOf(made: MeterVersion, asked: Asked): Meter {
    const { meter, version, definition } = made;
    const { title, unit, description, events } = definition;
    const about = { meter, title, unit, description };
    if (events)
      return {
        ...about,
        rule: ruleOf(events),
        custom: { version, filters: events.filters, dimensions: events.dimensions },
      };
    const { formula, names } = this.#formulas.of(made) ?? readFormula("0");
    const within = [...asked.within, meter];
    const operands = names.flatMap((name) => this.#found(name, { ...asked, within }) ?? []);
    return { ...about, rule: { kind: "derived", formula, operands } };
  }
}

async function checkMeterBytes(tx: Queries, tree: Tree, node: NodeAddress, definition: MeterDefinition): Promise<void> {
  await checkBytes(tx, tree, node, {
    what: "meters",
    added: definition,
    most,
    ofTenant: bytesOfTenant,
    field: definition.events ? "events" : "formula",
    async heldBy(within) {
      const bytes = sql<number>`coalesce(sum(octet_length(${customMeters.definition}::text)), 0)::float8`;
      const [counted] = await tx.select({ bytes }).from(customMeters).where(within(customMeters.node));
      return counted?.bytes ?? 0;
    },
  });
}

function ruleOf(events: NonNullable<MeterDefinition["events"]>): MeterRule {
  const { types, aggregation, value, unique_of: uniqueOf, lowered_by: lowers, each } = events;
  const property = value === "value" ? undefined : value;
  if (aggregation === "level")
    return { kind: "value_level", raises: types, lowers, by: each ? "event" : "value", property };
  return { kind: "events", types, aggregation, property, uniqueOf };
}

function askedFormula(formula: string): ReadFormula {
  try {
    return readFormula(formula);
  } catch (error) {
    if (error instanceof InvalidFormulaError)
      throw new ProblemError("invalid_request", error.message, { field: "formula" });
    throw error;
  }
}

/** `versions`: the newest first. What stands before one that holds since ever answers by its number alone. */
function answeringVersions(versions: readonly MeterVersion[]): readonly MeterVersion[] {
  const sinceEver = versions.findIndex(({ effectiveFrom }) => effectiveFrom === null);
  return sinceEver < 0 ? versions : versions.slice(0, sinceEver + 1);
}
