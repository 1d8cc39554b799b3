/**
 * Meters that users make. They are answered from the raw events, so a new meter knows the whole past at once and needs no
 * filling; every process holds the definitions in memory and follows the others through NOTIFY.
 */
import { and, desc, eq, sql } from "drizzle-orm";
import type { Logger } from "pino";
import { type Author, recordChange } from "../audit/record-change.ts";
import { commonDimensions, eventType, meterByName } from "../catalog/catalog.ts";
import type { EventType } from "../catalog/event-types.ts";
import type { Meter, MeterRule } from "../catalog/meter.ts";
import type { MeterDefinition } from "../contract/meters.ts";
import type { NodeAddress } from "../contract/nodes.ts";
import { InvalidFormulaError, metersIn, operationsIn, parseFormula } from "../numbers/formula.ts";
import type { Postgres } from "../postgres/client.ts";
import type { Subscriber } from "../postgres/notices.ts";
import { customMeters } from "../postgres/schema/meters.ts";
import { ProblemError } from "../problem.ts";
import type { NodeTree } from "../tree/node-tree.ts";

export type MeterVersion = typeof customMeters.$inferSelect;

const channel = "tidemark_meters";
/** In a formula: each is computed exactly for every window that somebody asks for. */
const maxOperations = 100;

export class CustomMeters {
  readonly #postgres: Postgres;
  readonly #tree: Pick<NodeTree, "isWithin">;
  /** By name, of each node that has a meter by it, the newest version first. */
  #owned = new Map<string, (readonly [MeterVersion, ...MeterVersion[]])[]>();
  /** What the meters in use ask of each type that they count. */
  #types = new Map<string, EventType>();
  readonly #subscriber: Subscriber;

  private constructor(postgres: Postgres, tree: Pick<NodeTree, "isWithin">, log: Logger) {
    this.#postgres = postgres;
    this.#tree = tree;
    const readAgain = () =>
      void this.#read().catch((error: unknown) => {
        log.warn({ err: error }, "the meters that users made could not be read again");
      });
    this.#subscriber = { notified: readAgain, listening: readAgain };
  }

  static async load(postgres: Postgres, tree: Pick<NodeTree, "isWithin">, log: Logger): Promise<CustomMeters> {
    const meters = new CustomMeters(postgres, tree, log);
    await postgres.notices.subscribe(channel, meters.#subscriber);
    await meters.#read();
    return meters;
  }

  close(): void {
    this.#postgres.notices.unsubscribe(channel, this.#subscriber);
  }

  /** The type as the catalog and the meters in use know it: a property that one of them adds up must be a number. */
  typeOf(type: string): EventType | undefined {
    return this.#types.get(type) ?? eventType(type);
  }

  /** All versions of the node's custom meter by that name, the newest first; undefined when there never was one. */
  versionsOf(name: string, node: NodeAddress): readonly MeterVersion[] | undefined {
    return this.#owned.get(name)?.find(([newest]) => newest.node === node);
  }

  /** The nodes that have, or had, a meter by that name. */
  ownersOf(name: string): NodeAddress[] {
    return (this.#owned.get(name) ?? []).map(([newest]) => newest.node);
  }

  /** Whose the meter is that answers questions about the node by that name; null where it is nobody's. */
  ownerFor(name: string, node: NodeAddress): NodeAddress | null {
    return this.#answering(name, node)?.[0].node ?? null;
  }

  /** The meters in use that answer questions about the node, as of now. */
  listFor(node: NodeAddress): Meter[] {
    return [...this.#owned.keys()].sort().flatMap((name) => this.find(name, node, Date.now()) ?? []);
  }

  /**
   * The meter by that name, built in or the node's own, for a question about the node whose range ends at `atMs` (ms since
   * 1970, UTC): the newest version that is effective by then, or the very version that `name@2` names. Undefined when there
   * is none for this node.
   */
  find(name: string, node: NodeAddress, atMs: number): Meter | undefined {
    const builtIn = meterByName(name);
    if (builtIn) return builtIn;
    const [plain = "", wanted] = name.split("@", 2);
    const versions = this.#answering(plain, node);
    const version =
      wanted === undefined
        ? versions?.find((one) => one.effectiveFrom === null || one.effectiveFrom.getTime() < atMs)
        : versions?.find((one) => String(one.version) === wanted);
    return version && this.#meterOf(version, node, atMs);
  }

  /** In use, at the node or above it: the nearest, where a node that moved came below another's of that name. */
  #answering(name: string, node: NodeAddress): readonly [MeterVersion, ...MeterVersion[]] | undefined {
    const above = (this.#owned.get(name) ?? []).filter(
      ([newest]) => !newest.retiredAt && this.#tree.isWithin(node, newest.node),
    );
    return above.find(([one]) => above.every(([other]) => this.#tree.isWithin(one.node, other.node)));
  }

  /**
   * Throws ProblemError: `conflict` when the name is taken above or below the node, `invalid_request` where the definition
   * makes no meter. What others call theirs is not told: it may be called alike.
   */
  async create(name: string, node: NodeAddress, definition: MeterDefinition, by: Author): Promise<void> {
    const isRelated = (other: NodeAddress) => this.#tree.isWithin(other, node) || this.#tree.isWithin(node, other);
    if (meterByName(name) || this.ownersOf(name).some(isRelated))
      throw new ProblemError("conflict", `there is a meter named ${name} already`, { field: "meter" });
    this.#check(definition, node);
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
    this.#check(definition, node);
    // Where two saw the same version, the unique number of the next refuses one of them.
    await this.#add(name, node, newest.version + 1, definition, newest.definition, by);
  }

  /** No question is answered by it any more; its versions stay on record. */
  async retire(
    name: string,
    node: NodeAddress,
    { by, check }: { by: Author; check: (newest: MeterVersion) => void },
  ): Promise<void> {
    const newest = this.#inUse(name, node);
    check(newest);
    const user = [...this.#owned.values()]
      .flat()
      .map(([other]) => other)
      .find((other) => !other.retiredAt && usesMeter(other.definition, name) && this.#tree.isWithin(other.node, node));
    if (user) throw new ProblemError("conflict", `the meter ${user.meter} is made of it`);
    await this.#postgres.transaction(async (tx) => {
      const ofThis = and(eq(customMeters.node, node), eq(customMeters.meter, name));
      const versions = await tx
        .select()
        .from(customMeters)
        .where(ofThis)
        .orderBy(desc(customMeters.version))
        .for("update");
      if (versions[0]?.version !== newest.version || versions[0].retiredAt)
        throw new ProblemError("conflict", "somebody else was faster; look at it again");
      await tx.update(customMeters).set({ retiredAt: new Date() }).where(ofThis);
      await tx.execute(sql`SELECT pg_notify(${channel}, '')`);
      const { definition } = newest;
      await recordChange(tx, { by, node, action: "meter.retired", subject: name, before: definition });
    });
    await this.#read();
  }

  #inUse(name: string, node: NodeAddress): MeterVersion {
    const [newest] = this.versionsOf(name, node) ?? [];
    if (!newest || newest.retiredAt) throw new ProblemError("not_found", `there is no meter ${name} that users made`);
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
      const made = await tx.insert(customMeters).values(row).onConflictDoNothing().returning();
      if (made.length === 0) throw new ProblemError("conflict", "somebody else was faster; look at it again");
      await tx.execute(sql`SELECT pg_notify(${channel}, '')`);
      const action = version === 1 ? "meter.created" : "meter.changed";
      await recordChange(tx, { by, node, action, subject: meter, ...(before && { before }), after: definition });
    });
    await this.#read();
  }

  async #read(): Promise<void> {
    const rows = await this.#postgres.db.select().from(customMeters);
    const byOwner = new Map<string, [MeterVersion, ...MeterVersion[]]>();
    for (const row of rows.sort((a, b) => b.version - a.version)) {
      const owner = `${row.meter} ${row.node}`;
      const list = byOwner.get(owner);
      if (list) list.push(row);
      else byOwner.set(owner, [row]);
    }
    const owned = new Map<string, [MeterVersion, ...MeterVersion[]][]>();
    for (const versions of byOwner.values()) {
      const [{ meter }] = versions;
      owned.set(meter, [...(owned.get(meter) ?? []), versions]);
    }
    this.#owned = owned;
    const used = rows.filter((row) => row.retiredAt === null).flatMap(({ definition: { events } }) => events ?? []);
    this.#types = new Map();
    for (const { types, lowered_by: lowers, aggregation, value } of used) {
      const isNumber = value !== "value" && aggregation !== "count" && aggregation !== "unique";
      for (const type of [...types, ...lowers]) {
        const known = this.#types.get(type) ?? eventType(type) ?? { dimensions: [] };
        // A rule of the catalog's own stands: it says more.
        this.#types.set(type, isNumber ? { ...known, properties: { [value]: {}, ...known.properties } } : known);
      }
    }
  }

  #check({ events, formula }: MeterDefinition, node: NodeAddress): void {
    const refuse = (field: string, message: string) => new ProblemError("invalid_request", message, { field });
    if (formula !== undefined) {
      const names = namesIn(formula);
      if (names.length === 0) throw refuse("formula", "names no meter");
      if (operationsIn(parseFormula(formula)) > maxOperations)
        throw refuse("formula", `has more than ${maxOperations} operations`);
      for (const name of names) {
        const operand = this.find(name, node, Number.MAX_SAFE_INTEGER);
        if (!operand) throw refuse("formula", `there is no meter named ${name}`);
        if (operand.rule.kind === "derived") throw refuse("formula", `${name} is a formula itself`);
      }
    }
    if (!events) return;
    if (events.aggregation === "unique" && events.unique_of === undefined)
      throw refuse("events.unique_of", "is needed to count distinct values");
    if (events.aggregation !== "unique" && events.unique_of !== undefined)
      throw refuse("events.unique_of", "is for the aggregation unique alone");
    if (events.aggregation !== "level" && (events.lowered_by.length > 0 || events.each))
      throw refuse(events.each ? "events.each" : "events.lowered_by", "is for the aggregation level alone");
    const known = new Set<string>([...commonDimensions, ...events.dimensions]);
    const named = [
      ...events.filters.map((filter) => filter.dimension),
      ...(events.unique_of ? [events.unique_of] : []),
    ];
    const unknown = named.find((dimension) => !known.has(dimension));
    if (unknown !== undefined) throw refuse("events.dimensions", `must name ${unknown}, which the meter uses`);
  }

  #meterOf({ meter, version, definition }: MeterVersion, node: NodeAddress, atMs: number): Meter {
    const { title, unit, description, events, formula } = definition;
    const about = { meter, title, unit, description };
    if (events)
      return {
        ...about,
        rule: ruleOf(events),
        custom: { version, filters: events.filters, dimensions: events.dimensions },
      };
    const parsed = parseFormula(formula ?? "0");
    const operands = metersIn(parsed).flatMap((name) => this.find(name, node, atMs) ?? []);
    return { ...about, rule: { kind: "derived", formula: parsed, operands } };
  }
}

function ruleOf(events: NonNullable<MeterDefinition["events"]>): MeterRule {
  const { types, aggregation, value, unique_of: uniqueOf, lowered_by: lowers, each } = events;
  const property = value === "value" ? undefined : value;
  if (aggregation === "level")
    return { kind: "value_level", raises: types, lowers, by: each ? "event" : "value", property };
  return { kind: "events", types, aggregation, property, uniqueOf };
}

function namesIn(formula: string): string[] {
  try {
    return metersIn(parseFormula(formula));
  } catch (error) {
    if (error instanceof InvalidFormulaError)
      throw new ProblemError("invalid_request", error.message, { field: "formula" });
    throw error;
  }
}

function usesMeter({ formula }: MeterDefinition, name: string): boolean {
  return formula !== undefined && namesIn(formula).includes(name);
}
