/** Reads the filters of a query (server/contract/filters.ts has the grammar) into what storage is asked with. Pure. */
import { z } from "zod";
import { isBoundedText, limits } from "../contract/events.ts";
import { filterOperators } from "../contract/filters.ts";
import { isStorableText } from "../contract/text.ts";
import { ProblemError } from "../problem.ts";

/** A row passes when its value of the dimension is one of the values, none of them, or starts with one of them. */
export interface Filter {
  dimension: string;
  operator: "in" | "not" | "prefix";
  values: string[];
}

/** Each is held against every row. */
const maxFilters = 20;
const maxValues = 1_000;
const parameter = /^filter\[([^\]]*)\](?:\[([^\]]*)\])?$/;

/**
 * The filters among the parameters of a query, all of which must hold, ordered by parameter. Rows without the dimension have the
 * value ''. Throws `invalid_request` naming the parameter whose dimension, operator or value does not exist.
 */
export function parseFilters(query: Readonly<Record<string, unknown>>, dimensions: ReadonlySet<string>): Filter[] {
  return parseAll(query, dimensions, (texts) => texts.flatMap(commaSeparated));
}

/** The same from JSON, by the names of a query's parameters: a list has a value in each place, commas and all; a text alone is as in a query. */
export function parseJsonFilters(
  filters: Readonly<Record<string, string | readonly string[]>>,
  dimensions: ReadonlySet<string>,
): Filter[] {
  return parseAll(filters, dimensions, (texts, given) =>
    Array.isArray(given) ? texts : texts.flatMap(commaSeparated),
  );
}

const commaSeparated = (text: string) => text.split(",");

/** What a list of values is given as. */
type ReadList = (texts: readonly string[], given: unknown) => readonly string[];

function parseAll(
  given: Readonly<Record<string, unknown>>,
  dimensions: ReadonlySet<string>,
  readList: ReadList,
): Filter[] {
  const names = Object.keys(given)
    .filter((name) => name.startsWith("filter["))
    .sort();
  if (names.length > maxFilters)
    throw new ProblemError("invalid_request", `there can be at most ${maxFilters} filters`, {
      field: names[maxFilters],
    });
  return names.map((name) => parseFilter(name, given[name], dimensions, readList));
}

function parseFilter(name: string, given: unknown, dimensions: ReadonlySet<string>, readList: ReadList): Filter {
  const refuse = (message: string) => new ProblemError("invalid_request", message, { field: name });
  const [, dimension = "", operatorName = "in"] = parameter.exec(name) ?? [];
  if (!dimensions.has(dimension))
    throw refuse(`there is no dimension ${JSON.stringify(dimension)} here; choose from ${[...dimensions].join(", ")}`);
  const operator = filterOperators.find((one) => one === operatorName);
  if (operator === undefined) throw refuse(`the operator must be one of ${filterOperators.join(", ")}`);
  const texts = textsOf(given);
  const isList = operator === "in" || operator === "not";
  const values = [...new Set(isList ? readList(texts, given) : texts)];
  if (values.length > maxValues) throw refuse(`a filter can have at most ${maxValues} values`);
  if (values.some((value) => !isBoundedText(value) || !isStorableText(value)))
    throw refuse(
      `a value must be well-formed Unicode without U+0000, with at most ${limits.maxStringLength} characters`,
    );
  if (operator === "prefix" && values.includes("")) throw refuse("a prefix needs at least one character");
  return { dimension, operator: operator === "eq" ? "in" : operator, values };
}

function textsOf(value: unknown): string[] {
  return (Array.isArray(value) ? value : [value]).filter((text): text is string => typeof text === "string");
}

/** The parameters by which a query takes filters: the n-th of each belong together. */
export const filterParams = z.object({
  filter_dimensions: z.array(z.string()),
  filter_operators: z.array(z.string()),
  filter_values: z.array(z.array(z.string())),
});

export function paramsOfFilters(filters: readonly Filter[]): z.infer<typeof filterParams> {
  return {
    filter_dimensions: filters.map(({ dimension }) => dimension),
    filter_operators: filters.map(({ operator }) => operator),
    filter_values: filters.map(({ values }) => values),
  };
}
