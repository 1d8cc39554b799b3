/** What the meters in use ask of each event type that they count: a property that one of them adds up must be a number. */
import { eventType } from "../catalog/catalog.ts";
import type { EventType } from "../catalog/event-types.ts";
import type { MeterDefinition } from "../contract/meters.ts";

interface Version {
  definition: MeterDefinition;
  retiredAt: Date | null;
}

export class CountedTypes {
  #types = new Map<string, EventType>();
  /** By type, by meter, which properties must be numbers. */
  readonly #askedOf = new Map<string, Map<string, Set<string>>>();
  readonly #typesOf = new Map<string, readonly string[]>();

  /** As the catalog and the meters in use know it. */
  get(type: string): EventType | undefined {
    return this.#types.get(type) ?? eventType(type);
  }

  /** All versions of one meter, in place of what was known of it. */
  put(key: string, versions: readonly Version[]): void {
    const asked = askedBy(versions);
    const before = this.#typesOf.get(key) ?? [];
    for (const type of before) this.#askedOf.get(type)?.delete(key);
    for (const [type, numbers] of asked) {
      const ofType = this.#askedOf.get(type) ?? new Map<string, Set<string>>();
      this.#askedOf.set(type, ofType.set(key, numbers));
    }
    if (asked.size > 0) this.#typesOf.set(key, [...asked.keys()]);
    else this.#typesOf.delete(key);
    for (const type of new Set([...before, ...asked.keys()])) this.#know(type);
  }

  #know(type: string): void {
    const ofType = this.#askedOf.get(type);
    if (!ofType || ofType.size === 0) {
      this.#askedOf.delete(type);
      this.#types.delete(type);
      return;
    }
    const known = eventType(type) ?? { dimensions: [] };
    const numbers = new Set([...ofType.values()].flatMap((one) => [...one]));
    const properties = Object.fromEntries([...numbers].map((property) => [property, {}]));
    // A rule of the catalog's own stands: it says more.
    this.#types.set(
      type,
      numbers.size === 0 ? known : { ...known, properties: { ...properties, ...known.properties } },
    );
  }
}

function askedBy(versions: readonly Version[]): Map<string, Set<string>> {
  const asked = new Map<string, Set<string>>();
  for (const { definition, retiredAt } of versions) {
    if (retiredAt !== null || !definition.events) continue;
    const { types, lowered_by: lowers, aggregation, value } = definition.events;
    const isNumber = value !== "value" && aggregation !== "count" && aggregation !== "unique";
    for (const type of [...types, ...lowers]) {
      const numbers = asked.get(type) ?? new Set<string>();
      asked.set(type, isNumber ? numbers.add(value) : numbers);
    }
  }
  return asked;
}
