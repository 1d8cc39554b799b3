/** What the formulas of meters name. Each is read once, when its version is: whoever asks by it, or changes another meter, reads none. */
import { type Formula, InvalidFormulaError, metersIn, parseFormula } from "../numbers/formula.ts";
import type { MeterVersion, Versions } from "./meter-versions.ts";

export interface ReadFormula {
  formula: Formula;
  /** The names of the meters in it, each once. */
  names: readonly string[];
}

/** Throws InvalidFormulaError. */
export function readFormula(text: string): ReadFormula {
  const formula = parseFormula(text);
  return { formula, names: metersIn(formula) };
}

export class FormulaUses {
  readonly #read = new WeakMap<MeterVersion, ReadFormula>();
  /** By name of a meter, by key of a meter that names it in one of its versions. */
  readonly #users = new Map<string, Map<string, Versions>>();
  readonly #named = new Map<string, ReadonlySet<string>>();

  /** All versions of one meter, in place of what was known of it. */
  put(key: string, versions: Versions): void {
    for (const name of this.#named.get(key) ?? []) {
      const users = this.#users.get(name);
      users?.delete(key);
      if (users?.size === 0) this.#users.delete(name);
    }
    const named = new Set(versions.flatMap((version) => this.#namesIn(version)));
    for (const name of named) {
      const users = this.#users.get(name);
      if (users) users.set(key, versions);
      else this.#users.set(name, new Map([[key, versions]]));
    }
    if (named.size > 0) this.#named.set(key, named);
    else this.#named.delete(key);
  }

  /** The version's formula; undefined where it has none. Throws InvalidFormulaError. */
  of(version: MeterVersion): ReadFormula | undefined {
    const { formula: text } = version.definition;
    if (text === undefined) return undefined;
    const known = this.#read.get(version);
    if (known) return known;
    const read = readFormula(text);
    this.#read.set(version, read);
    return read;
  }

  /** One that cannot be read names nothing: whoever asks by it is told, and nobody else. */
  #namesIn(version: MeterVersion): readonly string[] {
    try {
      return this.of(version)?.names ?? [];
    } catch (error) {
      if (error instanceof InvalidFormulaError) return [];
      throw error;
    }
  }

  /** The meters that name this one in one of their versions. */
  usersOf(name: string): Versions[] {
    return [...(this.#users.get(name)?.values() ?? [])];
  }
}
