/**
 * Formulas over meters, such as `participation_minutes / sessions`: names, decimal numbers, + - * / and brackets, nothing
 * else. Computed exactly, as fractions of whole numbers, and rounded once.
 */
import { amountDigits } from "../contract/decimals.ts";
import { type Exact, exact, isZero, minus, over, plus, roundHalfAway, times } from "./exact.ts";
import { trimDecimal } from "./figures.ts";

export type Formula =
  | { kind: "number"; value: string }
  | { kind: "meter"; name: string }
  | { kind: "operation"; operator: "+" | "-" | "*" | "/"; left: Formula; right: Formula };

export class InvalidFormulaError extends Error {
  override name = "InvalidFormulaError";
}

const maxLength = 1_000;
const maxDepth = 50;
const { wholes, decimals } = amountDigits;
const token = new RegExp(`\\s*(?:([a-z][a-z0-9_]*)|(\\d{1,${wholes}}(?:\\.\\d{1,${decimals}})?)|([-+*/()]))`, "y");

/** Throws InvalidFormulaError, which says where. */
export function parseFormula(text: string): Formula {
  if (text.length > maxLength) throw new InvalidFormulaError(`longer than ${maxLength} characters`);
  const tokens: string[] = [];
  const source = text.trimEnd();
  token.lastIndex = 0;
  while (token.lastIndex < source.length) {
    const at = token.lastIndex;
    const match = token.exec(source);
    if (!match) throw new InvalidFormulaError(`cannot be read from ${JSON.stringify(source.slice(at, at + 20))} on`);
    tokens.push(match[1] ?? match[2] ?? match[3] ?? "");
  }
  let next = 0;
  const take = (...wanted: string[]) => (wanted.includes(tokens[next] ?? "") ? tokens[next++] : undefined);
  const expression = (depth: number): Formula => {
    if (depth > maxDepth) throw new InvalidFormulaError(`has more than ${maxDepth} nested parentheses`);
    return chain(["+", "-"], () => chain(["*", "/"], () => operand(depth)));
  };
  const chain = (operators: string[], part: () => Formula): Formula => {
    let left = part();
    for (let operator = take(...operators); operator !== undefined; operator = take(...operators))
      left = { kind: "operation", operator: operator as "+" | "-" | "*" | "/", left, right: part() };
    return left;
  };
  const operand = (depth: number): Formula => {
    if (take("(") !== undefined) {
      const inner = expression(depth + 1);
      if (take(")") === undefined) throw new InvalidFormulaError("has a parenthesis that is not closed");
      return inner;
    }
    const found = tokens[next++];
    if (found === undefined) throw new InvalidFormulaError("ends where a meter or a number is expected");
    if (/^\d/.test(found)) return { kind: "number", value: found };
    if (/^[a-z]/.test(found)) return { kind: "meter", name: found };
    throw new InvalidFormulaError(`has ${found} where a meter or a number is expected`);
  };
  const formula = expression(0);
  if (next < tokens.length) throw new InvalidFormulaError(`has ${tokens[next]} where an operator is expected`);
  return formula;
}

/** The names of the meters in a formula, each once. */
export function metersIn(formula: Formula): string[] {
  const names = new Set<string>();
  const collect = (part: Formula): void => {
    if (part.kind === "meter") names.add(part.name);
    if (part.kind !== "operation") return;
    collect(part.left);
    collect(part.right);
  };
  collect(formula);
  return [...names];
}

/** How many sums, differences, products and quotients one figure of it takes. */
export function operationsIn(formula: Formula): number {
  return formula.kind === "operation" ? 1 + operationsIn(formula.left) + operationsIn(formula.right) : 0;
}

/** The formula with these figures, decimal strings by meter, rounded half away from zero to 9 decimals; undefined: divides by 0. */
export function combineFigures(formula: Formula, figures: ReadonlyMap<string, string>): string | undefined {
  const result = resultOf(formula, figures);
  return result && trimDecimal(roundHalfAway(result, decimals));
}

function resultOf(formula: Formula, figures: ReadonlyMap<string, string>): Exact | undefined {
  if (formula.kind !== "operation")
    return exact(formula.kind === "number" ? formula.value : (figures.get(formula.name) ?? "0"));
  const left = resultOf(formula.left, figures);
  const right = resultOf(formula.right, figures);
  if (!left || !right) return undefined;
  switch (formula.operator) {
    case "+":
      return plus(left, right);
    case "-":
      return minus(left, right);
    case "*":
      return times(left, right);
    case "/":
      return isZero(right) ? undefined : over(left, right);
  }
}
